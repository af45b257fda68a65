"""What tests ask of a broker behind the services' back: does it answer, purge, delete."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import aiormq
import aiormq.abc
from aiormq.channel import Channel


async def answers(url: str) -> bool:
    """Say whether a broker accepts our credentials at an address."""
    try:
        async with _channel(url):
            return True
    except (OSError, aiormq.exceptions.AMQPError):
        return False


async def purge(url: str, queue: str) -> int:
    """Throw away all ready messages of a queue and return how many there were."""
    async with _channel(url) as channel:
        return (await channel.queue_purge(queue)).message_count or 0


async def depth(url: str, queue: str) -> int:
    """Return how many ready messages a queue holds; those in a consumer's hands do not count."""
    async with _channel(url) as channel:
        return (await channel.queue_declare(queue, passive=True)).message_count or 0


async def delete(url: str, queues: Iterable[str], exchanges: Iterable[str]) -> None:
    """Delete queues with what they hold, and exchanges; names that do not exist are fine."""
    async with _channel(url) as channel:
        for queue in queues:
            await channel.queue_delete(queue)
        for exchange in exchanges:
            await channel.exchange_delete(exchange)


@dataclass
class Declared:
    """The names that this process has declared on brokers."""

    queues: set[str] = field(default_factory=set)
    exchanges: set[str] = field(default_factory=set)


@contextmanager
def recorded(namespace: str) -> Iterator[Declared]:
    """Collect the names below a namespace that are declared by this process in the block."""
    declared = Declared()
    declare_queue, declare_exchange = Channel.queue_declare, Channel.exchange_declare

    async def queue(self: Channel, queue: str = "", **options: Any) -> Any:
        if queue.startswith(namespace):
            declared.queues.add(queue)
        return await declare_queue(self, queue, **options)

    async def exchange(self: Channel, exchange: str = "", **options: Any) -> Any:
        if exchange.startswith(namespace):
            declared.exchanges.add(exchange)
        return await declare_exchange(self, exchange, **options)

    with (
        patch.object(Channel, "queue_declare", queue),
        patch.object(Channel, "exchange_declare", exchange),
    ):
        yield declared


def names_below(namespace: str) -> Declared:
    """Ask the local broker's own tool what exists below a namespace; nothing where it is silent.

    Finds what other processes declared, which AMQP alone cannot list.
    """
    declared = Declared()
    if shutil.which("rabbitmqctl"):
        declared.queues.update(_listed("list_queues", namespace))
        declared.exchanges.update(_listed("list_exchanges", namespace))
    return declared


def _listed(command: str, namespace: str) -> list[str]:
    asked = subprocess.run(
        ["rabbitmqctl", "--quiet", "--timeout", "10", command, "name"],
        check=False,
        capture_output=True,
        text=True,
    )
    return [name for name in asked.stdout.split() if name.startswith(namespace)]


@asynccontextmanager
async def _channel(url: str) -> AsyncIterator[aiormq.abc.AbstractChannel]:
    connection = await aiormq.connect(url)
    try:
        yield await connection.channel()
    finally:
        await connection.close()
