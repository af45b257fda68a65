"""What the API asks and answers, as models: the OpenAPI document is made from them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from core_billing.contracts import Contract
from core_billing.history import PAGE_MAX, Entry
from shared.money import RUB, Money, WireMoney


class ContractView(BaseModel):
    """A contract as it stands.

    `available` is what may still be spent: balance, credit limit and active promise together.
    """

    number: str
    balance: WireMoney
    available: WireMoney
    currency: str = RUB
    status: str
    credit_limit: WireMoney
    low_balance: WireMoney
    operator: str
    subscriber_id: str
    created_at: datetime


class EntryView(BaseModel):
    """One movement of the contract's money, with the balance after it.

    `kind` is payment, refund, opening, fee, transfer, distribution, write_off, correction or
    reversal; `reference` names the operation, and of a refund `provider_payment_id` the payment
    that goes back.
    """

    id: str
    amount: WireMoney
    balance: WireMoney
    currency: str = RUB
    kind: str
    provider: str | None
    provider_payment_id: str | None
    paid_at: datetime
    registered_at: datetime
    reference: str


class EntriesView(BaseModel):
    """A page of entries, newest first; `next_cursor` is null on the last one."""

    items: list[EntryView]
    next_cursor: str | None


class PageQuery(BaseModel):
    """Which page of a list."""

    model_config = ConfigDict(extra="forbid")

    cursor: Annotated[str, Field(max_length=40)] | None = None
    limit: int = Field(50, ge=1, le=PAGE_MAX)


def contract_view(now: Contract, low_balance_kopecks: int) -> ContractView:
    """Return what is shown of a contract; the operator's threshold stands for one of its own."""
    low = now.low_balance_kopecks
    return ContractView(
        number=now.number,
        balance=Money(now.balance_kopecks),
        available=Money(now.available_kopecks),
        status=now.status,
        credit_limit=Money(now.credit_limit_kopecks),
        low_balance=Money(low_balance_kopecks if low is None else low),
        operator=now.operator,
        subscriber_id=now.subscriber_id,
        created_at=now.created_at,
    )


def entry_view(entry: Entry) -> EntryView:
    """Return what is shown of an entry."""
    return EntryView(
        id=entry.id,
        amount=Money(entry.amount_kopecks),
        balance=Money(entry.balance_kopecks),
        kind=entry.kind,
        provider=entry.provider,
        provider_payment_id=entry.provider_payment_id,
        paid_at=entry.paid_at,
        registered_at=entry.registered_at,
        reference=entry.reference,
    )
