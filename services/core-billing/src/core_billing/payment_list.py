"""The list of payments: each once, as it stands now, newest first, with its totals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, and_, false, func, select

from core_billing import accounts
from core_billing.accounts import source
from core_billing.drafts import Reference
from core_billing.payment_conditions import (
    Condition,
    amount,
    conditions,
    first,
    later,
    newest_id,
    reason_now,
    sources,
)
from core_billing.payment_filter import Filter, Kind
from core_billing.postings import payment
from shared.db import Tx
from shared.money import Money
from shared.rows import among

PAGE_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Totals:
    """How many payments are asked for, and what stands of them now in all."""

    count: int
    amount: Money


async def page(tx: Tx, asked: Filter, after: int | None, limit: int) -> Sequence[Row[Any]]:
    """Return at most `limit` payments that follow the one with the id `after`, newest first.

    A payment's id is that of its first revision, so a correction does not move it in the list.
    Columns: `id`, `newest_id`, `source`, `external_id`, `order_id`, `kopecks`, `method`,
    `category`, `paid_at`, `registered_at`, `revision`, `suspense_reason`.
    """
    wanted = _listed(asked.kind).where(*await _asked(tx, asked))
    if after is not None:
        wanted = wanted.where(first.c.id < after)
    rows = await tx.execute(wanted.order_by(first.c.id.desc()).limit(limit))
    return list(rows)


async def reference_of(tx: Tx, payment_id: int) -> Reference | None:
    """Return the operation that a revision with this id belongs to, if there is one."""
    named = select(source.c.name, payment.c.external_id).join(
        payment, payment.c.source_id == source.c.id
    )
    row = (await tx.execute(named.where(payment.c.id == payment_id))).one_or_none()
    return None if row is None else (row.name, row.external_id)


async def find(tx: Tx, reference: Reference) -> Row[Any] | None:
    """Return the same columns of one operation of whichever kind; None where it is unknown."""
    between = reference[0] in (accounts.TRANSFER, accounts.DISTRIBUTION)
    mine = _listed(Kind.TRANSFER if between else None).where(
        source.c.name == reference[0],
        first.c.external_id == reference[1],
        first.c.revision == 1,
    )
    found: Row[Any] | None = (await tx.execute(mine)).one_or_none()
    return found


async def totals(tx: Tx, asked: Filter) -> Totals:
    """Count and sum all that is asked for, however many pages it fills."""
    sums: Any = select(func.count(), func.coalesce(func.sum(amount(asked.kind)), 0))
    count, kopecks = (await tx.execute(_joined(sums).where(*await _asked(tx, asked)))).one()
    return Totals(count, Money(int(kopecks)))


async def is_longer(tx: Tx, asked: Filter, most: int) -> bool:
    """Say whether more payments are asked for than `most`."""
    wanted = _joined(select(first.c.id)).where(*await _asked(tx, asked))
    some = wanted.limit(most + 1).subquery()
    return int((await tx.execute(select(func.count()).select_from(some))).scalar_one()) > most


async def _asked(tx: Tx, asked: Filter) -> list[Condition]:
    """Return the conditions; where no source can have brought it, nothing is looked through."""
    ids = await sources(tx, asked)
    return [among(tx, first.c.source_id, ids), *conditions(asked)] if ids else [false()]


def _joined(wanted: Any) -> Any:
    return (
        wanted.select_from(first)
        .join(source, source.c.id == first.c.source_id)
        .join(
            later,
            and_(
                later.c.external_id == first.c.external_id,
                later.c.source_id == first.c.source_id,
            ),
            isouter=True,
        )
    )


def _listed(kind: Kind | None) -> Any:
    return _joined(
        select(
            first.c.id,
            newest_id.label("newest_id"),
            source.c.name.label("source"),
            first.c.external_id,
            first.c.order_id,
            amount(kind).label("kopecks"),
            first.c.method,
            func.coalesce(later.c.category, first.c.category).label("category"),
            first.c.paid_at,
            first.c.registered_at,
            func.coalesce(later.c.revision, first.c.revision).label("revision"),
            reason_now.label("suspense_reason"),
        )
    )
