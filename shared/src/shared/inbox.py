"""Every event takes effect once: its inbox row and its effect are one transaction.

A row is a repeat only when its `done_at`, set together with the effect, is filled; so a dead
letter can be replayed. On RabbitMQ the row appears with the effect. The memory bus has no memory
of its own, so there the row is the message: it carries the bytes, attempts and the next due time.

An event whose predecessor is missing (a refund before its payment) waits here under the
predecessor's reference and is applied in the predecessor's transaction: see `shared.waiting`.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final, NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import delete, select, update
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from shared import conflict
from shared.clock import Clock
from shared.db import Database, Tx, is_outage, is_postgres, is_repeatable, transaction
from shared.errors import Poison
from shared.events import Event
from shared.inbox_table import RELEASED, inbox, schema
from shared.metrics import CONSUMED
from shared.rows import Arrays, as_arrays
from shared.waiting import Handle, Waiting, anybody, park, waiting_for, wake

__all__ = ["RELEASED", "Handle", "Waiting", "inbox", "schema", "waiting_for"]

KEEP_DONE: Final = timedelta(days=30)
PRUNE_MAX: Final = 10_000
REPEATS_MAX: Final = 5

_log = structlog.get_logger(__name__)

Repeated = Callable[[Tx, Sequence[Event]], Awaitable[None]]
"""Hears of events that came again although they are done, for instance to acknowledge again."""


class Outcome(Enum):
    """What became of one delivered event."""

    DONE = "done"
    REPEAT = "repeat"
    WAITING = "waiting"
    FAILED = "failed"
    POISON = "poison"


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one event, with the failure where there was one."""

    outcome: Outcome
    error: Exception | None = None


@dataclass(frozen=True)
class Consumer:
    """A queue, the database its effects go to, and what is done with its events."""

    queue: str
    db: Database
    handle: Handle
    repeated: Repeated | None = None
    batch_max: int = 50
    pace_seconds: float = 0.1
    """The least time between two batches that are not full. A message after a pause is not held
    up; of a steady stream several share a transaction, which costs nearly as much for one."""
    brings: Callable[[Event], str | None] | None = None
    """Names what an event brings that others may wait for; none where nothing ever waits."""


class Outage(Exception):
    """Our own database does not work; nothing was decided about any event."""


async def apply(consumer: Consumer, events: Sequence[Event], clock: Clock) -> list[Result]:
    """Give a batch its effect in one transaction, or one by one where that fails on data.

    Returns one result per event, in order. Raises Outage when the database is at fault; then no
    event was settled and none has used up an attempt.
    """
    try:
        results = await _apply_repeatedly(consumer, events, clock)
    except Outage:
        raise
    except Exception as error:
        if len(events) == 1:
            results = [_failure(events[0], error)]
        else:
            _log.warning("inbox.batch_split", queue=consumer.queue, error=repr(error))
            return [(await apply(consumer, [event], clock))[0] for event in events]
    for outcome, count in Counter(result.outcome for result in results).items():
        CONSUMED.labels(consumer.queue, outcome.value).inc(count)
    return results


async def prune(db: Database, at: datetime) -> int:
    """Delete rows done more than 30 days ago, at most 10 000; return how many."""
    old = select(inbox.c.event_id).where(inbox.c.done_at < at - KEEP_DONE).limit(PRUNE_MAX)
    async with transaction(db) as tx:
        return (await tx.execute(delete(inbox).where(inbox.c.event_id.in_(old)))).rowcount


async def _apply_repeatedly(
    consumer: Consumer, events: Sequence[Event], clock: Clock
) -> list[Result]:
    for attempt in range(1, REPEATS_MAX + 1):
        try:
            async with transaction(consumer.db) as tx:
                return await _apply_once(tx, consumer, events, clock())
        except Exception as error:
            if is_outage(error):
                raise Outage(str(error)) from error
            if not is_repeatable(error) or attempt == REPEATS_MAX:
                raise
            await asyncio.sleep(random.uniform(0, 0.02 * attempt))  # noqa: S311 - spreads retries
    raise AssertionError("unreachable: the last attempt returns or raises")


async def _apply_once(
    tx: Tx, consumer: Consumer, events: Sequence[Event], at: datetime
) -> list[Result]:
    digests = [event.digest() for event in events]
    known, awaited = await _claim(tx, consumer.queue, events, digests, at)
    outcomes = _judged(events, digests, known)
    by_outcome = {
        outcome: [e for e, own in zip(events, outcomes, strict=True) if own is outcome]
        for outcome in (Outcome.DONE, Outcome.REPEAT, Outcome.POISON)
    }
    fresh, conflicts = by_outcome[Outcome.DONE], by_outcome[Outcome.POISON]
    await _finish(tx, [event.id for event in fresh if event.id in known], at)
    waits = (await consumer.handle(tx, fresh) if fresh else None) or {}
    await park(tx, fresh, waits, at)
    if awaited and consumer.brings is not None:
        brought = [name for event in fresh if (name := consumer.brings(event)) is not None]
        if brought:
            await wake(tx, consumer.handle, brought, at)
    if conflicts:
        await conflict.keep(tx, "inbox", conflicts, at)
    done = {e.id: e for e in by_outcome[Outcome.REPEAT] if known.get(e.id, _NEW).done}
    if done and consumer.repeated is not None:
        await consumer.repeated(tx, list(done.values()))
    return [_result(event, own, waits) for event, own in zip(events, outcomes, strict=True)]


class _Row(NamedTuple):
    """What is known of an event that the inbox had heard of before."""

    digest: bytes
    done: bool


_NEW: Final = _Row(b"", done=False)
# Whether anybody waits is asked along, so that it costs no statement of its own.
_CLAIM: Final = Arrays(
    "INSERT INTO inbox (event_id, queue, digest, done_at) SELECT * FROM unnest("
    "CAST(:event_id AS uuid[]), CAST(:queue AS text[]), CAST(:digest AS bytea[]),"
    " CAST(:done_at AS timestamptz[])) ON CONFLICT DO NOTHING RETURNING event_id,"
    " (SELECT waits_for FROM inbox WHERE waits_for IS NOT NULL ORDER BY waits_for LIMIT 1)"
)


async def _claim(
    tx: Tx, queue: str, events: Sequence[Event], digests: Sequence[bytes], at: datetime
) -> tuple[dict[UUID, _Row], bool]:
    """Write the new events as done with this commit; lock and return the rows of the others.

    Says besides whether any event, of whatever queue, waits for another.
    """
    rows: dict[UUID, dict[str, Any]] = {}
    for event, digest in zip(events, digests, strict=True):
        row = {"event_id": event.id, "queue": queue, "digest": digest, "done_at": at}
        rows.setdefault(event.id, row)
    new = dict(await _insert(tx, list(rows.values())))
    found = any(awaited is not None for awaited in new.values())
    seen = [event_id for event_id in rows if event_id not in new]
    if not seen:
        return {}, found
    columns = select(inbox.c.event_id, inbox.c.digest, inbox.c.done_at, anybody().label("awaited"))
    known = await tx.execute(columns.where(inbox.c.event_id.in_(seen)).with_for_update(of=inbox))
    by_id = {row.event_id: row for row in known}
    found = found or any(row.awaited is not None for row in by_id.values())
    return {
        event_id: _Row(row.digest, row.done_at is not None) for event_id, row in by_id.items()
    }, found


async def _insert(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> list[tuple[UUID, str | None]]:
    if not rows:
        return []
    if is_postgres(tx):
        return [(made[0], made[1]) for made in await _CLAIM.run(tx, as_arrays(rows))]
    insert = sqlite_insert(inbox).on_conflict_do_nothing()
    made = await tx.execute(insert.returning(inbox.c.event_id, anybody()), list(rows))
    return [(event_id, awaited) for event_id, awaited in made]


def _judged(
    events: Sequence[Event], digests: Sequence[bytes], known: Mapping[UUID, _Row]
) -> list[Outcome]:
    """Say of each event whether it is new, a repeat, or in conflict with what came first."""
    first = {event_id: row.digest for event_id, row in known.items()}
    met = {event_id for event_id, row in known.items() if row.done}
    outcomes: list[Outcome] = []
    for event, digest in zip(events, digests, strict=True):
        if first.setdefault(event.id, digest) != digest:
            outcomes.append(Outcome.POISON)
        else:
            outcomes.append(Outcome.REPEAT if event.id in met else Outcome.DONE)
            met.add(event.id)
    return outcomes


async def _finish(tx: Tx, event_ids: Sequence[UUID], at: datetime) -> None:
    if event_ids:
        mine = inbox.c.event_id.in_(list(event_ids))
        await tx.execute(update(inbox).where(mine).values(done_at=at, **RELEASED))


def _result(event: Event, outcome: Outcome, waits: Waiting) -> Result:
    if outcome is Outcome.POISON:
        return Result(outcome, Poison("the same id came with other data"))
    waiting = outcome is Outcome.DONE and event.id in waits
    return Result(Outcome.WAITING if waiting else outcome)


def _failure(event: Event, error: Exception) -> Result:
    outcome = Outcome.POISON if isinstance(error, Poison) else Outcome.FAILED
    _log.warning(
        "inbox.failed",
        event_id=str(event.id),
        event_type=event.type,
        correlation_id=event.correlation_id,
        error=repr(error),
        exc_info=outcome is Outcome.FAILED,
    )
    return Result(outcome, error)
