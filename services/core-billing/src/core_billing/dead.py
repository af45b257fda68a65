"""Dead letters: what no consumer could process, kept for a person and replayed on request.

All services' dead letters come here. A replay sends the same bytes to the one queue they came
from; where they die again, they are here again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
import structlog
from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    Row,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from shared.bus import DeadLetter, Send, StoreDead
from shared.clock import Clock
from shared.db import Database, Instant, Tx, is_postgres, metadata, reading, transaction
from shared.metrics import DEAD_LETTERS, alarm
from shared.outbox import Letter

REPLAY_MAX: Final = 100
ASKED_MAX: Final = 10_000
PRUNE_MAX: Final = 10_000
KEEP: Final = timedelta(days=30)

_log = structlog.get_logger(__name__)

schema = metadata()
dead_letter = Table(
    "dead_letter",
    schema,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("queue", Text, nullable=False),
    # Each copy of a poisonous event dies by itself; they are one row.
    Column("body_hash", LargeBinary, nullable=False),
    Column("event_id", Uuid),
    Column("type", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("signature", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("deaths", Integer, nullable=False),
    Column("died_at", Instant, nullable=False),
    Column("replay_at", Instant),
    Column("replayed_at", Instant),
    UniqueConstraint("queue", "body_hash"),
)
_waiting = dead_letter.c.replayed_at.is_(None)
Index(
    "ix_dead_letter_waiting",
    dead_letter.c.died_at,
    postgresql_where=_waiting,
    sqlite_where=_waiting,
)


def storing(db: Database, clock: Clock) -> StoreDead:
    """Return what the bus calls with the letters that reached the dead queue."""

    async def store(letters: Sequence[DeadLetter]) -> None:
        async with transaction(db) as tx:
            for letter in letters:
                await _store(tx, letter, clock())
        for letter in letters:
            alarm(
                "dead_letter",
                queue=letter.queue,
                event_id=str(letter.event_id),
                event_type=letter.type,
                reason=letter.reason,
            )

    return store


async def find(tx: Tx, which: UUID | None = None, limit: int = 200) -> Sequence[Row[Any]]:
    """Return the letters that wait for a person, oldest first; or all of one event."""
    wanted = _waiting if which is None else dead_letter.c.event_id == which
    statement = select(dead_letter).where(wanted).order_by(dead_letter.c.id).limit(limit)
    return (await tx.execute(statement)).all()


async def ask_replay(tx: Tx, event_ids: Sequence[UUID] | None, at: datetime) -> int:
    """Mark letters to be sent to their queue again, None means all; return how many.

    What is past its `not_after` stays: nobody wants it any more.
    """
    wanted = _waiting if event_ids is None else dead_letter.c.event_id.in_(list(event_ids))
    readable = dead_letter.c.event_id.is_not(None)
    columns = select(dead_letter.c.id, dead_letter.c.body).where(wanted, readable)
    rows = (await tx.execute(columns.limit(ASKED_MAX))).all()
    ids = [row.id for row in rows if not _is_late(row.body, at)]
    mine = dead_letter.c.id.in_(ids)
    await tx.execute(update(dead_letter).where(mine).values(replay_at=at, replayed_at=None))
    return len(ids)


async def replay(db: Database, send: Send, clock: Clock) -> bool:
    """Send what was marked to the queues it came from; return whether more waits."""
    asked = (
        select(dead_letter)
        .where(_waiting, dead_letter.c.replay_at <= clock())
        .order_by(dead_letter.c.id)
        .limit(REPLAY_MAX)
    )
    async with reading(db) as tx:
        rows = (await tx.execute(asked)).all()
    sent = [row for row in rows if await _send(send, row, clock())]
    async with transaction(db) as tx:
        for row in sent:
            # One that has died again since is waiting again, and must not be hidden.
            mine = (dead_letter.c.id == row.id) & (dead_letter.c.deaths == row.deaths)
            await tx.execute(update(dead_letter).where(mine).values(replayed_at=clock()))
    await count(db)
    return len(sent) == REPLAY_MAX


async def prune(db: Database, at: datetime) -> int:
    """Delete letters replayed more than 30 days ago, at most 10 000; return how many."""
    old = select(dead_letter.c.id).where(dead_letter.c.replayed_at < at - KEEP).limit(PRUNE_MAX)
    async with transaction(db) as tx:
        mine = dead_letter.c.id.in_(old)
        return (await tx.execute(delete(dead_letter).where(mine))).rowcount


async def count(db: Database) -> int:
    """Count the letters that wait and show the figure to Prometheus, which alarms above zero."""
    async with reading(db) as tx:
        waiting = (await tx.execute(select(func.count()).where(_waiting))).scalar_one()
    DEAD_LETTERS.set(waiting)
    return int(waiting)


async def _send(send: Send, row: Row[Any], at: datetime) -> bool:
    if row.event_id is None or _is_late(row.body, at):
        return False
    letter = Letter(row.event_id, row.type, row.body, row.signature)
    [error] = await send(row.queue, [letter])
    if error is not None:
        _log.warning("dead.replay_failed", event_id=str(row.event_id), error=repr(error))
    return error is None


async def _store(tx: Tx, letter: DeadLetter, at: datetime) -> None:
    insert = postgres_insert if is_postgres(tx) else sqlite_insert
    died = {"reason": letter.reason, "died_at": at, "replay_at": None, "replayed_at": None}
    statement = insert(dead_letter).values(
        queue=letter.queue,
        body_hash=hashlib.blake2b(letter.body, digest_size=16).digest(),
        event_id=letter.event_id,
        type=letter.type,
        body=letter.body,
        signature=letter.signature,
        deaths=1,
        **died,
    )
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=["queue", "body_hash"],
            set_={**died, "deaths": dead_letter.c.deaths + 1},
        )
    )


def _is_late(body: bytes, at: datetime) -> bool:
    """Say whether the event names a moment after which nobody wants it."""
    try:
        not_after = orjson.loads(body)["data"]["not_after"]
        return datetime.fromisoformat(not_after) <= at
    except (ValueError, KeyError, TypeError):
        return False
