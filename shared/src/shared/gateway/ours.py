"""Our side of the books: how payments and refunds stand here, many of them in one statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    Select,
    Table,
    and_,
    bindparam,
    func,
    null,
    or_,
    select,
)

from shared.clock import MOSCOW
from shared.db import Tx, is_postgres
from shared.gateway.books import Standing
from shared.gateway.payments import payment
from shared.gateway.provider import Kind, Status
from shared.gateway.refunds import refund
from shared.rows import among, listed

PAGE_MAX: Final = 1000


@dataclass(frozen=True, slots=True)
class Side:
    """Where one kind of money is kept: its table, and what its columns are called."""

    table: Table
    id: Column[Any]
    payment_id: Column[Any]
    amount: Column[Any]
    moment: Column[Any]
    """When the money moved, by the provider's clock."""
    net: ColumnElement[Any]
    """What reaches the bank account; nothing where that is not kept."""


_p, _r = payment.c, refund.c
SIDES: Final[Mapping[Kind, Side]] = {
    Kind.PAYMENT: Side(
        payment,
        _p.provider_payment_id,
        _p.provider_payment_id,
        _p.received_kopecks,
        _p.paid_at,
        _p.income_kopecks,
    ),
    Kind.REFUND: Side(
        refund,
        _r.provider_refund_id,
        _r.provider_payment_id,
        _r.amount_kopecks,
        _r.refunded_at,
        null(),
    ),
}


class Span(NamedTuple):
    """A stretch of time; its end is no longer part of it."""

    since: datetime
    until: datetime

    @classmethod
    def of(cls, day: date) -> Span:
        """Return a day from midnight to midnight in Moscow, which is what providers count by."""
        midnight = datetime.combine(day, time(), MOSCOW)
        return cls(midnight, midnight + timedelta(days=1))

    def holds(self, moment: datetime | None) -> bool:
        """Say whether a moment lies in the span."""
        return moment is not None and self.since <= moment < self.until

    def widened(self, by: timedelta) -> Span:
        """Return the span with a margin at both ends."""
        return Span(self.since - by, self.until + by)


class Ours(NamedTuple):
    """One success of ours; a place in the order of the day where it is handed back."""

    id: str
    payment_id: str
    amount_kopecks: int
    at: datetime


async def standings(tx: Tx, kind: Kind, shop: str, ids: Sequence[str]) -> dict[str, Standing]:
    """Return how these stand here, by the provider's id; those we do not know are left out."""
    found = await tx.execute(_standing(is_postgres(tx), kind), {"shop": shop, "ids": list(ids)})
    return {row.id: _known(row) for row in found}


async def succeeded(
    tx: Tx, kind: Kind, shop: str, span: Span, after: Ours | None = None
) -> Sequence[Ours]:
    """Return a page of our successes of a span, oldest first, at most a thousand."""
    side = SIDES[kind]
    query = select(
        side.id.label("id"), side.payment_id.label("payment_id"), side.amount, side.moment
    ).where(_within(side, shop, span))
    if after is not None:
        later = and_(side.moment == after.at, side.id > after.id)
        query = query.where(or_(side.moment > after.at, later))
    rows = await tx.execute(query.order_by(side.moment, side.id).limit(PAGE_MAX))
    return [Ours(*row) for row in rows]


async def counted(tx: Tx, kind: Kind, shop: str, span: Span) -> int:
    """Count our successes of a span."""
    side = SIDES[kind]
    query = select(func.count()).where(_within(side, shop, span))
    return int((await tx.execute(query)).scalar_one())


async def undone(tx: Tx, shop: str, span: Span, payment_ids: Sequence[str]) -> set[str]:
    """Return which of these payments were both paid and sent back whole within a span."""
    if not payment_ids:
        return set()
    paid, back = SIDES[Kind.PAYMENT], SIDES[Kind.REFUND]
    same = and_(_r.shop == _p.shop, _r.provider_payment_id == _p.provider_payment_id)
    query = (
        select(paid.id)
        .select_from(payment.join(refund, same))
        .where(among(tx, paid.id, payment_ids))
        .where(_within(paid, shop, span), _within(back, shop, span))
        .group_by(paid.id, paid.amount)
        .having(func.sum(back.amount) >= paid.amount)
    )
    return set((await tx.execute(query)).scalars())


def _within(side: Side, shop: str, span: Span) -> Any:
    status = side.table.c.status == str(Status.SUCCEEDED)
    mine = and_(side.table.c.shop == shop, status)
    return and_(mine, side.moment >= span.since, side.moment < span.until)


def _known(row: Any) -> Standing:
    return Standing(Status(row.status), row.amount, row.held, row.net, row.at)


@cache
def _standing(postgres: bool, kind: Kind) -> Select[Any]:
    side = SIDES[kind]
    c = side.table.c
    what = {"id": side.id, "amount": side.amount, "net": side.net, "at": side.moment}
    chosen = (*(column.label(name) for name, column in what.items()), c.status, c.held)
    return select(*chosen).where(c.shop == bindparam("shop"), listed(postgres, side.id, "ids"))
