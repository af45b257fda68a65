"""One connection to RabbitMQ, and the topology that everybody declares on it.

The rules were found by failures that were reproduced. A message published before its queue exists
is confirmed and lost, so every process declares everything. An unroutable one is confirmed too
unless it is mandatory. A requeued one burns its delivery limit in milliseconds, so failed work
travels as a copy through a delay queue.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, DeliveryMode
from aio_pika.exceptions import AMQPException

from shared.events import CONTENT_TYPE
from shared.outbox import Letter
from shared.topology import DEAD, Topology

EXCHANGE: Final = "billing"
LENGTH_MAX: Final = 1_000_000
DELIVERY_LIMIT: Final = 200
CONNECT_SECONDS: Final = 10.0
HEARTBEAT_SECONDS: Final = 15
SIGNATURE: Final = "saldo-signature"
ATTEMPT: Final = "saldo-attempt"

BROKEN: Final = (AMQPException, OSError, TimeoutError, asyncio.InvalidStateError, RuntimeError)
"""What a lost or closing connection raises in this client library."""

_log = structlog.get_logger(__name__)


class Link:
    """One connection with one publishing channel, made again when it has broken."""

    def __init__(self, url: str, topology: Topology, name: str) -> None:
        self._url = url
        self._topology = topology
        self._name = name
        self._lock = asyncio.Lock()
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None

    def usable(self) -> bool:
        """Say whether the channel is open as far as this side knows."""
        return self._channel is not None and not self._channel.is_closed

    async def channel(self) -> AbstractChannel:
        """Return the publishing channel, connecting where necessary; raises one of BROKEN."""
        async with self._lock:
            if self._channel is None or self._channel.is_closed:
                self._connection, self._channel = await self._connect()
            return self._channel

    async def new_channel(self) -> AbstractChannel:
        """Open a further channel of the same connection."""
        _ = await self.channel()
        if self._connection is None:
            raise ConnectionError("the connection was closed meanwhile")
        return await self._connection.channel(publisher_confirms=False)

    async def close(self) -> None:
        """Close the connection; a broken one is only forgotten."""
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            try:
                await asyncio.wait_for(connection.close(), CONNECT_SECONDS)
            except BROKEN as error:
                _log.info("bus.close_failed", error=repr(error))

    async def _connect(self) -> tuple[AbstractConnection, AbstractChannel]:
        await self.close()
        url = f"{self._url}{'&' if '?' in self._url else '?'}heartbeat={HEARTBEAT_SECONDS}"
        async with asyncio.timeout(CONNECT_SECONDS):
            connection = await aio_pika.connect(
                url, client_properties={"connection_name": self._name}
            )
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            await declare(channel, self._topology)
        _log.info("bus.connected", link=self._name)
        return connection, channel


async def declare(channel: AbstractChannel, topology: Topology) -> None:
    """Declare exchange, work queues, delay queues and the dead queue of the deployed services."""
    exchange = await channel.declare_exchange(
        named(topology, EXCHANGE), aio_pika.ExchangeType.TOPIC, durable=True
    )
    await channel.declare_queue(
        named(topology, DEAD),
        durable=True,
        arguments={"x-queue-type": "quorum", "x-delivery-limit": LENGTH_MAX},
    )
    for queue in topology.queues():
        work = await _declare(channel, named(topology, queue), named(topology, DEAD))
        for kind in topology.listeners:
            if queue in topology.bound(kind):
                await work.bind(exchange, routing_key=kind)
        for seconds in dict.fromkeys(topology.delays):
            delay = delay_queue(topology, queue, seconds)
            await _declare(channel, delay, named(topology, queue), ttl_seconds=seconds)


async def _declare(
    channel: AbstractChannel, name: str, dead_letters_to: str, ttl_seconds: int | None = None
) -> Any:
    arguments: dict[str, Any] = {
        "x-queue-type": "quorum",
        "x-overflow": "reject-publish",
        "x-max-length": LENGTH_MAX,
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": dead_letters_to,
        "x-dead-letter-strategy": "at-least-once",
    }
    if ttl_seconds is not None:
        arguments["x-message-ttl"] = ttl_seconds * 1000
    return await channel.declare_queue(name, durable=True, arguments=arguments)


def named(topology: Topology, name: str) -> str:
    """Return the name of an exchange or queue within this installation's namespace."""
    return f"{topology.namespace}.{name}" if topology.namespace else name


def delay_queue(topology: Topology, queue: str, seconds: int) -> str:
    """Return the queue in which failed work of another queue waits that long."""
    return named(topology, f"{queue}.delay.{seconds}")


def message(letter: Letter) -> aio_pika.Message:
    """Return a letter as a persistent message that carries its signature and attempt."""
    return aio_pika.Message(
        letter.body,
        content_type=CONTENT_TYPE,
        delivery_mode=DeliveryMode.PERSISTENT,
        message_id=str(letter.event_id),
        type=letter.type,
        headers={SIGNATURE: letter.signature, ATTEMPT: letter.attempt},
    )
