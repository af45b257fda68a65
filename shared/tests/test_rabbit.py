"""RabbitMQ: hostile messages, lost connections and brokers that are not there."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel

from doubles import SIGNER, Bank, make_event, make_letter, open_bank
from shared import conflict, inbox
from shared.bus import DeadLetter, dead_letter
from shared.clock import system_clock
from shared.db import Database, transaction
from shared.inbox import Consumer
from shared.outbox import Letter
from shared.rabbit import RabbitBus
from shared.rabbit_link import named
from shared.topology import MONEY, Topology


@dataclass
class World:
    bus: RabbitBus
    bank: Bank
    topology: Topology
    raw: AbstractChannel
    dead: list[DeadLetter] = field(default_factory=list)

    async def store(self, letters: Sequence[DeadLetter]) -> None:
        self.dead += letters

    async def attach(self) -> None:
        await self.bus.open()
        await self.bus.consume(Consumer(MONEY, self.bank.db, self.bank.handle, batch_max=10))
        await self.bus.consume_dead(self.store)

    async def throw(self, body: bytes, headers: dict[str, Any]) -> None:
        """Put a message of any kind into the money queue, as a stranger with access could."""
        message = aio_pika.Message(body, headers=headers)
        await self.raw.default_exchange.publish(message, named(self.topology, MONEY))

    async def balance_is(self, expected: int) -> None:
        await until(lambda: self._balance_is(expected))

    async def _balance_is(self, expected: int) -> bool:
        return await self.bank.balance() == expected

    async def died(self, count: int) -> None:
        async def enough() -> bool:
            return len(self.dead) >= count

        await until(enough)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until the condition holds; fails after the bound."""
    async with asyncio.timeout(30):
        while not await condition():  # noqa: ASYNC110 - it lives elsewhere
            await asyncio.sleep(0.02)


@pytest.fixture
async def world(sqlite_db: Database, rabbitmq_url: str, bus_namespace: str) -> AsyncIterator[World]:
    async with transaction(sqlite_db) as tx:
        await tx.run_sync(inbox.schema.create_all)
        await tx.run_sync(conflict.schema.create_all)
    listeners = {"payment.succeeded": (MONEY,)}
    services = frozenset({"core-billing"})
    topology = Topology(services, bus_namespace, (1,), attempts_max=2, listeners=listeners)
    bus = RabbitBus(rabbitmq_url, topology, SIGNER, system_clock)
    connection = await aio_pika.connect(rabbitmq_url)
    async with connection:
        made = World(bus, await open_bank(sqlite_db), topology, await connection.channel())
        yield made
        await bus.stop()
        await bus.close()


class Raw(str):
    """A text that another client library sends as bytes which are no text."""

    __slots__ = ()

    def encode(self, *_arguments: Any) -> bytes:
        return b"\xff\xfe"


HOSTILE: dict[str, tuple[bytes, dict[str, Any]]] = {
    "no headers": (make_letter(make_event(90)).body, {}),
    "a signature that is no text": (b"{}", {"saldo-signature": Raw()}),
    "a signature of bytes": (b"{}", {"saldo-signature": bytearray(b"\xff")}),
    "a signature that is a number": (b"{}", {"saldo-signature": 7}),
    "an attempt that is no number": (b"{}", {"saldo-attempt": "many"}),
    "an attempt beyond all counting": (b"{}", {"saldo-attempt": 2**62}),
    "a negative attempt": (b"{}", {"saldo-attempt": -5}),
    "zero bytes": (b'{"type":"\\u0000"}', {"saldo-signature": "\x00"}),
    "nothing at all": (b"", {}),
}


async def test_no_message_of_a_stranger_stops_the_reading(world: World) -> None:
    await world.attach()
    for body, headers in HOSTILE.values():
        await world.throw(body, headers)
    assert await world.bus.publish([make_letter(make_event(1))]) == [None]
    await world.balance_is(100)
    await world.died(len(HOSTILE))
    assert sorted(letter.body for letter in world.dead) == sorted(b for b, _ in HOSTILE.values())
    assert {(letter.queue, letter.reason) for letter in world.dead} == {(MONEY, "rejected")}
    assert all("\x00" not in letter.signature + letter.type for letter in world.dead)
    known = [(letter.event_id, letter.type) for letter in world.dead if letter.type]
    assert known == [(make_event(90).id, "payment.succeeded")]


async def test_a_fault_of_ours_ends_the_reading_for_a_moment_only(
    world: World, monkeypatch: pytest.MonkeyPatch, counted: Any
) -> None:
    original, faults = inbox.apply, [KeyError("a fault of ours"), AttributeError("another")]

    async def apply(*arguments: Any) -> Any:
        if faults:
            raise faults.pop()
        return await original(*arguments)

    monkeypatch.setattr(inbox, "apply", apply)
    await world.attach()
    await world.bus.publish([make_letter(make_event(1))])
    await world.balance_is(100)
    assert counted("saldo_alarms_total", kind="reader_failed") == 2


async def test_dead_letters_stay_in_the_queue_until_they_are_stored(world: World) -> None:
    refusals = [ValueError("data"), ConnectionResetError("the database went away")]
    original = world.store

    async def store(letters: Sequence[DeadLetter]) -> None:
        if refusals:
            raise refusals.pop()
        await original(letters)

    world.store = store  # type: ignore[method-assign]
    await world.attach()
    await world.throw(b"{}", {})
    await world.died(1)
    assert refusals == []
    assert [letter.body for letter in world.dead] == [b"{}"]


async def test_after_a_lost_connection_it_goes_on(world: World) -> None:
    await world.attach()
    await world.bus.publish([make_letter(make_event(1))])
    await world.balance_is(100)
    for link in (world.bus._in, world.bus._out):
        await link.close()
    assert not world.bus.usable()
    assert await world.bus.publish([make_letter(make_event(2))]) == [None]
    assert world.bus.usable()
    await world.balance_is(200)


async def test_a_queue_that_was_deleted_is_declared_again(world: World, counted: Any) -> None:
    await world.attach()
    await world.bus.publish([make_letter(make_event(1))])
    await world.balance_is(100)
    await world.raw.queue_delete(named(world.topology, MONEY))

    async def published() -> bool:
        return await world.bus.publish([make_letter(make_event(2))]) == [None]

    await until(published)

    async def arrived() -> bool:
        # A broker may confirm what goes down with a queue that it is still deleting.
        await published()
        return await world.bank.balance() == 200

    await until(arrived)
    assert counted("saldo_alarms_total", kind="queue_deleted") == 1


async def test_what_no_queue_takes_declares_the_queues_again(world: World) -> None:
    """The consumer is away, so only the publisher can notice."""
    await world.bus.open()
    await world.raw.queue_delete(named(world.topology, MONEY))
    letters = [make_letter(make_event(1))]
    (refused,) = await world.bus.publish(letters)
    assert refused is not None
    assert await world.bus.publish(letters) == [None]


async def test_a_broker_that_is_not_there_is_waited_for(counted: Any) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"amqp://guest:hidden@127.0.0.1:{unused.getsockname()[1]}/"
        bus = RabbitBus(url, Topology(frozenset({"core-billing"})), SIGNER, system_clock)
        await bus.open()
        assert not bus.usable()
        letters = [make_letter(make_event(n)) for n in range(3)]
        outcomes = await bus.publish(letters)
        assert [isinstance(outcome, OSError) for outcome in outcomes] == [True] * 3
        assert "hidden" not in repr(outcomes)
        await bus.stop()
        await bus.close()
    assert counted("saldo_alarms_total", kind="bus_unreachable") == 1


async def test_a_letter_that_nobody_takes_spoils_no_batch(world: World) -> None:
    await world.bus.open()
    unknown = Letter(make_event(1).id, "payment.unheard_of", b"{}", "")
    outcomes = await world.bus.publish([make_letter(make_event(2)), unknown])
    assert outcomes[0] is None
    assert isinstance(outcomes[1], Exception)
    missing = await world.bus.send("no-such-queue", [make_letter(make_event(3))])
    assert isinstance(missing[0], Exception)


def test_a_dead_letter_says_what_can_be_read_of_it() -> None:
    event = make_event(1)
    letter = dead_letter(MONEY, make_letter(event).body, "s", 3, "failed\x00")
    assert letter == DeadLetter(
        MONEY, event.id, event.type, make_letter(event).body, "s", 3, "failed\ufffd"
    )
    assert dead_letter(MONEY, b"?", "", 1, "").event_id is None
    assert dead_letter(MONEY, b"?", "", 1, "", event.id).event_id == event.id
