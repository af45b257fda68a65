"""The relay: every due event is published at least once, and no lease is held by two."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from doubles import NOW, PRODUCER, Broker, Speaker, make_event
from shared import outbox
from shared.db import Database, transaction
from shared.outbox import BATCH_MAX, LEASE, Letter

ROWS = outbox.outbox.c


@pytest.fixture
def world(bus_db: Database) -> Speaker:
    return Speaker(bus_db)


async def test_what_was_refused_comes_again_later_and_later(world: Speaker, counted: Any) -> None:
    await world.say(make_event(1), make_event(2))
    world.broker.refused = {make_event(1).id}
    pauses = []
    for attempt in range(1, 8):
        assert await world.relay() is False
        assert world.broker.given[-1][0].attempt == attempt
        row = (await world.rows())[0]
        assert (row.attempts, row.sent_at, row.lease_token) == (attempt, None, None)
        pauses.append((row.due_at - world.clock()).total_seconds())
        world.clock.advance(row.due_at - world.clock() - timedelta(microseconds=1))
        assert await world.relay() is False
        assert len(world.broker.given) == attempt
        world.clock.advance(timedelta(microseconds=1))
    assert pauses == [1, 2, 5, 15, 60, 60, 60]
    assert world.broker.ids.count(make_event(2).id) == 1
    assert counted("saldo_alarms_total", kind="outbox_refused") == 7
    world.broker.refused.clear()
    await world.relay()
    assert [row.sent_at is None for row in await world.rows()] == [False, False]


async def test_killed_between_publishing_and_marking_it_publishes_again(world: Speaker) -> None:
    await world.say(make_event(1))
    with pytest.raises(ConnectionResetError):
        await world.relay(Broker(breaks=True))
    await world.relay()
    assert world.broker.given == []
    world.clock.advance(LEASE - timedelta(microseconds=1))
    await world.relay()
    assert world.broker.given == []
    world.clock.advance(timedelta(microseconds=1))
    await world.relay()
    assert world.broker.ids == [make_event(1).id]
    assert world.broker.given[0][0].attempt == 1


async def test_a_publisher_that_answers_for_too_few_is_a_fault_not_a_success(
    world: Speaker,
) -> None:
    await world.say(make_event(1), make_event(2))

    class Forgetful(Broker):
        async def publish(self, letters: Sequence[Letter]) -> Sequence[Exception | None]:
            return (await super().publish(letters))[:1]

    with pytest.raises(ValueError, match="shorter"):
        await world.relay(Forgetful())
    assert [row.sent_at for row in await world.rows()] == [None, None]


async def test_relays_and_those_who_say_again_do_not_stop_each_other(
    world: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They lock the same rows, each in the order of its own statement."""
    monkeypatch.setattr(outbox, "BATCH_MAX", 50)
    events = [make_event(number) for number in range(60)]
    await world.say(*events)

    async def say_again(seed: int) -> None:
        some = random.Random(seed)
        for _ in range(15):
            async with transaction(world.db) as tx:
                ids = [event.id for event in some.sample(events, 40)]
                await outbox.say_again(tx, ids, world.clock())

    async def relay() -> None:
        for _ in range(15):
            await world.relay()

    await asyncio.gather(say_again(1), relay(), say_again(2), relay())
    while any(row.sent_at is None for row in await world.rows()):
        world.clock.advance(LEASE)
        await world.relay()
    assert set(world.broker.ids) == {event.id for event in events}


async def test_who_lost_the_lease_marks_nothing(world: Speaker) -> None:
    other = Broker()

    class Slow(Broker):
        async def publish(self, letters: Sequence[Letter]) -> Sequence[Exception | None]:
            world.clock.advance(LEASE)
            await world.relay(other)
            return await super().publish(letters)

    await world.say(make_event(1), make_event(2))
    slow = Slow(refused={make_event(1).id})
    await world.relay(slow)
    assert set(slow.ids) == set(other.ids) == {make_event(1).id, make_event(2).id}
    rows = await world.rows()
    assert [(row.sent_at, row.attempts) for row in rows] == [(NOW + LEASE, 0)] * 2


async def test_four_relays_publish_each_event_once(
    world: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "BATCH_MAX", 7)
    events = [make_event(n) for n in range(200)]
    await world.say(*events)

    async def work() -> None:
        while await world.relay():
            pass

    await asyncio.gather(*(work() for _ in range(4)))
    await work()
    assert sorted(world.broker.ids) == sorted(event.id for event in events)
    assert max(len(batch) for batch in world.broker.given) == 7


async def test_a_batch_is_bounded_and_says_when_more_waits(world: Speaker) -> None:
    await world.say(*(make_event(n) for n in range(BATCH_MAX + 1)))
    assert [await world.relay(), await world.relay(), await world.relay()] == [True, False, False]
    assert [len(batch) for batch in world.broker.given] == [BATCH_MAX, 1]


async def test_the_longest_due_go_first_and_none_before_its_time(world: Speaker) -> None:
    async with transaction(world.db) as tx:
        for number in range(BATCH_MAX + 1):
            due = NOW + timedelta(seconds=BATCH_MAX - number)
            await outbox.add(tx, PRODUCER, [make_event(number)], due)
    await world.relay()
    assert world.broker.ids == [make_event(BATCH_MAX).id]
    world.clock.advance(timedelta(seconds=BATCH_MAX - 1))
    await world.relay()
    assert set(world.broker.ids) == {make_event(n).id for n in range(1, BATCH_MAX + 1)}
    world.clock.advance(timedelta(seconds=1))
    await world.say(*(make_event(n) for n in range(1000, 1000 + BATCH_MAX)))
    await world.relay()
    assert make_event(0).id in world.broker.ids
