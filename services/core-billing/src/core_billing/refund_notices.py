"""What a gateway says about a refund, and what is said back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from core_billing import accounts, acknowledgements, ledger
from core_billing.drafts import Payment, Reference
from core_billing.ledger import Receipt
from core_billing.refund_rows import Refund
from core_billing.rules import Rules
from shared.db import Tx
from shared.events import Event
from shared.events_gateway import RefundFailed, RefundPosted, RefundSucceeded


@dataclass(frozen=True, slots=True)
class Notice:
    """A provider has sent money back, or will not."""

    event_id: UUID
    correlation_id: str
    succeeded: bool
    provider: str
    provider_payment_id: str
    provider_refund_id: str | None
    refund_id: str | None
    amount_kopecks: int
    reason: str
    at: datetime
    """The provider's time."""

    @property
    def payment(self) -> Reference:
        """Return the reference of the payment whose money it is."""
        return accounts.PAYMENT + self.provider, self.provider_payment_id

    @property
    def reference(self) -> Reference:
        """Return the reference under which the ledger books it, once."""
        return accounts.REFUND + self.provider, self.provider_refund_id or ""

    def agrees(self, known: Refund) -> bool:
        """Say whether a known refund is the same money of the same payment."""
        said = (self.payment, self.amount_kopecks)
        return said == (known.payment, known.amount_kopecks)

    def as_payment(self) -> Payment:
        """Return it as the ledger takes it: money that has gone."""
        return Payment(*self.reference, -self.amount_kopecks, (), paid_at=self.at)

    def columns(self) -> dict[str, Any]:
        """Return what the table of refunds keeps of one that nobody here has asked for."""
        names = ("provider", "provider_payment_id", "amount_kopecks", "reason")
        return {name: getattr(self, name) for name in names}

    def facts(self) -> dict[str, Any]:
        """Return what an alarm says about it."""
        return {
            "payment": ":".join(self.payment),
            "provider_refund_id": self.provider_refund_id,
            "refund_id": self.refund_id,
            "amount_kopecks": self.amount_kopecks,
            "correlation_id": self.correlation_id,
        }


def read(events: Sequence[Event]) -> list[Notice]:
    """Return the notices among the events; raises Poison for one that cannot be read."""
    types = (RefundSucceeded.TYPE, RefundFailed.TYPE)
    return [_read(event) for event in events if event.type in types]


def _read(event: Event) -> Notice:
    succeeded = event.type == RefundSucceeded.TYPE
    said = RefundSucceeded.of(event) if succeeded else RefundFailed.of(event)
    return Notice(
        event_id=event.id,
        correlation_id=event.correlation_id,
        succeeded=succeeded,
        provider=said.provider,
        provider_payment_id=said.provider_payment_id,
        provider_refund_id=said.provider_refund_id,
        refund_id=said.refund_id,
        amount_kopecks=said.amount_kopecks,
        reason=said.reason,
        at=said.occurred_at,
    )


async def booked(tx: Tx, notices: Sequence[Notice]) -> dict[Reference, Receipt]:
    """Return what the ledger has booked of the refunds that are said to have been sent."""
    return await ledger.find(tx, {notice.reference for notice in notices if notice.succeeded})


async def acknowledge_again(tx: Tx, rules: Rules, notices: Sequence[Notice], at: datetime) -> None:
    """Say once more what became of refunds that are in the ledger with this very amount."""
    known = await booked(tx, notices)
    sent = [notice for notice in notices if notice.succeeded]
    pairs = [(one, known[one.reference]) for one in sent if one.reference in known]
    same = [(one, r) for one, r in pairs if r.amount_kopecks == -one.amount_kopecks]

    def make(suffix: str) -> list[Event]:
        return [event for pair in same for event in posted(rules, *pair, suffix)]

    await acknowledgements.repeat(tx, rules.producer, make, at)


def posted(rules: Rules, notice: Notice, receipt: Receipt, suffix: str = "") -> list[Event]:
    """Return what is said of a booked refund: for each contract, and for what came from elsewhere.

    The latter was held in suspense or had been taken when it was asked for.
    """
    bodies = [
        _posted(notice, -c.amount_kopecks, c.number, c.balance_kopecks, c.available_kopecks)
        for c in receipt.credits
    ]
    elsewhere = notice.amount_kopecks - sum(body.amount_kopecks for body in bodies)
    if elsewhere:
        bodies.append(_posted(notice, elsewhere))
    return [
        body.event(
            rules.producer.name,
            subject=body.contract or ":".join(notice.reference),
            revision=f"{notice.provider}:{notice.provider_refund_id}{suffix}",
            correlation_id=notice.correlation_id,
        )
        for body in bodies
    ]


def _posted(
    notice: Notice,
    kopecks: int,
    number: str | None = None,
    balance: int | None = None,
    available: int | None = None,
) -> RefundPosted:
    return RefundPosted(
        contract=number,
        occurred_at=notice.at,
        provider=notice.provider,
        provider_refund_id=notice.provider_refund_id or "",
        provider_payment_id=notice.provider_payment_id,
        amount_kopecks=kopecks,
        balance_kopecks=balance,
        available_kopecks=available,
    )
