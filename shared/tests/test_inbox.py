"""The inbox: each event takes effect once, however often and in whatever company it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Column, Integer, Table, Text, insert, select, update

from doubles import NOW, make_event
from shared import conflict, inbox
from shared.clock import ManualClock
from shared.db import Database, Tx, metadata, transaction
from shared.envelope import Event, decode
from shared.errors import Poison
from shared.inbox import Consumer, Outage, Outcome, apply

DONE, REPEAT, FAILED, POISON = Outcome.DONE, Outcome.REPEAT, Outcome.FAILED, Outcome.POISON
schema = metadata()
effect = Table(
    "effect", schema, Column("event_id", Text), Column("amount", Integer, nullable=False)
)


@dataclass
class World:
    """A consumer that notes each effect, and misbehaves where it is told to."""

    db: Database
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW))
    errors: dict[UUID, Exception] = field(default_factory=dict)
    batches: list[int] = field(default_factory=list)
    repeats: list[list[UUID]] = field(default_factory=list)

    async def handle(self, tx: Tx, events: Sequence[Event]) -> Mapping[UUID, str] | None:
        self.batches.append(len(events))
        for event in events:
            row = {"event_id": str(event.id), "amount": event.data["amount_kopecks"]}
            await tx.execute(insert(effect).values(row))
            if event.id in self.errors:
                raise self.errors[event.id]
        return None

    async def repeated(self, tx: Tx, events: Sequence[Event]) -> None:
        # In the transaction of the inbox rows, so that what is said again is said with them.
        done = select(inbox.inbox.c.event_id).where(inbox.inbox.c.done_at.is_not(None))
        assert {event.id for event in events} <= set((await tx.execute(done)).scalars())
        self.repeats.append([event.id for event in events])

    async def apply(self, *events: Event) -> list[Outcome]:
        consumer = Consumer("notifier", self.db, self.handle, self.repeated)
        return [result.outcome for result in await apply(consumer, events, self.clock)]

    async def effects(self) -> list[tuple[str, int]]:
        async with transaction(self.db) as tx:
            rows = await tx.execute(select(effect.c.event_id, effect.c.amount))
            return sorted((event_id, amount) for event_id, amount in rows)

    async def rows(self) -> dict[UUID, Any]:
        async with transaction(self.db) as tx:
            return {row.event_id: row for row in await tx.execute(select(inbox.inbox))}


@pytest.fixture
async def world(bus_db: Database) -> World:
    async with transaction(bus_db) as tx:
        await tx.run_sync(schema.create_all)
    return World(bus_db)


def effects_of(*events: Event) -> list[tuple[str, int]]:
    return sorted((str(event.id), event.data["amount_kopecks"]) for event in events)


class TestOnce:
    async def test_a_batch_takes_effect_in_one_go(self, world: World, counted: Any) -> None:
        events = [make_event(n) for n in range(5)]
        assert await world.apply(*events) == [DONE] * 5
        assert world.batches == [5]
        assert await world.effects() == effects_of(*events)
        rows = await world.rows()
        assert {rows[e.id].done_at for e in events} == {NOW}
        assert {(rows[e.id].queue, rows[e.id].digest) for e in events[:1]} == {
            ("notifier", events[0].digest())
        }
        done = counted("saldo_events_consumed_total", queue="notifier", outcome="done")
        assert done == 5

    async def test_what_comes_again_is_reported_and_not_applied(self, world: World) -> None:
        one, two, three = make_event(1), make_event(2), make_event(3)
        await world.apply(one, two)
        world.clock.advance(timedelta(hours=1))
        assert await world.apply(two, three, one) == [REPEAT, DONE, REPEAT]
        assert world.batches == [2, 1]
        assert world.repeats == [[two.id, one.id]]
        assert await world.effects() == effects_of(one, two, three)
        rows = await world.rows()
        assert (rows[one.id].done_at, rows[three.id].done_at) == (NOW, NOW + timedelta(hours=1))

    async def test_twice_in_one_batch_is_once(self, world: World) -> None:
        event = make_event(1)
        assert await world.apply(event, event, make_event(2), event) == [DONE, REPEAT, DONE, REPEAT]
        assert world.repeats == []
        assert await world.effects() == effects_of(event, make_event(2))
        assert await world.apply(event, event) == [REPEAT, REPEAT]
        assert world.repeats == [[event.id]]

    async def test_a_repeat_needs_nobody_who_listens(self, world: World) -> None:
        consumer = Consumer("notifier", world.db, world.handle)
        event = make_event(1)
        for expected in (DONE, REPEAT):
            (result,) = await apply(consumer, [event], world.clock)
            assert result.outcome is expected

    async def test_no_events_are_no_work(self, world: World) -> None:
        assert await world.apply() == []
        assert world.batches == []

    async def test_eight_at_once_apply_it_once(self, world: World) -> None:
        events = [make_event(1), make_event(2)]
        outcomes = await asyncio.gather(*(world.apply(*events) for _ in range(8)))
        assert sorted(outcomes, key=str) == [[DONE, DONE]] + [[REPEAT, REPEAT]] * 7
        assert await world.effects() == effects_of(*events)

    async def test_what_failed_in_another_hand_is_no_repeat(self, world: World) -> None:
        """The first writes the row and fails: the second, which waited for it, must apply."""
        event, holding, release = make_event(1), asyncio.Event(), asyncio.Event()

        async def hold_and_fail(_tx: Tx, _events: Sequence[Event]) -> None:
            holding.set()
            await release.wait()
            raise ValueError("after all")

        failing = Consumer("notifier", world.db, hold_and_fail)
        first = asyncio.create_task(apply(failing, [event], world.clock))
        await holding.wait()
        second = asyncio.create_task(world.apply(event))
        await asyncio.sleep(0)
        release.set()
        assert ([result.outcome for result in await first], await second) == ([FAILED], [DONE])
        assert await world.effects() == effects_of(event)


class TestConflicts:
    async def test_other_data_under_a_known_id_are_kept_and_never_applied(
        self, world: World, counted: Any
    ) -> None:
        await world.apply(make_event(1, 100))
        assert await world.apply(make_event(1, 900), make_event(2)) == [POISON, DONE]
        assert await world.effects() == effects_of(make_event(1, 100), make_event(2))
        assert world.repeats == []
        assert await self.kept(world) == [("inbox", make_event(1, 900))]
        assert counted("saldo_alarms_total", kind="event_conflict") == 1
        consumed = counted("saldo_events_consumed_total", queue="notifier", outcome="poison")
        assert consumed == 1

    async def test_two_of_one_batch_that_disagree_are_a_conflict(self, world: World) -> None:
        batch = [make_event(1, 100), make_event(1, 900), make_event(1, 100)]
        assert await world.apply(*batch) == [DONE, POISON, REPEAT]
        assert await world.effects() == effects_of(make_event(1, 100))
        assert await self.kept(world) == [("inbox", make_event(1, 900))]

    async def test_what_was_heard_first_decides_not_what_stands_first(self, world: World) -> None:
        event = make_event(1, 100)
        async with transaction(world.db) as tx:  # a row of the memory bus: heard of, not yet done
            row = {"event_id": event.id, "queue": "notifier", "digest": event.digest()}
            await tx.execute(insert(inbox.inbox).values(**row, due_at=NOW, attempts=3))
        assert await world.apply(make_event(1, 900), event) == [POISON, DONE]
        assert await world.effects() == effects_of(event)

    async def test_the_reason_says_what_is_wrong(self, world: World) -> None:
        consumer = Consumer("notifier", world.db, world.handle)
        batch = [make_event(1, 100), make_event(1, 900)]
        fine, wrong = await apply(consumer, batch, world.clock)
        assert fine.error is None
        assert isinstance(wrong.error, Poison)
        assert "other data" in str(wrong.error)

    async def kept(self, world: World) -> list[tuple[str, Event]]:
        async with transaction(world.db) as tx:
            rows = await tx.execute(select(conflict.event_conflict))
            return [(row.side, decode(row.body)) for row in rows]


class TestRows:
    async def test_a_row_that_is_not_done_is_no_repeat(self, world: World) -> None:
        """So a dead letter can be replayed, and the row of the memory bus is its message."""
        event = make_event(1)
        await world.apply(event)
        dead = {"done_at": None, "dead_at": NOW, "error": "x", "body": b"x", "signature": "y"}
        lease = {"due_at": NOW, "lease_token": uuid4(), "leased_until": NOW, "attempts": 12}
        async with transaction(world.db) as tx:
            await tx.execute(update(inbox.inbox).values(**dead, **lease, waits_for="z"))
        world.clock.advance(timedelta(hours=1))
        assert await world.apply(event) == [DONE]
        row = (await world.rows())[event.id]
        assert row.done_at == NOW + timedelta(hours=1)
        left = (row.dead_at, row.body, row.signature, row.due_at, row.waits_for)
        assert (*left, row.lease_token, row.leased_until) == (None,) * 7

    async def test_what_was_done_goes_after_thirty_days(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        events = [make_event(n) for n in range(5)]
        await world.apply(*events)
        async with transaction(world.db) as tx:
            waiting = update(inbox.inbox).where(inbox.inbox.c.event_id == events[0].id)
            await tx.execute(waiting.values(done_at=None, waits_for="payment"))
        month = NOW + timedelta(days=30)
        assert await inbox.prune(world.db, month) == 0
        monkeypatch.setattr(inbox, "PRUNE_MAX", 3)
        later = month + timedelta(microseconds=1)
        assert [await inbox.prune(world.db, later) for _ in range(3)] == [3, 1, 0]
        assert set(await world.rows()) == {events[0].id}


async def test_an_outage_settles_nothing(world: World) -> None:
    events = [make_event(n) for n in range(3)]
    world.errors[events[1].id] = ConnectionResetError("the database went away")
    with pytest.raises(Outage, match="went away"):
        await world.apply(*events)
    assert world.batches == [3]
    assert (await world.rows(), await world.effects()) == ({}, [])
    world.errors.clear()
    assert await world.apply(*events) == [DONE] * 3
