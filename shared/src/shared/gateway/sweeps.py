"""The sweeps over a provider's lists: one row for each shop, kind and day, and how far it went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Date,
    Integer,
    Row,
    Table,
    Text,
    Uuid,
    and_,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from shared.db import Instant, Tx, is_postgres, metadata
from shared.gateway.differences import Books, Source
from shared.gateway.provider import Kind

LISTED_MAX: Final = 1000

schema = metadata()
sweep = Table(
    "sweep",
    schema,
    Column("shop", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("cursor", Text),
    Column("listed", Integer, nullable=False, server_default="0"),
    Column("matched", Integer, nullable=False, server_default="0"),
    Column("unreadable", Integer, nullable=False, server_default="0"),
    Column("differences", Integer, nullable=False, server_default="0"),
    Column("amount_kopecks", BigInteger, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("started_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("lease_token", Uuid),
    Column("leased_until", Instant),
)
_c = sweep.c
_ANEW: Final = {
    "cursor": None,
    "listed": 0,
    "matched": 0,
    "unreadable": 0,
    "differences": 0,
    "amount_kopecks": 0,
    "attempts": 0,
    "finished_at": None,
}


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be swept: one kind of one shop's money on one Moscow day."""

    shop: str
    kind: Kind
    day: date

    @property
    def books(self) -> Books:
        """Return which of the provider's books these are."""
        return Books(self.shop, self.day, Source.LIST)

    @property
    def row(self) -> ColumnElement[bool]:
        """Return the condition that finds its row."""
        return and_(_c.shop == self.shop, _c.kind == str(self.kind), _c.day == self.day)


@dataclass(frozen=True, slots=True)
class Sweep:
    """How far a sweep went."""

    task: Task
    cursor: str | None
    listed: int
    matched: int
    """Successes of the day itself that stand on both sides."""
    unreadable: int
    differences: int
    amount_kopecks: int
    attempts: int
    started_at: datetime
    finished_at: datetime | None
    token: UUID | None = None

    @property
    def state(self) -> str:
        """Return ``running``, ``done``, or ``incomplete`` where something could not be read."""
        if self.finished_at is None:
            return "running"
        return "incomplete" if self.unreadable else "done"


async def claim(
    tx: Tx, task: Task, at: datetime, lease: timedelta, anew_before: datetime
) -> Sweep | None:
    """Lease a sweep that is not finished, or was begun before a moment; None where there is none.

    One that was begun and not finished goes on where it stopped.
    """
    make = postgres_insert if is_postgres(tx) else sqlite_insert
    key = {"shop": task.shop, "kind": str(task.kind), "day": task.day}
    await tx.execute(make(sweep).values(**key, started_at=at).on_conflict_do_nothing())
    old = and_(task.row, _c.finished_at.is_not(None), _c.started_at < anew_before)
    await tx.execute(update(sweep).where(old).values(**_ANEW, started_at=at))
    free = or_(_c.leased_until.is_(None), _c.leased_until <= at)
    token = uuid4()
    taken = await tx.execute(
        update(sweep)
        .where(task.row, _c.finished_at.is_(None), free)
        .values(lease_token=token, leased_until=at + lease)
        .returning(sweep)
    )
    row = taken.one_or_none()
    return None if row is None else _sweep(row)


async def holds(tx: Tx, held: Sweep) -> bool:
    """Say whether a lease's token still stands; locks the row."""
    mine = select(_c.day).where(held.task.row, _c.lease_token == held.token)
    return (await tx.execute(mine.with_for_update())).first() is not None


async def record(tx: Tx, held: Sweep, **values: Any) -> None:
    """Write how far a sweep went and give the lease back; not where it was lost."""
    mine = and_(held.task.row, _c.lease_token == held.token)
    released = {"lease_token": None, "leased_until": None, **values}
    await tx.execute(update(sweep).where(mine).values(released))


async def restart(tx: Tx, held: Sweep, until: datetime) -> None:
    """Begin a sweep from the start, after a while: its place in the list is no longer known."""
    await record(tx, held, **_ANEW, leased_until=until)


async def find(tx: Tx, task: Task) -> Sweep | None:
    """Return a sweep."""
    row = (await tx.execute(select(sweep).where(task.row))).one_or_none()
    return None if row is None else _sweep(row)


async def between(tx: Tx, shop: str, since: date, until: date) -> Sequence[Sweep]:
    """Return the sweeps of some days, newest first."""
    query = select(sweep).where(_c.shop == shop, _c.day >= since, _c.day <= until)
    rows = await tx.execute(query.order_by(_c.day.desc(), _c.kind).limit(LISTED_MAX))
    return [_sweep(row) for row in rows]


def _sweep(row: Row[Any]) -> Sweep:
    return Sweep(
        task=Task(row.shop, Kind(row.kind), row.day),
        cursor=row.cursor,
        listed=row.listed,
        matched=row.matched,
        unreadable=row.unreadable,
        differences=row.differences,
        amount_kopecks=row.amount_kopecks,
        attempts=row.attempts,
        started_at=row.started_at,
        finished_at=row.finished_at,
        token=row.lease_token,
    )
