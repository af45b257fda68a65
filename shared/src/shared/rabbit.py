"""RabbitMQ as the bus of several processes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from aiormq.exceptions import PublishError

from shared.bus import StoreDead
from shared.clock import Clock
from shared.crypto import Signer
from shared.inbox import Consumer
from shared.metrics import alarm
from shared.outbox import Letter
from shared.rabbit_link import BROKEN, EXCHANGE, Link, message, named
from shared.rabbit_reader import DeadWork, EventWork, Reader, Work
from shared.topology import DEAD, Topology

PUBLISH_SECONDS: Final = 15.0
STOP_SECONDS: Final = 20.0
_DEAD_BATCH_MAX: Final = 50


class RabbitBus:
    """A bus of several processes; publishes on one connection and consumes on another."""

    def __init__(
        self, url: str, topology: Topology, signer: Signer, clock: Clock, name: str = "saldo"
    ) -> None:
        self._topology = topology
        self._signer = signer
        self._clock = clock
        self._out = Link(url, topology, f"{name}:publish")
        self._in = Link(url, topology, f"{name}:consume")
        self._tasks: list[asyncio.Task[None]] = []
        self._readers: list[Reader] = []

    async def open(self) -> None:
        """Connect and declare; a broker that is not there yet is waited for in the background."""
        try:
            _ = await self._out.channel()
        except BROKEN as error:
            alarm("bus_unreachable", error=repr(error))

    def usable(self) -> bool:
        """Say whether the publishing channel is open."""
        return self._out.usable()

    async def publish(self, letters: Sequence[Letter]) -> Sequence[Exception | None]:
        """Publish by type, mandatory and confirmed; one outcome a letter."""
        exchange = named(self._topology, EXCHANGE)
        return await self._publish(exchange, [(letter.type, letter) for letter in letters])

    async def send(self, queue: str, letters: Sequence[Letter]) -> Sequence[Exception | None]:
        """Publish straight to a queue."""
        key = named(self._topology, queue)
        return await self._publish("", [(key, letter) for letter in letters])

    async def consume(self, consumer: Consumer) -> None:
        """Take events from a queue until `stop`, through every loss of the broker."""
        work = EventWork(consumer, self._topology, self._signer, self._clock, self.send)
        self._start(consumer.queue, work, consumer.batch_max, consumer.pace_seconds)

    async def consume_dead(self, store: StoreDead) -> None:
        """Store what reaches the dead queue, and only then take it off."""
        self._start(DEAD, DeadWork(store, self._topology), _DEAD_BATCH_MAX)

    async def stop(self) -> None:
        """Cancel every consumer, and wait until what is held is settled."""
        for reader in self._readers:
            reader.stop()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=STOP_SECONDS)
            for task in late:
                task.cancel()
        self._tasks.clear()

    async def close(self) -> None:
        """Close both connections."""
        await self._in.close()
        await self._out.close()

    def _start(self, queue: str, work: Work, batch_max: int, pace_seconds: float = 0.0) -> None:
        name = named(self._topology, queue)
        reader = Reader(self._in, name, work, batch_max, pace_seconds)
        self._readers.append(reader)
        self._tasks.append(asyncio.create_task(reader.run(), name=f"rabbit:{queue}"))

    async def _publish(
        self, exchange: str, keyed: Sequence[tuple[str, Letter]]
    ) -> Sequence[Exception | None]:
        try:
            channel = await self._out.channel()
            target = await channel.get_exchange(exchange, ensure=False)
        except BROKEN as error:
            return [error] * len(keyed)
        confirms = await asyncio.gather(
            *(
                target.publish(message(letter), key, mandatory=True, timeout=PUBLISH_SECONDS)
                for key, letter in keyed
            ),
            return_exceptions=True,
        )
        outcomes = [_failure(confirm) for confirm in confirms]
        if any(isinstance(outcome, PublishError) for outcome in outcomes):
            # Returned: nobody's queue is bound to it. A new connection declares what is missing.
            await self._out.close()
        return outcomes


def _failure(confirm: Any) -> Exception | None:
    if isinstance(confirm, Exception):
        return confirm
    if isinstance(confirm, BaseException):
        raise confirm
    return None
