"""The journal: every request to the provider and every callback, with its time and its outcome.

For people who ask what happened to a payment. Nothing else reads it and no money depends on it, so
it is written behind the work: an entry is put into a bounded queue, one writer stores what has
gathered in one statement. What does not fit, and what a crash takes along, is missing; what is
known to be missing is counted and an alarm. Bodies come masked: what is not named harmless is not
kept (DECISIONS, "The journal and what it keeps").
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any, Final, Literal, NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Index,
    Integer,
    Row,
    Table,
    Text,
    Uuid,
    delete,
    insert,
    or_,
    select,
    union,
)

from shared.clock import Clock
from shared.db import Database, Instant, Tx, is_outage, is_postgres, metadata, transaction
from shared.gateway.bucket import Bucket
from shared.gateway.payments import payment
from shared.loop import Loop
from shared.metrics import JOURNAL_LOST, alarm

QUEUE_MAX: Final = 20_000
BATCH_MAX: Final = 1_000
GATHER_SECONDS: Final = 0.25
AGAIN_SECONDS: Final = 1.0
STOP_SECONDS: Final = 10.0
ALARM_SECONDS: Final = 60.0
PRUNE_MAX: Final = 10_000
PRUNE_EVERY_SECONDS: Final = 600.0
STRANGERS_A_SECOND: Final = 1.0
STRANGERS_SAVED: Final = 100.0

_log = structlog.get_logger(__name__)

schema = metadata()
journal = Table(
    "journal",
    schema,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", Instant, nullable=False),
    Column("direction", Text, nullable=False),
    Column("shop", Text, nullable=False),
    Column("call", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("status", Integer),
    Column("micros", Integer, nullable=False),
    Column("object_id", Text),
    Column("provider_payment_id", Text),
    Column("payment_id", Uuid),
    Column("correlation_id", Text, nullable=False),
    Column("sent", Text),
    Column("said", Text),
)
_theirs = journal.c.provider_payment_id
_ours = journal.c.payment_id
for _column, _name in ((_theirs, "theirs"), (_ours, "ours")):
    _there = _column.is_not(None)
    Index(
        f"ix_journal_{_name}", _column, journal.c.id, postgresql_where=_there, sqlite_where=_there
    )

Direction = Literal["in", "out"]


class Entry(NamedTuple):
    """One exchange, as it is stored."""

    at: datetime
    direction: Direction
    """``out`` for a request of ours, ``in`` for a callback."""
    shop: str
    call: str
    """The method and address without ids, or the event."""
    outcome: str
    status: int | None
    """The HTTP status; none where nothing was answered."""
    micros: int
    """How long it took, in microseconds."""
    object_id: str | None
    provider_payment_id: str | None
    payment_id: UUID | None
    correlation_id: str
    sent: str | None
    """What we said, masked JSON."""
    said: str | None
    """What the provider said, masked JSON."""


class Journal:
    """Takes entries at any time, stores them for as long as `running` is open."""

    def __init__(self, db: Database, service: str, clock: Clock, kept: timedelta) -> None:
        self.clock = clock
        self._db = db
        self._service = service
        self._kept = kept
        self._waiting: deque[Entry] = deque()
        self._writing = 0
        self._strangers: Bucket | None = None
        self._alarmed_at = float("-inf")

    def note(self, entry: Entry) -> None:
        """Take an entry; never waits and never fails."""
        if len(self._waiting) + self._writing < QUEUE_MAX:
            self._waiting.append(entry)
        else:
            self._lose("full", 1)

    def note_stranger(self, make: Callable[[], Entry]) -> None:
        """Make and take an entry that anybody may cause: a hundred at once, one a second for long.

        Where nothing is made of it, it is counted all the same.
        """
        if self._strangers is None:
            self._strangers = Bucket(STRANGERS_A_SECOND, saved_seconds=STRANGERS_SAVED)
        if self._strangers.reserve(0) is None:
            JOURNAL_LOST.labels(self._service, "spared").inc()
        else:
            self.note(make())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the writer; at the end what is queued is still stored."""
        writer = asyncio.create_task(self._write_always())
        try:
            yield
        finally:
            writer.cancel()
            with suppress(asyncio.CancelledError):
                await writer
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    while self._waiting and await self._write_some():
                        pass
            if self._waiting:
                self._lose("failed", len(self._waiting))

    def loop(self) -> Loop:
        """Return the loop that deletes what is older than it is to be kept."""

        async def step() -> bool:
            async with transaction(self._db) as tx:
                return await prune(tx, self.clock() - self._kept) == PRUNE_MAX

        return Loop("journal", step, PRUNE_EVERY_SECONDS)

    async def _write_always(self) -> None:
        while True:
            await asyncio.sleep(GATHER_SECONDS)
            while self._waiting:
                if not await self._write_some():
                    await asyncio.sleep(AGAIN_SECONDS)

    async def _write_some(self) -> bool:
        """Store a batch; False where the database is away, then it waits on in its place."""
        batch = [self._waiting.popleft() for _ in range(min(BATCH_MAX, len(self._waiting)))]
        self._writing = len(batch)
        stored = False
        try:
            await self._store(batch)
            stored = True
        except Exception as error:
            _log.warning("journal.not_written", size=len(batch), error=repr(error)[:300])
        finally:
            self._writing = 0
            if not stored:
                self._waiting.extendleft(reversed(batch))
        return stored

    async def _store(self, batch: Sequence[Entry]) -> None:
        try:
            async with transaction(self._db) as tx:
                await add(tx, batch)
        except Exception as error:
            if is_outage(error):
                raise
            _log.warning("journal.batch_refused", size=len(batch), error=repr(error)[:300])
            if len(batch) == 1:
                self._lose("failed", 1)
                return
            for entry in batch:
                await self._store([entry])

    def _lose(self, reason: str, count: int) -> None:
        JOURNAL_LOST.labels(self._service, reason).inc(count)
        now = asyncio.get_running_loop().time()
        if now - self._alarmed_at >= ALARM_SECONDS:
            self._alarmed_at = now
            alarm("journal_incomplete", service=self._service, reason=reason, count=count)


async def add(tx: Tx, entries: Sequence[Entry]) -> None:
    """Store entries in one statement; on PostgreSQL a COPY, which costs a third of an INSERT."""
    if is_postgres(tx):
        driver: Any = (await tx.get_raw_connection()).driver_connection
        await driver.copy_records_to_table(journal.name, records=entries, columns=Entry._fields)
        return
    await tx.execute(insert(journal), [entry._asdict() for entry in entries])


async def prune(tx: Tx, before: datetime) -> int:
    """Delete entries older than this, at most 10 000; return how many.

    The oldest have the smallest ids, so no index over the times is needed.
    """
    oldest = select(journal.c.id).order_by(journal.c.id).limit(PRUNE_MAX).scalar_subquery()
    old = delete(journal).where(journal.c.id.in_(oldest), journal.c.at < before)
    return (await tx.execute(old)).rowcount


async def about(tx: Tx, named: str, before_id: int | None, limit: int) -> Sequence[Row[Any]]:
    """Return the entries about one payment, newest first, by our id of it or the provider's."""
    mine = _uuid(named)
    known = or_(payment.c.provider_payment_id == named, payment.c.id == mine)
    found = list(await tx.execute(select(payment.c.id, payment.c.provider_payment_id).where(known)))
    ours = {row.id for row in found} | ({mine} if mine else set())
    theirs = {row.provider_payment_id for row in found} - {None} | {named}
    ids = union(
        *(_newest(where, before_id, limit) for where in (_theirs.in_(theirs), _ours.in_(ours)))
    )
    wanted = select(journal).where(journal.c.id.in_(ids)).order_by(journal.c.id.desc())
    return (await tx.execute(wanted.limit(limit))).all()


def _newest(where: ColumnElement[bool], before_id: int | None, limit: int) -> Any:
    chosen = select(journal.c.id).where(where).order_by(journal.c.id.desc()).limit(limit)
    if before_id is not None:
        chosen = chosen.where(journal.c.id < before_id)
    return select(chosen.subquery().c.id)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
