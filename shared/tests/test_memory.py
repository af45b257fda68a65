"""What the memory bus promises beyond the common class: its rows are the messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from doubles import NOW, SIGNER, Bank, make_event, make_letter, open_bank
from shared import conflict, inbox
from shared.bus import DeadLetter, Unroutable
from shared.clock import ManualClock, system_clock
from shared.crypto import Signer
from shared.db import Database, Tx, transaction
from shared.envelope import Event, decode
from shared.errors import Poison
from shared.inbox import Consumer
from shared.memory import MemoryBus
from shared.outbox import Letter
from shared.topology import MONEY, NOTIFIER, Topology

TOPOLOGY = Topology(
    frozenset({"core-billing", "notifier"}),
    delays=(1,),
    attempts_max=2,
    listeners={"payment.succeeded": (MONEY,), "payment.posted": (MONEY, NOTIFIER)},
)


@dataclass
class World:
    bus: MemoryBus
    bank: Bank
    dead: list[DeadLetter] = field(default_factory=list)

    async def attach(self, *, store: bool = True) -> None:
        await self.bus.consume(Consumer(MONEY, self.bank.db, self.bank.handle, batch_max=10))
        await self.bus.consume(Consumer(NOTIFIER, self.bank.db, self.bank.handle))
        if store:
            await self.bus.consume_dead(self.store)

    async def store(self, letters: Sequence[DeadLetter]) -> None:
        self.dead += letters

    async def row(self, event: Event) -> Any:
        return (await self.bank.rows()).get(event.id)

    async def buried(self, event: Event) -> Any:
        async def dead() -> bool:
            row = await self.row(event)
            return row is not None and row.dead_at is not None

        await until(dead)
        return await self.row(event)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until the condition holds; fails after the bound."""
    async with asyncio.timeout(20):
        while not await condition():  # noqa: ASYNC110 - it lives in a database
            await asyncio.sleep(0.01)


@pytest.fixture
async def world(sqlite_db: Database) -> AsyncIterator[World]:
    async with transaction(sqlite_db) as tx:
        await tx.run_sync(inbox.schema.create_all)
        await tx.run_sync(conflict.schema.create_all)
    made = World(MemoryBus(TOPOLOGY, SIGNER, system_clock), await open_bank(sqlite_db))
    yield made
    await made.bus.stop()
    await made.bus.close()


async def test_it_is_usable_only_while_every_deployed_queue_is_taken(world: World) -> None:
    await world.bus.open()
    assert not world.bus.usable()
    await world.bus.consume(Consumer(MONEY, world.bank.db, world.bank.handle))
    assert not world.bus.usable()
    (refused,) = await world.bus.publish([make_letter(make_event(1, kind="payment.posted"))])
    assert isinstance(refused, Unroutable)
    assert NOTIFIER in str(refused)
    assert await world.row(make_event(1, kind="payment.posted")) is None
    await world.bus.consume(Consumer(NOTIFIER, world.bank.db, world.bank.handle))
    assert world.bus.usable()
    await world.bus.stop()
    assert not world.bus.usable()


async def test_a_queue_without_consumer_takes_nothing(world: World) -> None:
    (refused,) = await world.bus.send(NOTIFIER, [make_letter(make_event(1))])
    assert isinstance(refused, Unroutable)


async def test_without_a_store_a_dead_row_keeps_its_bytes_and_can_be_replayed(
    world: World, counted: Any
) -> None:
    event = make_event(1)
    world.bank.fail = _fails
    await world.attach(store=False)
    await world.bus.publish([make_letter(event)])
    row = await world.buried(event)
    assert decode(row.body) == event
    assert row.signature == make_letter(event).signature
    assert "not today" in row.error
    assert (row.due_at, row.lease_token, row.done_at) == (None, None, None)
    assert counted("saldo_alarms_total", kind="dead_letter") == 1
    world.bank.fail = lambda _events: None
    await world.bus.send(MONEY, [Letter(row.event_id, event.type, row.body, row.signature)])

    async def applied() -> bool:
        return await world.bank.balance() == 100

    await until(applied)
    assert (await world.row(event)).dead_at is None


def _fails(_events: Sequence[Event]) -> None:
    raise ValueError("not today")


async def test_with_a_store_the_letter_has_moved_there(world: World) -> None:
    event = make_event(1)
    world.bank.fail = _fails
    await world.attach()
    await world.bus.publish([make_letter(event)])
    row = await world.buried(event)
    assert (row.body, row.signature) == (None, None)
    (letter,) = world.dead
    assert (letter.queue, letter.event_id, letter.type) == (MONEY, event.id, event.type)
    assert (letter.body, letter.attempts) == (make_letter(event).body, 2)
    assert "not today" in letter.reason


async def test_poison_that_can_be_read_is_buried_with_its_type(world: World) -> None:
    def poison(_events: Sequence[Event]) -> None:
        raise Poison("impossible")

    world.bank.fail = poison
    await world.attach()
    garbage = Letter(uuid4(), "payment.succeeded", b"{}", SIGNER.sign("event", b"{}"))
    await world.bus.publish([make_letter(make_event(1)), garbage])
    await world.buried(make_event(1))

    async def both() -> bool:
        return len(world.dead) == 2

    await until(both)
    assert {letter.type for letter in world.dead} == {"payment.succeeded", ""}


async def test_a_forgery_does_not_keep_the_true_event_out(world: World) -> None:
    forged = make_letter(make_event(1, 10**6), Signer(["somebody else's key"]))
    await world.attach()
    await world.bus.publish([forged])
    await world.buried(make_event(1))
    assert await world.bus.publish([make_letter(make_event(1))]) == [None]

    async def applied() -> bool:
        return await world.bank.balance() == 100

    await until(applied)


async def test_two_of_one_publication_that_disagree_are_a_conflict(
    world: World, counted: Any
) -> None:
    await world.attach()
    letters = [make_letter(make_event(1, amount)) for amount in (100, 900, 100)]
    assert await world.bus.publish(letters) == [None] * 3

    async def applied() -> bool:
        return await world.bank.balance() == 100

    await until(applied)
    async with transaction(world.bank.db) as tx:
        kept = (await tx.execute(select(conflict.event_conflict))).one()
    assert decode(kept.body) == make_event(1, 900)
    assert counted("saldo_alarms_total", kind="event_conflict") == 1


async def test_unreadable_bytes_under_a_known_id_spoil_no_batch(world: World, counted: Any) -> None:
    await world.attach()
    event = make_event(1)
    await world.bus.publish([make_letter(event)])
    broken = Letter(event.id, event.type, b"{}", SIGNER.sign("event", b"{}"))
    assert await world.bus.publish([broken, make_letter(make_event(2))]) == [None, None]

    async def applied() -> bool:
        return await world.bank.balance() == 200

    await until(applied)
    assert counted("saldo_alarms_total", kind="event_conflict") == 1


async def test_two_processes_on_one_database_apply_each_event_once(world: World) -> None:
    other = MemoryBus(TOPOLOGY, SIGNER, system_clock)
    await world.attach()
    for queue in (MONEY, NOTIFIER):
        await other.consume(Consumer(queue, world.bank.db, world.bank.handle, batch_max=7))
    letters = [make_letter(make_event(n)) for n in range(60)]
    for start in range(0, 60, 20):
        for bus in (world.bus, other):
            assert await bus.publish(letters[start : start + 20]) == [None] * 20

    async def idle() -> bool:
        rows = (await world.bank.rows()).values()
        return len(rows) == 60 and all(row.done_at and row.due_at is None for row in rows)

    await until(idle)
    await other.stop()
    assert await world.bank.balance() == 6000


async def test_an_outage_is_alarmed_once_while_it_lasts(world: World, counted: Any) -> None:
    tries = 0

    async def down(_tx: Tx, _events: Sequence[Event]) -> None:
        nonlocal tries
        tries += 1
        if tries <= 3:
            raise ConnectionResetError("away")

    bus = MemoryBus(TOPOLOGY, SIGNER, ManualClock(NOW))
    for queue in (MONEY, NOTIFIER):
        await bus.consume(Consumer(queue, world.bank.db, down))
    await bus.publish([make_letter(make_event(1))])

    async def done() -> bool:
        row = await world.row(make_event(1))
        return row is not None and row.done_at is not None

    await until(done)
    assert (await world.row(make_event(1))).attempts == 0
    assert counted("saldo_alarms_total", kind="database_outage") == 1
    await bus.stop()
