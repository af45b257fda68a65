"""Who tells the controller about a contract now, and whether the controller wants to be told.

An attempt is leased under a token and the lease is committed first; what became of it is written
only where the token still stands. So no two requests about one contract are on their way at once,
whatever the number of replicas.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import (
    Column,
    ColumnElement,
    Row,
    Table,
    Text,
    case,
    delete,
    func,
    literal,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from notifier.access import SIGNAL, access
from shared.db import Instant, Tx, is_postgres, metadata, raise_signal
from shared.rows import chosen

UNREACHED: Final = "cannot connect"
"""The error of an attempt that found no receiver at all; another contract would find none either"""
_WOKEN_MAX: Final = 1000
_RELEASED: Final = {"lease_token": None, "leased_until": None}

schema = metadata()
receiver = Table(
    "access_receiver",
    schema,
    # A digest of its address, which may hold a password: another address begins anew.
    Column("address", Text, primary_key=True),
    # It answered 410; a person asks for the next attempt.
    Column("gone_at", Instant),
    # It answered 429.
    Column("held_until", Instant),
)


@dataclass(frozen=True, slots=True)
class Leased:
    """The newest state of a contract, which this worker alone may tell until the lease ends."""

    contract: str
    revision: int
    blocked: bool
    reason: str
    balance_kopecks: int
    available_kopecks: int
    occurred_at: datetime
    correlation_id: str
    attempt: int
    """Counted from 1 for each revision, this one included."""
    token: UUID
    until: datetime


async def open_to(tx: Tx, address: str, at: datetime) -> bool:
    """Say whether the controller at an address takes anything now."""
    row = (await tx.execute(select(receiver).where(receiver.c.address == address))).one_or_none()
    if row is None:
        return True
    return row.gone_at is None and (row.held_until is None or row.held_until <= at)


async def close_to(tx: Tx, address: str, **columns: datetime) -> None:
    """Write since when (`gone_at`) or until when (`held_until`) nothing is sent to an address."""
    insert = postgresql.insert(receiver) if is_postgres(tx) else sqlite.insert(receiver)
    new = insert.values(address=address, **columns)
    await tx.execute(new.on_conflict_do_update(index_elements=["address"], set_=columns))


async def reopen(tx: Tx) -> bool:
    """Forget what controllers have said of themselves; return whether there was anything."""
    forgotten = await tx.execute(delete(receiver))
    raise_signal(tx, SIGNAL)
    return bool(forgotten.rowcount)


async def gone_since(tx: Tx) -> datetime | None:
    """Return since when a controller wants nothing any more, if one does."""
    since: datetime | None = (await tx.execute(select(func.min(receiver.c.gone_at)))).scalar_one()
    return since


async def lease(tx: Tx, at: datetime, *, until: datetime, limit: int) -> list[Leased]:
    """Take states that are due: fresh ones first, so that those that fail hold nobody up.

    Of these, whoever has paid comes before whoever is cut off: a night may block thousands.
    """
    free = or_(access.c.lease_token.is_(None), access.c.leased_until <= at)
    due = (
        select(access.c.contract)
        .where(access.c.due_at <= at, free)
        .order_by(access.c.attempts, access.c.blocked, access.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    token = uuid4()
    rows = await tx.execute(
        update(access)
        .where(chosen(is_postgres(tx), access.c.contract, due))
        .values(
            lease_token=token,
            leased_until=until,
            due_at=until,
            attempts=access.c.attempts + 1,
            failing_since=func.coalesce(access.c.failing_since, literal(at, Instant)),
        )
        .returning(access)
    )
    return [_leased(row) for row in rows]


async def succeed(tx: Tx, leased: Leased, status: int, at: datetime) -> bool:
    """Write that the controller has taken a state; False where the lease was lost meanwhile.

    What was asked for since the attempt began stays due.
    """
    return await _settle(
        tx,
        leased,
        delivered_revision=leased.revision,
        delivered_at=at,
        due_at=case((_untouched(leased), null()), else_=access.c.due_at),
        attempts=case((_untouched(leased), 0), else_=access.c.attempts),
        failing_since=None,
        alarmed=False,
        last_status=status,
        last_error=None,
    )


async def fail(tx: Tx, leased: Leased, status: int | None, error: str, due_at: datetime) -> bool:
    """Write why an attempt failed and when the next one is due; False where the lease was lost.

    A state that was replaced meanwhile is due at once, as its successor said.
    """
    again = case((_untouched(leased), literal(due_at, Instant)), else_=access.c.due_at)
    return await _settle(tx, leased, due_at=again, last_status=status, last_error=error)


async def give_back(tx: Tx, leased: Leased, at: datetime) -> None:
    """End the lease of a state that was not sent at all: no attempt counts."""
    less = case((_untouched(leased), leased.attempt - 1), else_=access.c.attempts)
    await _settle(tx, leased, due_at=at, attempts=less)


async def wake_unreached(tx: Tx, at: datetime) -> int:
    """Make those due that found no receiver: one has just answered. Returns how many."""
    asleep = (access.c.due_at > at) & access.c.lease_token.is_(None) & (access.c.attempts > 0)
    these = select(access.c.contract).where(asleep, access.c.last_error == UNREACHED)
    these = these.order_by(access.c.contract).limit(_WOKEN_MAX).with_for_update(skip_locked=True)
    woken = await tx.execute(
        update(access).where(chosen(is_postgres(tx), access.c.contract, these)).values(due_at=at)
    )
    if woken.rowcount:
        raise_signal(tx, SIGNAL)
    return woken.rowcount


async def _settle(tx: Tx, leased: Leased, **values: Any) -> bool:
    mine = (access.c.contract == leased.contract) & (access.c.lease_token == leased.token)
    written = await tx.execute(update(access).where(mine).values(**values, **_RELEASED))
    return bool(written.rowcount)


def _untouched(leased: Leased) -> ColumnElement[bool]:
    return access.c.due_at == literal(leased.until, Instant)


def _leased(row: Row[Any]) -> Leased:
    said = {name: getattr(row, name) for name in Leased.__slots__ if hasattr(row, name)}
    return Leased(**said, attempt=row.attempts, token=row.lease_token, until=row.leased_until)
