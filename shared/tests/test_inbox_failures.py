"""What the inbox does when a batch fails: split it, repeat it, or settle nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import text

from doubles import NOW, PRODUCER, SIGNER, Bank, Broker, add, make_event, open_bank
from shared import inbox, outbox
from shared.db import Database, Tx, transaction
from shared.envelope import Event, verified
from shared.errors import Poison
from shared.inbox import REPEATS_MAX, Outage, Outcome
from shared.outbox import LEASE, Letter

DONE, REPEAT, WAITING = Outcome.DONE, Outcome.REPEAT, Outcome.WAITING
FAILED, POISON = Outcome.FAILED, Outcome.POISON


@pytest.fixture
async def world(bus_db: Database) -> Bank:
    return await open_bank(bus_db)


def raises_for(number: int, error: Exception) -> Callable[[Sequence[Event]], None]:
    def fail(events: Sequence[Event]) -> None:
        if make_event(number).id in [event.id for event in events]:
            raise error

    return fail


class TestSplitting:
    @pytest.mark.parametrize(
        ("error", "outcome"), [(ValueError("bad data"), FAILED), (Poison("impossible"), POISON)]
    )
    async def test_one_bad_event_costs_the_others_nothing(
        self, world: Bank, error: Exception, outcome: Outcome, counted: Any
    ) -> None:
        world.fail = raises_for(2, error)
        events = [make_event(n, 10**n) for n in range(4)]
        results = await world.apply(*events)
        assert [result.outcome for result in results] == [DONE, DONE, outcome, DONE]
        assert [result.error for result in results] == [None, None, error, None]
        assert [len(batch) for batch in world.batches] == [4, 1, 1, 1, 1]
        assert await world.balance() == 1011
        assert set(await world.rows()) == {event.id for event in events} - {events[2].id}
        for name, count in (("done", 3), (outcome.value, 1)):
            assert counted("saldo_events_consumed_total", queue="notifier", outcome=name) == count

    async def test_what_failed_is_applied_once_it_can_be(self, world: Bank) -> None:
        world.fail = raises_for(1, ValueError("not yet"))
        assert await world.outcomes(make_event(1)) == [FAILED]
        world.fail = lambda _events: None
        assert await world.outcomes(make_event(1)) == [DONE]
        assert await world.balance() == 100

    async def test_an_outage_amid_the_single_ones_is_an_outage(self, world: Bank) -> None:
        def fail(events: Sequence[Event]) -> None:
            if len(events) > 1:
                raise ValueError("split it")
            if events[0].id == make_event(1).id:
                raise TimeoutError("gone")

        world.fail = fail
        with pytest.raises(Outage, match="gone"):
            await world.apply(make_event(0), make_event(1), make_event(2))
        world.fail = lambda _events: None
        batch = [make_event(n) for n in range(3)]
        assert await world.outcomes(*batch) == [REPEAT, DONE, DONE]
        assert await world.balance() == 300


class Deadlock(Exception):
    sqlstate = "40P01"


class TestRepeating:
    async def test_a_deadlock_repeats_the_batch_as_a_whole(self, world: Bank) -> None:
        remaining = [Deadlock(), Deadlock(), Deadlock(), Deadlock()]

        def fail(_events: Sequence[Event]) -> None:
            if remaining:
                raise remaining.pop()

        world.fail = fail
        assert await world.outcomes(make_event(1), make_event(2)) == [DONE, DONE]
        assert [len(batch) for batch in world.batches] == [2] * REPEATS_MAX
        assert await world.balance() == 200

    async def test_who_loses_every_time_fails_at_last(self, world: Bank) -> None:
        world.fail = raises_for(1, Deadlock())
        assert await world.outcomes(make_event(1)) == [FAILED]
        assert len(world.batches) == REPEATS_MAX

    async def test_two_replicas_that_lock_each_other_out_both_succeed(
        self, postgres_db: Database
    ) -> None:
        async with transaction(postgres_db) as tx:
            await tx.run_sync(inbox.schema.create_all)
        world = await open_bank(postgres_db)
        meeting, tried = asyncio.Barrier(2), []

        def crossing(first: str, second: str) -> inbox.Handle:
            async def handle(tx: Tx, events: Sequence[Event]) -> None:
                await tx.execute(text("SET LOCAL deadlock_timeout = '20ms'"))
                tried.append(first)
                await add(tx, first, len(events))
                if tried.count(first) == 1:
                    await meeting.wait()
                await add(tx, second, len(events))

            return handle

        one, two = [make_event(n) for n in range(10)], [make_event(n) for n in range(10, 20)]
        outcomes = await asyncio.gather(
            world.outcomes(*one, handle=crossing("payments", "refunds")),
            world.outcomes(*two, handle=crossing("refunds", "payments")),
        )
        assert list(outcomes) == [[DONE] * 10] * 2
        assert len(tried) >= 3
        assert (await world.balance("payments"), await world.balance("refunds")) == (20, 20)


async def test_a_relay_killed_before_it_marked_changes_nothing_for_the_consumer(
    world: Bank,
) -> None:
    class Straight(Broker):
        """Delivers at once what it is given, and may break afterwards."""

        async def publish(self, letters: Sequence[Letter]) -> Sequence[Exception | None]:
            delivered = [verified(SIGNER, letter.body, letter.signature) for letter in letters]
            await world.apply(*delivered)
            return await super().publish(letters)

    async with transaction(world.db) as tx:
        await outbox.add(tx, PRODUCER, [make_event(n) for n in range(3)], NOW)
    with pytest.raises(ConnectionResetError):
        await outbox.relay(world.db, Straight(breaks=True), world.clock, "gateway")
    world.clock.advance(LEASE)
    broker = Straight()
    await outbox.relay(world.db, broker, world.clock, "gateway")
    assert len(broker.ids) == 3
    assert await world.balance() == 300
