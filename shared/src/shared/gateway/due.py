"""Rows that are due: leased, so that nobody else does their work, and fenced against latecomers.

For any table with the columns `id`, `status`, `due_at`, `attempts`, `lease_token`, `leased_until`.
Whoever holds the token may act, and when the row is due again is written only while the token still
stands. A killed process costs the rest of its lease.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Row, Table, and_, bindparam, case, or_, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from shared.db import Instant, Tx, is_postgres
from shared.rows import chosen


@dataclass(frozen=True, slots=True)
class Hold:
    """Which row is held, under which token, and how it stood when it was taken."""

    table: Table
    id: UUID
    token: UUID
    status: str


async def claim(
    tx: Tx, table: Table, at: datetime, limit: int, lease: timedelta
) -> tuple[UUID, Sequence[Row[Any]]]:
    """Lease due rows under one token, oldest first; those others hold are passed over."""
    token = uuid4()
    values = {"_at": at, "_most": limit, "_token": token, "_until": at + lease}
    taken = await tx.execute(_claiming(table, is_postgres(tx)), values)
    return token, taken.all()


async def release(tx: Tx, held: Hold, due_at: datetime | None, **changes: Any) -> bool:
    """Give a lease back and say when the row is due again; False where it was lost.

    A row that was finished meanwhile stays finished, one whose status has changed meanwhile keeps
    the time that was set then.
    """
    c = held.table.c
    unchanged = and_(c.status == held.status, c.due_at.is_not(None))
    when = case((unchanged, due_at), else_=c.due_at)
    values = {"due_at": when, "lease_token": None, "leased_until": None, **changes}
    return (await tx.execute(update(held.table).where(_mine(held)).values(values))).rowcount == 1


async def keep(tx: Tx, held: Hold, **changes: Any) -> bool:
    """Write something down and go on holding the lease; False where it was lost."""
    kept = update(held.table).where(_mine(held)).values(changes)
    return (await tx.execute(kept)).rowcount == 1


async def holds(tx: Tx, held: Hold) -> bool:
    """Say whether a lease's token still stands; locks the row."""
    found = await tx.execute(select(held.table.c.id).where(_mine(held)).with_for_update())
    return found.first() is not None


@cache
def _claiming(table: Table, postgres: bool) -> ReturningUpdate[Any]:
    """Make the statement that leases due rows: to build it each time costs more than to run it.

    What is given to it begins with an underline, as no column of these tables does: SQLAlchemy
    keeps the columns' own names to itself.
    """
    c, at = table.c, bindparam("_at", type_=Instant)
    due = (
        select(c.id)
        .where(c.due_at <= at)
        .where(or_(c.leased_until.is_(None), c.leased_until <= at))
        .order_by(c.due_at)
        .limit(bindparam("_most"))
        .with_for_update(skip_locked=True)
    )
    return (
        update(table)
        .where(chosen(postgres, c.id, due))
        .values(
            lease_token=bindparam("_token"),
            leased_until=bindparam("_until"),
            attempts=c.attempts + 1,
        )
        .returning(*c)
    )


def _mine(held: Hold) -> ColumnElement[bool]:
    return and_(held.table.c.id == held.id, held.table.c.lease_token == held.token)
