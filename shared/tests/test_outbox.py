"""The outbox: what is said with a transaction leaves with it, and never without it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from doubles import NOW, PRODUCER, SIGNER, Broker, Speaker, make_event
from shared import conflict, outbox
from shared.crypto import Vault, new_encryption_key
from shared.db import Database, transaction
from shared.envelope import decode, encode, verified
from shared.outbox import KEEP_SENT, Letter, Producer
from shared.topology import Topology

ROWS = outbox.outbox.c


@pytest.fixture
def world(bus_db: Database) -> Speaker:
    return Speaker(bus_db)


async def test_what_was_said_is_published_signed_and_once(world: Speaker) -> None:
    await world.say(make_event(1), make_event(2))
    assert world.db.signal(outbox.SIGNAL).is_set()
    assert await world.relay() is False
    (letters,) = world.broker.given
    assert [verified(SIGNER, x.body, x.signature) for x in letters] == [
        make_event(1),
        make_event(2),
    ]
    assert [(x.event_id, x.type, x.attempt) for x in letters] == [
        (make_event(n).id, "payment.succeeded", 1) for n in (1, 2)
    ]
    assert await world.relay() is False
    assert len(world.broker.given) == 1
    assert [row.sent_at for row in await world.rows()] == [NOW, NOW]


async def test_what_was_rolled_back_was_never_said(world: Speaker) -> None:
    async def fail() -> None:
        async with transaction(world.db) as tx:
            await outbox.add(tx, PRODUCER, [make_event(1)], NOW)
            raise RuntimeError("the payment was not posted")

    with pytest.raises(RuntimeError):
        await fail()
    assert not world.db.signal(outbox.SIGNAL).is_set()
    await world.relay()
    assert world.broker.given == []


async def test_a_repeat_is_left_alone(world: Speaker) -> None:
    await world.say(make_event(1))
    await world.relay()
    world.db.signal(outbox.SIGNAL).clear()
    await world.say(make_event(1), make_event(1))
    assert not world.db.signal(outbox.SIGNAL).is_set()
    await world.relay()
    assert world.broker.ids == [make_event(1).id]
    assert await kept(world) == []


async def kept(world: Speaker) -> list[Any]:
    async with transaction(world.db) as tx:
        rows = await tx.execute(select(conflict.event_conflict))
        return [(row.event_id, row.side, decode(row.body), row.seen_at) for row in rows]


class TestConflicts:
    async def test_the_same_id_with_other_data_is_kept_and_alarmed(
        self, world: Speaker, counted: Any
    ) -> None:
        await world.say(make_event(1, 100))
        world.clock.advance(timedelta(minutes=1))
        await world.say(make_event(1, 900), make_event(2))
        assert await kept(world) == [
            (make_event(1).id, "outbox", make_event(1, 900), NOW + timedelta(minutes=1))
        ]
        assert counted("saldo_alarms_total", kind="event_conflict") == 1
        await world.relay()
        published = [decode(letter.body) for letter in world.broker.given[0]]
        assert published == [make_event(1, 100), make_event(2)]

    async def test_two_in_one_breath_are_a_conflict_too(self, world: Speaker, counted: Any) -> None:
        await world.say(make_event(1, 100), make_event(1, 900), make_event(1, 100))
        assert [(item[1], item[2]) for item in await kept(world)] == [
            ("outbox", make_event(1, 900))
        ]
        assert counted("saldo_alarms_total", kind="event_conflict") == 1
        await world.relay()
        assert [decode(letter.body) for letter in world.broker.given[0]] == [make_event(1, 100)]

    async def test_a_conflict_said_again_is_kept_once_and_alarmed_again(
        self, world: Speaker, counted: Any
    ) -> None:
        await world.say(make_event(1, 100))
        await world.say(make_event(1, 900))
        await world.say(make_event(1, 900))
        await world.say(make_event(1, 800))
        assert sorted(item[2].data["amount_kopecks"] for item in await kept(world)) == [800, 900]
        assert counted("saldo_alarms_total", kind="event_conflict") == 3


async def test_what_nobody_deployed_listens_to_is_not_written(world: Speaker) -> None:
    alone = Producer("gateway-yookassa", Topology(frozenset({"gateway-yookassa"})), SIGNER)
    await world.say(make_event(1), make_event(2, kind="payment.unheard_of"), producer=alone)
    assert await world.rows() == []
    assert not world.db.signal(outbox.SIGNAL).is_set()
    await world.say(make_event(3, kind="payment.posted"), producer=alone)
    assert len(await world.rows()) == 1


class TestSayAgain:
    async def test_known_events_are_published_once_more(self, world: Speaker) -> None:
        await world.say(make_event(1), make_event(2))
        await world.relay()
        world.db.signal(outbox.SIGNAL).clear()
        async with transaction(world.db) as tx:
            wanted = [make_event(1).id, uuid4()]
            assert await outbox.say_again(tx, wanted, NOW) == {make_event(1).id}
        assert world.db.signal(outbox.SIGNAL).is_set()
        await world.relay()
        assert world.broker.ids == [make_event(1).id, make_event(2).id, make_event(1).id]
        assert world.broker.given[0][0] == world.broker.given[1][0]

    async def test_of_unknown_events_nothing_is_said(self, world: Speaker) -> None:
        async with transaction(world.db) as tx:
            assert await outbox.say_again(tx, [uuid4()], NOW) == set()
            assert await outbox.say_again(tx, [], NOW) == set()
        assert not world.db.signal(outbox.SIGNAL).is_set()

    async def test_what_is_being_published_just_now_is_published_once_more(
        self, world: Speaker
    ) -> None:
        class Interrupted(Broker):
            async def publish(self, letters: Sequence[Letter]) -> Sequence[Exception | None]:
                async with transaction(world.db) as tx:
                    await outbox.say_again(tx, [make_event(1).id], NOW)
                return await super().publish(letters)

        await world.say(make_event(1))
        await world.relay(Interrupted())
        await world.relay()
        assert world.broker.ids == [make_event(1).id]

    async def test_patience_begins_anew(self, world: Speaker) -> None:
        await world.say(make_event(1))
        world.broker.refused = {make_event(1).id}
        await world.relay()
        async with transaction(world.db) as tx:
            await outbox.say_again(tx, [make_event(1).id], NOW)
        await world.relay()
        assert [batch[0].attempt for batch in world.broker.given] == [1, 1]


class TestUpkeep:
    async def test_what_was_sent_goes_after_a_day_and_unsent_stays(self, world: Speaker) -> None:
        await world.say(make_event(1))
        await world.relay()
        await world.say(make_event(2))
        day = NOW + KEEP_SENT
        assert await outbox.prune(world.db, day) == 0
        assert await outbox.prune(world.db, day + timedelta(microseconds=1)) == 1
        assert await outbox.prune(world.db, day + timedelta(days=1000)) == 0
        assert [row.event_id for row in await world.rows()] == [make_event(2).id]

    async def test_pruning_is_done_in_bounded_steps(
        self, world: Speaker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(outbox, "PRUNE_MAX", 2)
        await world.say(*(make_event(n) for n in range(5)))
        await world.relay()
        later = NOW + timedelta(days=2)
        assert [await outbox.prune(world.db, later) for _ in range(4)] == [2, 2, 1, 0]

    async def test_the_unsent_are_counted_for_the_operator(
        self, world: Speaker, counted: Any
    ) -> None:
        await world.say(make_event(1), make_event(2))
        assert await outbox.waiting(world.db, "counted") == 2
        assert counted("saldo_outbox_waiting", service="counted") == 2
        await world.relay()
        assert await outbox.waiting(world.db, "counted") == 0
        assert counted("saldo_outbox_waiting", service="counted") == 0

    async def test_counting_waits_for_no_writer(self, world: Speaker) -> None:
        async with transaction(world.db) as tx:
            await outbox.add(tx, PRODUCER, [make_event(1)], NOW)
            assert await asyncio.wait_for(outbox.waiting(world.db, "counted"), 4) == 0


async def test_a_row_holds_the_digest_of_its_bytes(world: Speaker) -> None:
    await world.say(make_event(1))
    (row,) = await world.rows()
    assert row.digest == make_event(1).digest()
    assert row.body == encode(make_event(1))


class TestPersonal:
    """What holds addresses lies sealed in the outbox and travels as it always did."""

    KEY = new_encryption_key()
    SEALING = replace(PRODUCER, vault=Vault([KEY]))

    async def test_it_is_sealed_at_rest_and_published_as_it_was_said(self, world: Speaker) -> None:
        event = make_event(1, kind="subscriber.changed")
        await world.say(event, make_event(2), producer=self.SEALING)
        kept = [row.body for row in await world.rows()]
        assert b"subscriber" not in kept[0]
        assert decode(kept[1]) == make_event(2)
        vault = Vault([new_encryption_key(), self.KEY])
        await outbox.relay(world.db, world.broker, world.clock, "core", vault)
        (letters,) = world.broker.given
        assert [verified(SIGNER, x.body, x.signature) for x in letters] == [event, make_event(2)]

    async def test_a_lost_key_holds_up_nobody(self, world: Speaker) -> None:
        await world.say(make_event(1, kind="subscriber.changed"), producer=self.SEALING)
        await world.say(make_event(2), producer=self.SEALING)
        other = Vault([new_encryption_key()])
        await outbox.relay(world.db, world.broker, world.clock, "core", other)
        assert world.broker.ids == [make_event(2).id]
        assert [row.sent_at for row in await world.rows()] == [None, NOW]

    async def test_what_an_older_version_has_written_is_published(self, world: Speaker) -> None:
        await world.say(make_event(1, kind="subscriber.changed"))
        await outbox.relay(world.db, world.broker, world.clock, "core", Vault([self.KEY]))
        assert world.broker.ids == [make_event(1, kind="subscriber.changed").id]


async def test_only_what_no_relay_has_touched_is_taken_back(world: Speaker) -> None:
    await world.say(make_event(1))
    await world.relay()
    world.broker.refused = {make_event(2).id}
    await world.say(make_event(2))
    await world.relay()
    await world.say(make_event(3))
    async with transaction(world.db) as tx:
        taken = await outbox.withdraw(tx, [make_event(n).id for n in (1, 2, 3, 4)])
    assert taken == {make_event(3).id}
    assert len(await world.rows()) == 2
