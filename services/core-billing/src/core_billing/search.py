"""Where is this payment: all that is known of payments, as a manager looks at them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from core_billing import (
    accounts,
    categories,
    desk,
    holders,
    holdings,
    payment_list,
    revisions,
    uncredited,
)
from core_billing.categories import Category
from core_billing.desk import Note
from core_billing.drafts import Reference
from core_billing.holders import Holder
from core_billing.holdings import Holding
from core_billing.payment_filter import Filter
from core_billing.revisions import Said
from shared.db import Tx
from shared.money import Money


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
    kind: str
    provider: str | None
    provider_payment_id: str | None
    reference: str
    order_id: str | None
    amount: Money
    status: str
    reason: str | None
    revision: int
    method: str
    category: int
    category_name: str | None
    category_code: str | None
    """What the accounts of 1C call it."""
    paid_at: datetime
    registered_at: datetime
    manager: str | None
    receipt_number: str | None
    payment_order_number: str | None
    comment: str | None
    corrected_by: str | None
    corrected_at: datetime | None
    correction: str | None
    correction_reason: str | None
    holders: list[Holder]
    refunds: list[Returned]


@dataclass(frozen=True, slots=True)
class Beside:
    """What is known of the payments of a page beside their rows."""

    holders: Mapping[Reference, list[Holder]]
    holdings: Mapping[Reference, Holding]
    notes: Mapping[int, Note]
    said: Mapping[int, Said]
    categories: Mapping[int, Category]


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


async def page(tx: Tx, asked: Filter, after: int | None, limit: int) -> list[Found]:
    """Return at most `limit` payments that follow the one with the id `after`, newest first."""
    return await _described(tx, await payment_list.page(tx, asked, after, limit))


async def by_id(tx: Tx, payment_id: int) -> Found | None:
    """Return the operation that a revision with this id belongs to, as it stands now."""
    reference = await payment_list.reference_of(tx, payment_id)
    row = None if reference is None else await payment_list.find(tx, reference)
    return None if row is None else (await _described(tx, [row]))[0]


async def refused(tx: Tx, external_id: str, provider: str | None) -> list[Refused]:
    """Return what a provider said of its id and what was not credited."""
    return [
        _refused(row)
        for row in await uncredited.find(tx, [external_id])
        if provider in (None, accounts.provider_of(row.source))
    ]


def kind_of(source: str) -> str:
    """Return the word for an operation's kind, by its source: online, cash, cashless, fee..."""
    for prefix, kind in (
        (accounts.PAYMENT, "online"),
        (accounts.CASH, "cash"),
        (accounts.BANK, "cashless"),
        (accounts.FEE, "fee"),
        (accounts.REFUND, "refund"),
        (accounts.REQUEST, "refund"),
    ):
        if source.startswith(prefix):
            return kind
    return source.replace("-", "_")


async def _described(tx: Tx, rows: Sequence[Row[Any]]) -> list[Found]:
    """Put beside the rows of a page who holds them, and what managers have said of them."""
    if not rows:
        return []
    online = {_key(row) for row in rows if row.source.startswith(accounts.PAYMENT)}
    holding = await holdings.find(tx, online) if online else {}
    held = {key: holders.of_holding(key[0], one) for key, one in holding.items()}
    held |= await holders.of_operations(tx, [row for row in rows if _key(row) not in online])
    notes = await desk.find_all(tx, {row.id for row in rows})
    said = await revisions.find_all(tx, {i for row in rows for i in (row.id, row.newest_id)})
    named = await categories.find_all(tx, {row.category for row in rows})
    beside = Beside(held, holding, notes, said, named)
    return [_found(row, beside) for row in rows]


def _key(row: Row[Any]) -> Reference:
    return row.source, row.external_id


def _found(row: Row[Any], beside: Beside) -> Found:
    provider = accounts.provider_of(row.source)
    note, begun = beside.notes.get(row.id), beside.said.get(row.id)
    change = beside.said.get(row.newest_id) if row.revision > 1 else None
    category = beside.categories.get(row.category)
    holding = beside.holdings.get(_key(row))
    manager = note.manager if note else begun.manager if begun else None
    return Found(
        id=str(row.id),
        kind=kind_of(row.source),
        provider=provider,
        provider_payment_id=None if provider is None else row.external_id,
        reference=f"{row.source}:{row.external_id}",
        order_id=row.order_id,
        amount=Money(int(row.kopecks)),
        status=_status(row),
        reason=row.suspense_reason,
        revision=row.revision,
        method=row.method,
        category=row.category,
        category_name=None if category is None else category.name,
        category_code=None if category is None else category.external_code,
        paid_at=row.paid_at,
        registered_at=row.registered_at,
        manager=manager,
        receipt_number=None if note is None else note.receipt_number,
        payment_order_number=None if note is None else note.payment_order_number,
        comment=note.comment if note else begun.reason if begun else None,
        corrected_by=None if change is None else change.manager,
        corrected_at=None if change is None else change.at,
        correction=None if change is None else change.action,
        correction_reason=None if change is None else change.reason,
        holders=beside.holders.get(_key(row), []),
        refunds=[] if holding is None else _refunds(holding),
    )


def _status(row: Row[Any]) -> str:
    if row.suspense_reason is not None:
        return "suspense"
    return "annulled" if row.revision > 1 and not row.kopecks else "posted"


def _refunds(holding: Holding) -> list[Returned]:
    return [
        Returned(r.refund_id, r.provider_refund_id, Money(r.amount_kopecks), r.state)
        for r in holding.refunds
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
