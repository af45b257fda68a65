"""The memory bus: straight from the outbox into the inbox tables of the consumers.

It has no memory of its own. `publish` inserts the event as a due row in the database of every
bound consumer and confirms after the last commit; attempts, pauses and dead letters are columns
of that row. So a killed process loses nothing, and one process on SQLite keeps RabbitMQ's
promises.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import structlog
from sqlalchemy import update

from shared import bus, inbox, memory_rows
from shared import log as logs
from shared.bus import Settlement, StoreDead, Unroutable
from shared.clock import Clock
from shared.crypto import Signer
from shared.db import is_outage, transaction
from shared.errors import Poison
from shared.events import Event, verified
from shared.inbox import Consumer, Outage, Outcome, Result
from shared.metrics import alarm
from shared.outbox import Letter
from shared.topology import Topology, delay_seconds

_IDLE_SECONDS: Final = 1.0
_OUTAGE_SECONDS: Final = 0.5
_STOP_SECONDS: Final = 20.0

_log = structlog.get_logger(__name__)
_rows = inbox.inbox.c


class MemoryBus:
    """A bus within one process, as durable as the consumers' databases."""

    def __init__(self, topology: Topology, signer: Signer, clock: Clock) -> None:
        self._topology = topology
        self._signer = signer
        self._clock = clock
        self._consumers: dict[str, Consumer] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._store_dead: StoreDead | None = None
        self._stopping = asyncio.Event()

    async def open(self) -> None:
        """Nothing to connect; the queues are the consumers' tables."""

    def usable(self) -> bool:
        """Say whether every deployed queue has its consumer."""
        attached = self._consumers.keys() >= set(self._topology.queues())
        return attached and not self._stopping.is_set()

    async def publish(self, letters: Sequence[Letter]) -> Sequence[Exception | None]:
        """Insert each letter into every bound queue; Unroutable where a consumer is missing."""
        outcomes: list[Exception | None] = [self._unroutable(letter) for letter in letters]
        wanted: dict[str, list[int]] = {}
        for index, letter in enumerate(letters):
            for queue in self._topology.bound(letter.type) if outcomes[index] is None else ():
                wanted.setdefault(queue, []).append(index)
        for queue, indexes in wanted.items():
            errors = await self._put(queue, [letters[index] for index in indexes], replay=False)
            for index, error in zip(indexes, errors, strict=True):
                outcomes[index] = outcomes[index] or error
        return outcomes

    async def send(self, queue: str, letters: Sequence[Letter]) -> Sequence[Exception | None]:
        """Make letters due in one queue, whatever was decided about them before, and commit."""
        return await self._put(queue, letters, replay=True)

    async def consume(self, consumer: Consumer) -> None:
        """Attach a consumer and start working through its rows."""
        self._consumers[consumer.queue] = consumer
        work = self._work(consumer)
        self._tasks.append(asyncio.create_task(work, name=f"memory:{consumer.queue}"))

    async def consume_dead(self, store: StoreDead) -> None:
        """Hand dead rows to the store from now on."""
        self._store_dead = store

    async def stop(self) -> None:
        """Let each worker finish the batch it holds."""
        self._stopping.set()
        for consumer in self._consumers.values():
            consumer.db.signal(memory_rows.signal_of(consumer.queue)).set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_STOP_SECONDS)
            for task in late:
                task.cancel()
        self._tasks.clear()

    async def close(self) -> None:
        """Forget the consumers."""
        self._consumers.clear()

    async def _put(
        self, queue: str, letters: Sequence[Letter], *, replay: bool
    ) -> Sequence[Exception | None]:
        consumer = self._consumers.get(queue)
        if consumer is None:
            return [Unroutable(queue)] * len(letters)
        try:
            async with transaction(consumer.db) as tx:
                await memory_rows.insert(tx, queue, letters, self._clock(), replay=replay)
        except Exception as error:
            return [error] * len(letters)
        return [None] * len(letters)

    def _unroutable(self, letter: Letter) -> Exception | None:
        queues = self._topology.bound(letter.type)
        missing = [queue for queue in queues if queue not in self._consumers]
        if missing or not queues:
            return Unroutable(f"{letter.type}: no consumer for {missing or 'this type'}")
        return None

    async def _work(self, consumer: Consumer) -> None:
        signal = consumer.db.signal(memory_rows.signal_of(consumer.queue))
        while not self._stopping.is_set():
            signal.clear()
            try:
                more = await self._step(consumer)
            except Exception as error:
                outage = isinstance(error, Outage) or is_outage(error)
                _log.warning("memory.outage" if outage else "memory.failed", exc_info=not outage)
                await asyncio.sleep(_OUTAGE_SECONDS)
                continue
            if not more:
                await _wait(signal, _IDLE_SECONDS)

    async def _step(self, consumer: Consumer) -> bool:
        """Apply one batch of due rows; return whether there were any."""
        token = uuid4()
        rows = await memory_rows.lease(consumer, token, self._clock())
        if not rows:
            return False
        events: list[Event] = []
        owners: list[Any] = []
        judged: list[tuple[Any, Result]] = []
        for row in rows:
            try:
                events.append(verified(self._signer, row.body, row.signature))
                owners.append(row)
            except Poison as error:
                judged.append((row, Result(Outcome.POISON, error)))
        correlation = events[0].correlation_id if len(events) == 1 else ""
        with logs.bind_correlation(correlation):
            results = await self._apply(consumer, events) if events else []
        judged += zip(owners, results, strict=True)
        for row, result in judged:
            await self._settle(consumer, row, result, token)
        return True

    async def _apply(self, consumer: Consumer, events: Sequence[Event]) -> list[Result]:
        """Apply, waiting through an outage for as long as the lease of the rows allows."""
        until = self._clock() + memory_rows.LEASE / 2
        alarmed = False
        while True:
            try:
                return await inbox.apply(consumer, events, self._clock)
            except Outage as error:
                if self._clock() >= until or self._stopping.is_set():
                    raise
                if not alarmed:
                    alarm("database_outage", queue=consumer.queue, error=str(error))
                alarmed = True
                await asyncio.sleep(_OUTAGE_SECONDS)

    async def _settle(self, consumer: Consumer, row: Any, result: Result, token: UUID) -> None:
        """Write what becomes of a row; done and waiting ones were released with the effect."""
        if result.outcome in (Outcome.DONE, Outcome.WAITING):
            return
        attempt = row.attempts + 1
        settlement = bus.settle(result, attempt, self._topology)
        bus.count(consumer.queue, settlement)
        values: dict[str, Any] = dict(inbox.RELEASED)
        if settlement is Settlement.LATER:
            pause = timedelta(seconds=delay_seconds(attempt, self._topology.delays))
            values |= {"due_at": self._clock() + pause, "attempts": attempt}
            values |= {"body": row.body, "signature": row.signature}
        if settlement is Settlement.BURY:
            kept = await self._bury(consumer.queue, row, result, attempt)
            values |= {"dead_at": self._clock(), "error": bus.reason_of(result), **kept}
        mine = (_rows.event_id == row.event_id) & (_rows.lease_token == token)
        async with transaction(consumer.db) as tx:
            await tx.execute(update(inbox.inbox).where(mine).values(**values))

    async def _bury(
        self, queue: str, row: Any, result: Result, attempt: int
    ) -> dict[str, bytes | str]:
        """Hand the letter to the store; return what its row keeps because nobody took it."""
        reason = bus.reason_of(result)
        letter = bus.dead_letter(queue, row.body, row.signature, attempt, reason, row.event_id)
        alarm("dead_letter", queue=queue, event_id=str(row.event_id), event_type=letter.type)
        if self._store_dead is None:
            return {"body": row.body, "signature": row.signature}
        await self._store_dead([letter])
        return {}


async def _wait(signal: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await signal.wait()
    except TimeoutError:
        return
