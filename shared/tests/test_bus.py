"""One class of tests for both buses: RabbitMQ and the memory bus keep the same promises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import BigInteger, Column, Table, Text, insert, select

from shared import conflict, inbox, outbox
from shared.bus import Bus, DeadLetter, Unroutable
from shared.clock import system_clock
from shared.crypto import Signer
from shared.db import Database, Tx, metadata, open_database, transaction
from shared.errors import Poison
from shared.events import Event, encode, event_id, sign
from shared.inbox import Consumer
from shared.memory import MemoryBus
from shared.outbox import Letter
from shared.rabbit import RabbitBus
from shared.topology import Topology

SIGNER = Signer(["a key of the bus tests"])
AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
MONEY, NOTIFIER = "core-billing.money", "notifier"

schema = metadata()
effect = Table("effect", schema, Column("event_id", Text), Column("amount", BigInteger))


def make_event(number: int, amount: int = 65_000, kind: str = "payment.succeeded") -> Event:
    """Return the event of payment `number`; the amount is not part of its id."""
    subject = f"payment-{number}"
    identity = event_id("gateway", kind, subject, "1")
    data = {"amount_kopecks": amount}
    return Event(identity, "gateway", kind, subject, AT, "1", "correlation", data)


def make_letter(event: Event, signer: Signer = SIGNER) -> Letter:
    body = encode(event)
    return Letter(event.id, event.type, body, sign(signer, body))


@dataclass
class Ledger:
    """A consumer that notes each effect, and misbehaves where it is told to."""

    db: Database
    fail: set[UUID] = field(default_factory=set)
    poison: set[UUID] = field(default_factory=set)
    attempts: dict[UUID, int] = field(default_factory=dict)
    repeats: list[UUID] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    block: asyncio.Event | None = None
    started: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, tx: Tx, events: Sequence[Event]) -> None:
        self.started.set()
        if self.block is not None:
            await self.block.wait()
        for event in events:
            if len(events) == 1:
                self.attempts[event.id] = self.attempts.get(event.id, 0) + 1
            row = {"event_id": str(event.id), "amount": event.data["amount_kopecks"]}
            await tx.execute(insert(effect).values(row))
            if event.id in self.fail:
                raise ValueError("the handler fails on this one")
            if event.id in self.poison:
                raise Poison("impossible")

    async def repeated(self, _tx: Tx, events: Sequence[Event]) -> None:
        self.repeats += [event.id for event in events]

    async def store_dead(self, letters: Sequence[DeadLetter]) -> None:
        self.dead += letters

    async def effects(self) -> list[str]:
        async with transaction(self.db) as tx:
            return list((await tx.execute(select(effect.c.event_id))).scalars())


@dataclass
class World:
    """A bus with one consumer on the money queue."""

    bus: Bus
    ledger: Ledger
    topology: Topology
    make_bus: Callable[[], Bus]

    async def start(self) -> None:
        await self.bus.open()
        await self.attach(self.bus)

    async def attach(self, bus: Bus) -> None:
        ledger = self.ledger
        await bus.consume(Consumer(MONEY, ledger.db, ledger.handle, ledger.repeated, batch_max=10))
        await bus.consume_dead(ledger.store_dead)


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 20.0) -> None:
    """Wait until the condition holds; fails after the bound."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - it lives in a database
            await asyncio.sleep(0.01)


@pytest.fixture(params=["memory", pytest.param("rabbit", marks=pytest.mark.connected)])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    db = open_database(f"sqlite+aiosqlite:///{tmp_path}/bus.db")
    async with transaction(db) as tx:
        for made in (schema, inbox.schema, outbox.schema, conflict.schema):
            await tx.run_sync(made.create_all)
    namespace = request.getfixturevalue("bus_namespace") if request.param == "rabbit" else ""
    topology = Topology(
        frozenset({"core-billing"}),
        namespace,
        delays=(1,),
        attempts_max=3,
        listeners={"payment.succeeded": (MONEY,), "balance.low": (NOTIFIER,)},
    )

    def make_bus() -> Bus:
        if request.param == "memory":
            return MemoryBus(topology, SIGNER, system_clock)
        url = request.getfixturevalue("rabbitmq_url")
        return RabbitBus(url, topology, SIGNER, system_clock)

    made_world = World(make_bus(), Ledger(db), topology, make_bus)
    yield made_world
    await made_world.bus.stop()
    await made_world.bus.close()
    await db.close()


class TestBus:
    """What every bus promises."""

    async def test_each_event_takes_effect_once(self, world: World) -> None:
        await world.start()
        events = [make_event(n) for n in range(30)]
        outcomes = await world.bus.publish([make_letter(event) for event in events])
        assert outcomes == [None] * 30

        async def all_there() -> bool:
            return len(await world.ledger.effects()) >= 30

        await until(all_there)
        assert sorted(await world.ledger.effects()) == sorted(str(e.id) for e in events)

    async def test_a_repeat_has_no_second_effect_and_is_reported(self, world: World) -> None:
        await world.start()
        letter = make_letter(make_event(1))
        await world.bus.publish([letter])

        async def applied() -> bool:
            return len(await world.ledger.effects()) == 1

        await until(applied)
        await world.bus.publish([letter])

        async def reported() -> bool:
            return world.ledger.repeats == [letter.event_id]

        await until(reported)
        assert len(await world.ledger.effects()) == 1

    async def test_one_bad_event_does_not_sink_the_batch(self, world: World) -> None:
        await world.start()
        events = [make_event(n) for n in range(10)]
        world.ledger.fail.add(events[4].id)
        await world.bus.publish([make_letter(event) for event in events])

        async def nine() -> bool:
            return len(await world.ledger.effects()) == 9

        await until(nine)
        assert str(events[4].id) not in await world.ledger.effects()

    async def test_failed_work_is_repeated_later_and_then_applied(self, world: World) -> None:
        await world.start()
        event = make_event(1)
        world.ledger.fail.add(event.id)
        await world.bus.publish([make_letter(event)])

        async def tried() -> bool:
            return world.ledger.attempts.get(event.id, 0) >= 1

        await until(tried)
        world.ledger.fail.clear()

        async def applied() -> bool:
            return await world.ledger.effects() == [str(event.id)]

        await until(applied)

    async def test_after_the_last_attempt_it_is_dead_and_a_replay_applies_it(
        self, world: World
    ) -> None:
        await world.start()
        event = make_event(1)
        world.ledger.fail.add(event.id)
        await world.bus.publish([make_letter(event)])

        async def dead() -> bool:
            return len(world.ledger.dead) == 1

        await until(dead)
        (letter,) = world.ledger.dead
        assert world.ledger.attempts[event.id] == world.topology.attempts_max
        assert (letter.queue, letter.event_id, letter.attempts) == (MONEY, event.id, 3)
        assert await world.ledger.effects() == []
        world.ledger.fail.clear()
        again = Letter(event.id, letter.type, letter.body, letter.signature)
        assert await world.bus.send(letter.queue, [again]) == [None]

        async def applied() -> bool:
            return await world.ledger.effects() == [str(event.id)]

        await until(applied)

    @pytest.mark.parametrize("forged", ["other key", "unsigned", "not an event"])
    async def test_what_is_not_ours_is_dead_at_once(self, world: World, forged: str) -> None:
        await world.start()
        honest = make_letter(make_event(1))
        letter = {
            "other key": make_letter(make_event(1), Signer(["somebody else's key"])),
            "unsigned": Letter(honest.event_id, honest.type, honest.body, ""),
            "not an event": Letter(uuid4(), honest.type, b"{}", SIGNER.sign("event", b"{}")),
        }[forged]
        await world.bus.publish([letter])

        async def dead() -> bool:
            return len(world.ledger.dead) == 1

        await until(dead)
        assert world.ledger.dead[0].body == letter.body
        assert world.ledger.attempts == {}
        assert await world.ledger.effects() == []

    async def test_poison_found_by_the_handler_is_dead_at_once(self, world: World) -> None:
        await world.start()
        event = make_event(1)
        world.ledger.poison.add(event.id)
        await world.bus.publish([make_letter(event)])

        async def dead() -> bool:
            return len(world.ledger.dead) == 1

        await until(dead)
        assert world.ledger.attempts[event.id] == 1

    async def test_the_same_id_with_other_data_is_a_conflict(self, world: World) -> None:
        await world.start()
        await world.bus.publish([make_letter(make_event(1, 65_000))])

        async def applied() -> bool:
            return len(await world.ledger.effects()) == 1

        await until(applied)
        await world.bus.publish([make_letter(make_event(1, 99_000))])

        async def kept() -> bool:
            async with transaction(world.ledger.db) as tx:
                rows = await tx.execute(select(conflict.event_conflict.c.event_id))
                return list(rows.scalars()) == [make_event(1).id]

        await until(kept)
        assert len(await world.ledger.effects()) == 1
        assert world.ledger.repeats == []

    async def test_what_nobody_takes_is_refused(self, world: World) -> None:
        await world.start()
        unknown = make_letter(make_event(1, kind="payment.unheard_of"))
        known = make_letter(make_event(2))
        outcomes = await world.bus.publish([unknown, known])
        assert isinstance(outcomes[0], Exception)
        assert outcomes[1] is None

    async def test_what_was_published_before_a_restart_is_applied_after_it(
        self, world: World
    ) -> None:
        await world.start()
        world.ledger.block = asyncio.Event()
        letters = [make_letter(make_event(n)) for n in range(25)]
        assert await world.bus.publish(letters) == [None] * 25
        await asyncio.wait_for(world.ledger.started.wait(), 10)
        stopping = asyncio.create_task(world.bus.stop())
        world.ledger.block.set()
        await stopping
        await world.bus.close()
        world.bus = world.make_bus()
        await world.start()

        async def all_there() -> bool:
            return len(await world.ledger.effects()) == 25

        await until(all_there)

    async def test_stopping_finishes_the_batch_in_hand(self, world: World) -> None:
        await world.start()
        world.ledger.block = asyncio.Event()
        await world.bus.publish([make_letter(make_event(1))])
        await asyncio.wait_for(world.ledger.started.wait(), 10)
        stopping = asyncio.create_task(world.bus.stop())
        await asyncio.sleep(0)
        world.ledger.block.set()
        await stopping
        assert len(await world.ledger.effects()) == 1

    async def test_an_outage_costs_no_attempt(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await world.start()
        down = {"now": True, "seen": 0}
        original = world.ledger.handle

        async def handle(tx: Tx, events: Sequence[Event]) -> None:
            if down["now"]:
                down["seen"] += 1
                raise ConnectionResetError("the database went away")
            await original(tx, events)

        monkeypatch.setattr(world.ledger, "handle", handle)
        await world.bus.stop()
        await world.bus.close()
        world.bus = world.make_bus()
        await world.start()
        await world.bus.publish([make_letter(make_event(1))])

        async def noticed() -> bool:
            return down["seen"] > world.topology.attempts_max - 1

        await until(noticed)
        down["now"] = False

        async def applied() -> bool:
            return len(await world.ledger.effects()) == 1

        await until(applied)
        assert world.ledger.dead == []


async def test_the_memory_bus_refuses_before_a_consumer_is_attached() -> None:
    topology = Topology(frozenset({"core-billing"}))
    memory = MemoryBus(topology, SIGNER, system_clock)
    (error,) = await memory.publish([make_letter(make_event(1))])
    assert isinstance(error, Unroutable)
