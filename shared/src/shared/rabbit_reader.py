"""Taking batches from a RabbitMQ queue and settling each message apart.

A batch is applied in one transaction. Then the bad messages are settled singly, and the highest
good delivery tag acknowledges the rest at once. Whatever leaves a message undecided closes the
channel: the broker gives it out again, and the inbox recognises what was already done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, Final, Protocol

import structlog
from aiormq.abc import DeliveredMessage

from shared import bus, inbox
from shared import log as logs
from shared.bus import DeadLetter, Settlement, StoreDead
from shared.clock import Clock
from shared.crypto import Signer
from shared.db import is_outage
from shared.errors import Poison
from shared.events import Event, decode, verified
from shared.inbox import Consumer, Outage, Outcome, Result
from shared.metrics import alarm
from shared.outbox import Letter
from shared.rabbit_link import BROKEN, Link
from shared.rabbit_tap import Tap, attempt_of, headers_of, signature_of, tag_of
from shared.topology import Topology, delay_seconds

HOLD: Final = timedelta(minutes=20)
"""How long messages are held through an outage; RabbitMQ takes them back after 30 minutes."""

PAUSE_SECONDS_MAX: Final = 5.0
_log = structlog.get_logger(__name__)

Send = Callable[[str, Sequence[Letter]], Awaitable[Sequence[Exception | None]]]


class Undecided(Exception):
    """A message could be neither finished nor sent on; its channel has to be closed."""


class Work(Protocol):
    """What is done with a batch: after `settle` every message of it is settled."""

    async def settle(self, tap: Tap, batch: Sequence[DeliveredMessage]) -> None:
        """Process and settle the batch, or raise to have the channel closed."""


class Reader:
    """Reads one queue in batches until stopped, through every loss of the connection."""

    def __init__(
        self, link: Link, queue: str, work: Work, batch_max: int, pace_seconds: float = 0.0
    ) -> None:
        self._link = link
        self._queue = queue
        self._work = work
        self._batch_max = batch_max
        self._pace_seconds = pace_seconds
        self._stopping = asyncio.Event()
        self._tap: Tap | None = None

    def stop(self) -> None:
        """Ask the reader to finish what it holds and return from `run`."""
        self._stopping.set()
        self.wake()

    def wake(self) -> None:
        """Make a waiting read look at what has changed."""
        if self._tap is not None:
            self._tap.wake()

    async def run(self) -> None:
        """Read; after a failure the channel is made again with growing pauses."""
        failures = 0
        while not self._stopping.is_set():
            try:
                await self._read()
                failures = 0
            except (*BROKEN, Undecided, Outage) as error:
                failures += 1
                _log.warning("bus.reader_broken", queue=self._queue, error=repr(error))
                await self._pause(failures)
            except Exception:  # a fault of ours must not end the reading of a queue for good
                failures += 1
                _log.exception("bus.reader_failed", queue=self._queue)
                alarm("reader_failed", queue=self._queue)
                await self._pause(failures)

    async def _pause(self, failures: int) -> None:
        await _sleep(self._stopping, min(PAUSE_SECONDS_MAX, 0.1 * 2 ** min(failures, 9)))

    async def _read(self) -> None:
        channel = await self._link.new_channel()
        broken, gone = asyncio.Event(), asyncio.Event()

        def closed(*_: object) -> None:
            broken.set()
            self.wake()

        def canceled(*_: object) -> None:
            # The queue itself is gone: only a new connection declares it again.
            gone.set()
            closed()

        try:
            underlay = await channel.get_underlay_channel()
            underlay.on_consumer_cancel_callbacks.add(canceled)
            await underlay.basic_qos(prefetch_count=2 * self._batch_max)
            tap = self._tap = Tap(underlay, self._queue)
            channel.close_callbacks.add(closed)
            await tap.open()
            begun = float("-inf")
            while not (self._stopping.is_set() and tap.empty):
                if self._stopping.is_set():
                    await tap.shut()
                if batch := await tap.take(self._batch_max, begun + self._pace_seconds):
                    begun = asyncio.get_running_loop().time()
                    await self._work.settle(tap, batch)
                if broken.is_set():
                    raise ConnectionError("the channel was closed")
        finally:
            self._tap = None
            await _close(channel)
            if gone.is_set():
                alarm("queue_deleted", queue=self._queue)
                await self._link.close()


class EventWork:
    """Applies events through the inbox."""

    def __init__(
        self, consumer: Consumer, topology: Topology, signer: Signer, clock: Clock, send: Send
    ) -> None:
        self._consumer = consumer
        self._topology = topology
        self._signer = signer
        self._clock = clock
        self._send = send

    async def settle(self, tap: Tap, batch: Sequence[DeliveredMessage]) -> None:
        """Apply the batch, settle the bad ones singly and the good ones at once."""
        events: list[Event] = []
        readable: list[DeliveredMessage] = []
        bad: list[tuple[DeliveredMessage, Result]] = []
        for message in batch:
            try:
                events.append(verified(self._signer, message.body, signature_of(message)))
                readable.append(message)
            except Poison as error:
                bad.append((message, Result(Outcome.POISON, error)))
        results = await self._apply(tap, events) if events else []
        good = 0
        for message, result in zip(readable, results, strict=True):
            if result.outcome in (Outcome.FAILED, Outcome.POISON):
                bad.append((message, result))
            else:
                good = max(good, tag_of(message))
        for message, result in bad:
            await self._settle_bad(tap, message, result)
        if good:
            await tap.ack(good, multiple=True)

    async def _apply(self, tap: Tap, events: Sequence[Event]) -> list[Result]:
        """Apply, waiting through an outage with the consumer shut; raises Outage after HOLD."""
        until = self._clock() + HOLD
        pause = 0.2
        with logs.bind_correlation(events[0].correlation_id if len(events) == 1 else ""):
            while True:
                try:
                    results = await inbox.apply(self._consumer, events, self._clock)
                    await tap.open()
                    return results
                except Outage as error:
                    if self._clock() >= until:
                        raise
                    if tap.flowing:
                        alarm("database_outage", queue=self._consumer.queue, error=str(error))
                    await tap.shut()
                    await asyncio.sleep(pause)
                    pause = min(PAUSE_SECONDS_MAX, pause * 2)

    async def _settle_bad(self, tap: Tap, message: DeliveredMessage, result: Result) -> None:
        attempt = attempt_of(message)
        settlement = bus.settle(result, attempt, self._topology)
        bus.count(self._consumer.queue, settlement)
        if settlement is Settlement.BURY:
            _log.error("bus.buried", queue=self._consumer.queue, reason=bus.reason_of(result))
            await tap.reject(tag_of(message))
            return
        event = decode(message.body)
        letter = Letter(event.id, event.type, message.body, signature_of(message), attempt + 1)
        pause = delay_seconds(attempt, self._topology.delays)
        (error,) = await self._send(f"{self._consumer.queue}.delay.{pause}", [letter])
        if error is not None:
            raise Undecided("the copy for a later attempt was not confirmed") from error
        await tap.ack(tag_of(message))


class DeadWork:
    """Keeps what reached the dead queue."""

    def __init__(self, store: StoreDead, topology: Topology) -> None:
        self._store = store
        self._prefix = f"{topology.namespace}." if topology.namespace else ""

    async def settle(self, tap: Tap, batch: Sequence[DeliveredMessage]) -> None:
        """Store the batch and take it off; raises Outage where the database is at fault."""
        try:
            await self._store([self._letter(message) for message in batch])
        except Exception as error:
            raise Outage(str(error)) if is_outage(error) else Undecided(str(error)) from error
        for message in batch:
            alarm("dead_letter", queue=self._letter(message).queue)
        await tap.ack(tag_of(batch[-1]), multiple=True)

    def _letter(self, message: DeliveredMessage) -> DeadLetter:
        queue, reason = _first_death(message)
        return bus.dead_letter(
            queue.removeprefix(self._prefix),
            message.body,
            signature_of(message),
            attempt_of(message),
            reason,
        )


def _first_death(message: DeliveredMessage) -> tuple[str, str]:
    """Return the queue in which the message died last, and why; the broker writes both."""
    deaths = headers_of(message).get("x-death")
    death = deaths[0] if isinstance(deaths, list) and deaths else {}
    known = death if isinstance(death, dict) else {}
    return str(known.get("queue", "")), str(known.get("reason", ""))


async def _close(channel: Any) -> None:
    try:
        await channel.close()
    except BROKEN as error:
        _log.info("bus.channel_close_failed", error=repr(error))


async def _sleep(stopping: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return
