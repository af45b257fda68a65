"""Events that came before what they need: they wait in the inbox and are applied with it.

A money event whose predecessor is missing (a refund before its payment) lies under the
predecessor's reference and is applied in the predecessor's transaction. Two that are at work at
the same moment do not see each other; for those, and for the alarm, there is the sweep.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import ScalarSelect, func, select, update

from shared.clock import Clock
from shared.db import Database, Tx, is_outage, is_repeatable, reading, transaction
from shared.events import Event, decode, encode
from shared.inbox_table import RELEASED, inbox
from shared.metrics import EVENTS_WAITING, alarm

ALARM_AFTER: Final = timedelta(minutes=15)
LOOKED_MAX: Final = 1000
"""Waiting events that a sweep looks at and counts."""
SWEPT_MAX: Final = 100
"""The latest of them, which it tries again."""

Waiting = Mapping[UUID, str]
"""Events that cannot be applied yet → the reference of what they wait for."""

Handle = Callable[[Tx, Sequence[Event]], Awaitable[Waiting | None]]
"""Applies events inside the transaction; returns those of them that must wait for another."""

_log = structlog.get_logger(__name__)
_parked: Final = inbox.c.waits_for.is_not(None) & inbox.c.done_at.is_(None)


@cache
def anybody() -> ScalarSelect[Any]:
    """Return the expression of some reference that is waited for; NULL where nobody waits.

    In the order of the index, which is as good as empty: asked for any row at all, a planner that
    has not counted yet would read the whole table.
    """
    some = inbox.alias("parked")
    waits = select(some.c.waits_for).where(some.c.waits_for.is_not(None))
    return waits.order_by(some.c.waits_for).limit(1).scalar_subquery()


async def waiting_for(tx: Tx, references: Sequence[str], at: datetime) -> list[Event]:
    """Take the events that wait for any of the references; they count as done with this commit.

    One that somebody else is working on at this moment is left to them.
    """
    if not references:
        return []
    columns = select(inbox.c.event_id, inbox.c.body).where(_parked)
    mine = columns.where(inbox.c.waits_for.in_(list(references)))
    return await _take(tx, (await tx.execute(mine.with_for_update(skip_locked=True))).all(), at)


async def park(tx: Tx, events: Sequence[Event], waits: Waiting, at: datetime) -> None:
    """Let those events wait that are named; raises KeyError for one that is not among them."""
    given = {event.id: event for event in events}
    for event_id, reference in waits.items():
        row = {"done_at": None, "waits_for": reference, "body": encode(given[event_id])}
        # Said again it waits no shorter: the alarm counts from when it was first put aside.
        since = func.coalesce(inbox.c.stored_at, at)
        mine = inbox.c.event_id == event_id
        await tx.execute(update(inbox).where(mine).values(**row, stored_at=since))


async def wake(tx: Tx, handle: Handle, references: Sequence[str], at: datetime) -> None:
    """Apply what waits for these references, in the transaction that has brought them.

    Where that fails they wait on, and what woke them is applied without them.
    """
    try:
        async with tx.begin_nested():
            await _apply(tx, handle, await waiting_for(tx, references, at), at)
    except Exception as error:
        if is_outage(error) or is_repeatable(error):
            raise
        _log.exception("waiting.failed", references=list(references))


async def sweep(db: Database, queue: str, handle: Handle, clock: Clock) -> None:
    """Try a queue's waiting events again, the latest first, and raise the alarm for late ones.

    Each is a transaction of its own, so that one which fails holds up no other.
    """
    # In the order of the index, for the reason given at `anybody`.
    looked = select(inbox.c.event_id, inbox.c.stored_at, inbox.c.queue).where(_parked)
    async with reading(db) as tx:
        rows = await tx.execute(looked.order_by(inbox.c.waits_for).limit(LOOKED_MAX))
        mine = [row for row in rows if row.queue == queue]
    EVENTS_WAITING.labels(queue).set(len(mine))
    mine.sort(key=lambda row: row.stored_at, reverse=True)
    chosen = [row.event_id for row in mine[:SWEPT_MAX]]
    for event_id in chosen:
        try:
            async with transaction(db) as tx:
                await _try_again(tx, event_id, handle, clock())
        except Exception as error:
            if is_outage(error):
                raise
            _log.exception("waiting.failed", event_id=str(event_id))
    if chosen:
        await _alarm_late(db, queue, clock())


async def _try_again(tx: Tx, event_id: UUID, handle: Handle, at: datetime) -> None:
    row = select(inbox.c.event_id, inbox.c.body).where(_parked, inbox.c.event_id == event_id)
    found = (await tx.execute(row.with_for_update(skip_locked=True))).all()
    await _apply(tx, handle, await _take(tx, found, at), at)


async def _take(tx: Tx, rows: Sequence[Any], at: datetime) -> list[Event]:
    taken = [row for row in rows if row.body is not None]
    if taken:
        mine = inbox.c.event_id.in_([row.event_id for row in taken])
        await tx.execute(update(inbox).where(mine).values(done_at=at, **RELEASED))
    return [decode(row.body) for row in taken]


async def _apply(tx: Tx, handle: Handle, events: Sequence[Event], at: datetime) -> None:
    if events:
        await park(tx, events, await handle(tx, events) or {}, at)


async def _alarm_late(db: Database, queue: str, at: datetime) -> None:
    """Raise one alarm for each event that has waited too long; its row keeps that it was raised."""
    late = select(inbox.c.event_id, inbox.c.body, inbox.c.waits_for, inbox.c.stored_at).where(
        _parked, inbox.c.queue == queue, inbox.c.stored_at <= at - ALARM_AFTER
    )
    unsaid = late.where(inbox.c.error.is_(None)).limit(SWEPT_MAX).with_for_update(skip_locked=True)
    async with transaction(db) as tx:
        rows = (await tx.execute(unsaid)).all()
        if rows:
            mine = inbox.c.event_id.in_([row.event_id for row in rows])
            await tx.execute(update(inbox).where(mine).values(error="its predecessor is late"))
    for row in rows:
        event = decode(row.body)
        alarm(
            "event_waits",
            event_id=str(row.event_id),
            event_type=event.type,
            waits_for=row.waits_for,
            since=row.stored_at.isoformat(),
            correlation_id=event.correlation_id,
        )
