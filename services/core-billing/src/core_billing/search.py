"""Where is this payment: everything the core knows about an id that a provider gave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Row

from core_billing import accounts, holdings, postings, uncredited
from core_billing.holdings import Holding
from shared.db import Tx
from shared.money import Money


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a part of a payment's money now."""

    contract: str | None
    account: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Returned:
    """A refund of a payment."""

    refund_id: str | None
    provider_refund_id: str | None
    amount: Money
    status: str


@dataclass(frozen=True, slots=True)
class Found:
    """A payment in the ledger, in its newest revision."""

    id: str
    provider: str
    provider_payment_id: str
    order_id: str | None
    amount: Money
    status: str
    reason: str | None
    revision: int
    method: str
    paid_at: datetime
    registered_at: datetime
    holders: list[Holder]
    refunds: list[Returned]


@dataclass(frozen=True, slots=True)
class Refused:
    """What was said under the same id and not credited."""

    provider: str
    provider_payment_id: str
    amount: Money
    reason: str
    contract: str | None
    paid_at: datetime
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """All that is known about a provider's id."""

    items: list[Found]
    uncredited: list[Refused]


async def by_provider_id(tx: Tx, external_id: str, provider: str | None) -> Answer:
    """Return what became of a payment, by the id that its provider gave it."""
    wanted = None if provider is None else accounts.PAYMENT + provider
    lines = [
        row
        for row in await postings.lines_of(tx, [external_id])
        if row.source.startswith(accounts.PAYMENT) and wanted in (None, row.source)
    ]
    listed = [
        row
        for row in await uncredited.find(tx, [external_id])
        if provider in (None, accounts.provider_of(row.source))
    ]
    known = await holdings.find(tx, {(row.source, row.external_id) for row in lines})
    groups = [list(rows) for _, rows in groupby(lines, key=lambda row: row.source)]
    found = [_found(rows, known[rows[0].source, rows[0].external_id]) for rows in groups]
    return Answer(found, [_refused(row) for row in listed])


def _found(lines: Sequence[Row[Any]], holding: Holding) -> Found:
    newest = lines[-1]
    return Found(
        id=str(lines[0].id),
        provider=newest.source.removeprefix(accounts.PAYMENT),
        provider_payment_id=newest.external_id,
        order_id=newest.order_id,
        amount=Money(newest.amount_kopecks),
        status="posted" if newest.suspense_reason is None else "suspense",
        reason=newest.suspense_reason,
        revision=newest.revision,
        method=newest.method,
        paid_at=newest.paid_at,
        registered_at=lines[0].registered_at,
        holders=_holders(newest.source.removeprefix(accounts.PAYMENT), holding),
        refunds=[
            Returned(r.refund_id, r.provider_refund_id, Money(r.amount_kopecks), r.state)
            for r in holding.refunds
        ],
    )


def _holders(provider: str, holding: Holding) -> list[Holder]:
    """Return who holds what refunds have left."""
    return [
        Holder(None, f"suspense:{provider}", Money(kopecks))
        if name is None
        else Holder(accounts.number_of(name), name, Money(kopecks))
        for name, kopecks in holding.rests.items()
        if kopecks
    ]


def _refused(row: Row[Any]) -> Refused:
    return Refused(
        provider=accounts.provider_of(row.source) or row.source,
        provider_payment_id=row.external_id,
        amount=Money(row.amount_kopecks),
        reason=row.reason,
        contract=row.contract,
        paid_at=row.paid_at,
        seen_at=row.seen_at,
    )
