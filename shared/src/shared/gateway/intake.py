"""Group commit of callbacks: many requests, one statement, and no answer before the commit.

Two committers take at most 32 rows each: one of 64 gives fewer requests a second and a longer
tail. They gather for a millisecond, because a half-empty statement costs as much as a full one.
The queue between handlers and committers is bounded; a full one is an answer.

A batch that the database refuses for its data is stored row by row, so that one bad row fails
alone. An outage fails everybody who waits, and a waiter who has gone away harms nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any, Final, Self

import structlog

from shared.clock import Clock
from shared.db import Database, Tx, is_outage, transaction
from shared.errors import Text, Unavailable
from shared.gateway import callbacks
from shared.gateway.callbacks import Key, Received
from shared.gateway.gateway import CALLBACKS

COMMITTERS: Final = 2
BATCH_MAX: Final = 32
QUEUE_MAX: Final = 2000
FOREIGN_A_DAY_MAX: Final = 10_000
GATHER_SECONDS: Final = 0.001
STOP_SECONDS: Final = 10.0
_RECOUNT: Final = timedelta(minutes=1)

_log = structlog.get_logger(__name__)
_Item = tuple[Received, "asyncio.Future[None]"]

_FULL: Final = Text("Too many callbacks at once: repeat", "Слишком много уведомлений: повторите")
_DOWN: Final = Text("The database does not answer: repeat", "База данных не отвечает: повторите")
_SPENT: Final = Text(
    "Too many callbacks about unknown payments today",
    "Слишком много уведомлений о неизвестных платежах за сутки",
)


class Intake:
    """Stores callbacks for as long as `running` is open."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._queue: asyncio.Queue[_Item] = asyncio.Queue(QUEUE_MAX)
        self._allowance = Allowance()

    async def put(self, received: Received) -> None:
        """Return once the callback is committed; raises Unavailable where it is not stored."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            self._queue.put_nowait((received, done))
        except asyncio.QueueFull:
            raise Unavailable(_FULL, retry_after_seconds=5) from None
        await done

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the committers; at the end what is queued is still stored."""
        tasks = [asyncio.create_task(self._commit_always()) for _ in range(COMMITTERS)]
        try:
            yield
        finally:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._queue.join(), STOP_SECONDS)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _commit_always(self) -> None:
        async with Line(self._db) as line:
            while True:
                batch = [await self._queue.get()]
                await asyncio.sleep(GATHER_SECONDS)
                while len(batch) < BATCH_MAX and not self._queue.empty():
                    batch.append(self._queue.get_nowait())
                try:
                    await self._commit(line, batch)
                finally:
                    for _ in batch:
                        self._queue.task_done()

    async def _commit(self, line: Line, batch: Sequence[_Item]) -> None:
        try:
            outcome = await self._store(line, [received for received, _ in batch])
        except Exception as error:
            if len(batch) > 1 and not is_outage(error):
                _log.warning("intake.batch_split", size=len(batch), error=repr(error)[:300])
                for item in batch:
                    await self._commit(line, [item])
                return
            _log.warning("intake.failed", size=len(batch), error=repr(error)[:300])
            _settle(batch, _DOWN)
            return
        if outcome:
            _settle([item for item in batch if item[0].key in outcome], _SPENT)
        _settle(batch, None)

    async def _store(self, line: Line, batch: Sequence[Received]) -> set[Key]:
        """Commit a batch in one statement; return the keys that were left out."""
        unique = {received.key: received for received in batch}
        ordered = [unique[key] for key in sorted(unique)]
        async with line.open() as tx:
            room = await self._allowance.room(tx, self._clock())
            stored = await callbacks.store(tx, ordered, room)
            self._allowance.spend(stored.foreign)
            kept = set(unique) if room else await callbacks.stored_before(tx, list(unique))
        if stored.new:
            self._db.signal(CALLBACKS).set()
        return set(unique) - kept


class Line:
    """A committer's own connection, which commits each statement by itself.

    Kept, because taking one from the pool for each batch costs as much as the batch; given up
    after any failure. SQLite has no such mode, there each batch is a transaction.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._autocommit = db.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._kept: Tx | None = None
        self._driver: Any = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._give_up()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Tx]:
        """Yield the connection."""
        if not self._db.postgres:
            async with transaction(self._db) as tx:
                yield tx
            return
        if self._kept is not None and self._driver.is_closed():
            await self._give_up()
        if self._kept is None:
            self._kept = await self._autocommit.connect()
            self._driver = (await self._kept.get_raw_connection()).driver_connection
        try:
            yield self._kept
        except BaseException:
            await self._give_up()
            raise

    async def _give_up(self) -> None:
        kept, self._kept = self._kept, None
        if kept is not None:
            await kept.invalidate()
            await kept.close()


class Allowance:
    """How many callbacks about unknown payments may still be stored today (UTC)."""

    def __init__(self) -> None:
        self._counted_at: datetime | None = None
        self._spent = 0

    async def room(self, tx: Tx, at: datetime) -> bool:
        """Say whether there is room; counts anew each minute, because replicas store as well."""
        last = self._counted_at
        if last is None or at - last >= _RECOUNT or at.date() != last.date():
            midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
            self._spent = await callbacks.foreign_since(tx, midnight)
            self._counted_at = at
        return self._spent < FOREIGN_A_DAY_MAX

    def spend(self, count: int) -> None:
        """Take what was stored from the allowance."""
        self._spent += count


def _settle(batch: Sequence[_Item], refusal: Text | None) -> None:
    for _, done in batch:
        if done.done():
            continue
        if refusal is None:
            done.set_result(None)
        else:
            done.set_exception(Unavailable(refusal, retry_after_seconds=30))
