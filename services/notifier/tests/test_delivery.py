"""Delivery: each message once, fenced, bounded, and never within a transaction."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from notifier import journal, leases
from notifier.channels.port import Accepted, Outcome, Outgoing, Permanent, Temporary
from notifier.delivery import Patience
from shared import log
from shared.clock import ManualClock
from shared.crypto import Vault, new_encryption_key
from shared.db import transaction
from shared.metrics import ALARMS, MESSAGES

if TYPE_CHECKING:
    from conftest import Said, World


def counted(metric: Any, *labels: str) -> float:
    """Return a counter's value."""
    value: float = metric.labels(*labels)._value.get()
    return value


@pytest.fixture
async def ready(world: World, said: Said) -> World:
    """A notifier with one payment ready for phone and mailbox."""
    await world.hear(said.contract(), said.subscriber(), said.payment())
    await world.prepare()
    return world


async def test_sent_once_and_marked(ready: World, clock: ManualClock) -> None:
    before = counted(MESSAGES, "sms", "sent")
    assert await ready.deliver()
    assert not await ready.deliver()
    clock.advance(timedelta(hours=1))
    await ready.deliver()
    assert (len(ready.sms.taken), len(ready.email.taken)) == (1, 1)
    row = await ready.row(channel="sms")
    assert (row.state, row.provider_id) == ("sent", f"at-provider-{row.id}")
    assert (row.attempts, row.doubtful, row.lease_token) == (1, False, None)
    assert row.id == ready.sms.taken[0].key
    assert counted(MESSAGES, "sms", "sent") == before + 1


async def test_the_correlation_id_goes_all_the_way(ready: World) -> None:
    bound = []

    def answer(outgoing: Outgoing) -> Outcome:
        bound.append((outgoing.correlation_id, log.correlation_id()))
        return Accepted("1")

    ready.sms.answer = answer
    await ready.deliver()
    assert bound == [("c-77", "c-77")]
    assert {row.correlation_id for row in await ready.rows()} == {"c-77"}


async def test_no_transaction_is_open_while_a_provider_is_asked(ready: World, said: Said) -> None:
    """On SQLite a second writer would wait for the first; on PostgreSQL for the locked row."""

    async def write_meanwhile(_outgoing: Outgoing) -> Outcome:
        async with asyncio.timeout(4):
            await ready.hear(said.subscriber(revision=2), said.recovered())
            async with transaction(ready.db) as tx:
                await tx.execute(journal.message.update().values(facts="{}"))
        return Accepted("1")

    ready.sms.answer = write_meanwhile
    await ready.deliver()
    assert (await ready.row(channel="sms", kind="payment")).state == "sent"


async def test_failures_are_repeated_with_growing_pauses_and_given_up(
    ready: World, clock: ManualClock
) -> None:
    before = counted(ALARMS, "message_given_up")
    ready.sms.answer = lambda _outgoing: Temporary("busy")
    pauses = []
    for attempt in (1, 2):
        await ready.deliver(ready.sms)
        row = await ready.row(channel="sms")
        assert (row.state, row.attempts, row.reason) == ("ready", attempt, "busy")
        pauses.append(row.due_at - clock())
        clock.advance(pauses[-1] - timedelta(seconds=1))
        await ready.deliver(ready.sms)
        assert len(ready.sms.taken) == attempt
        clock.advance(timedelta(seconds=1))
    await ready.deliver(ready.sms)
    assert pauses == [timedelta(seconds=30), timedelta(minutes=2)]
    row = await ready.row(channel="sms")
    assert (row.state, row.attempts, row.done_at) == ("failed", 3, clock())
    assert counted(ALARMS, "message_given_up") == before + 1
    clock.advance(timedelta(hours=5))
    await ready.deliver(ready.sms)
    assert len(ready.sms.taken) == 3


async def test_every_attempt_says_the_same_under_the_same_key(
    ready: World, said: Said, clock: ManualClock
) -> None:
    ready.sms.answer = lambda _outgoing: Temporary("busy")
    await ready.deliver(ready.sms)
    due_at = (await ready.row(channel="sms")).due_at
    await ready.hear(said.subscriber(revision=2, phone="+79990000000"))
    assert (await ready.row(channel="sms")).due_at == due_at, "only a search is woken"
    clock.advance(timedelta(minutes=1))
    await ready.deliver(ready.sms)
    first, second = ready.sms.taken
    assert (first.key, first.content) == (second.key, second.content)


async def test_a_refusal_is_final_and_quiet(ready: World) -> None:
    before = counted(ALARMS, "channel_refuses_us")
    ready.sms.answer = lambda _outgoing: Permanent("wrong number")
    await ready.deliver()
    row = await ready.row(channel="sms")
    assert (row.state, row.reason, row.attempts) == ("failed", "wrong number", 1)
    assert counted(ALARMS, "channel_refuses_us") == before
    assert (await ready.row(channel="email")).state == "sent"


async def test_a_fault_of_ours_is_one_alarm_for_the_batch(world: World, said: Said) -> None:
    await world.hear(said.contract(), said.subscriber())
    await world.hear(*(said.payment(payment=f"p-{n}") for n in range(4)))
    await world.prepare()
    before = counted(ALARMS, "channel_refuses_us")
    world.sms.answer = lambda _outgoing: Temporary("wrong password", ours=True)
    with capture_logs() as logs:
        await world.deliver(world.sms)
    assert counted(ALARMS, "channel_refuses_us") == before + 1
    (said_once,) = [line for line in logs if line["event"] == "alarm.channel_refuses_us"]
    assert (said_once["reason"], said_once["count"]) == ("wrong password", 4)


async def test_a_death_after_sending_leaves_a_doubt(ready: World, clock: ManualClock) -> None:
    """The worker dies between sending and marking: the next one knows that it may have left."""

    class Killed(BaseException):
        """Stands in for SIGKILL: nothing after it runs."""

    def die(_outgoing: Outgoing) -> Outcome:
        raise Killed

    ready.sms.answer = die
    with pytest.raises(Killed):
        await ready.deliver(ready.sms)
    ready.sms.answer = lambda outgoing: Accepted(str(outgoing.doubtful))
    clock.advance(2 * ready.patience.timeout - timedelta(seconds=1))
    await ready.deliver(ready.sms)
    assert len(ready.sms.taken) == 1, "its lease has not ended yet"
    clock.advance(timedelta(seconds=1))
    await ready.deliver(ready.sms)
    assert [outgoing.doubtful for outgoing in ready.sms.taken] == [False, True]
    assert len({outgoing.key for outgoing in ready.sms.taken}) == 1
    row = await ready.row(channel="sms")
    assert (row.state, row.attempts, row.provider_id) == ("sent", 2, "True")


@pytest.mark.parametrize(("unknown", "doubted"), [(True, True), (False, False)])
async def test_only_an_unknown_outcome_is_doubted(
    ready: World, clock: ManualClock, unknown: bool, doubted: bool
) -> None:
    ready.sms.answer = lambda _outgoing: Temporary("?", unknown=unknown)
    await ready.deliver(ready.sms)
    clock.advance(timedelta(minutes=1))
    await ready.deliver(ready.sms)
    assert [outgoing.doubtful for outgoing in ready.sms.taken] == [False, doubted]


@pytest.mark.parametrize(
    "then", [Temporary("cannot connect", channel=True), Temporary("busy"), Permanent("refused")]
)
async def test_a_doubt_outlives_what_is_sure_of_a_later_attempt(
    ready: World, clock: ManualClock, then: Outcome
) -> None:
    """That the second attempt has carried nothing says nothing about the first one."""
    answers = iter([Temporary("no answer", unknown=True), then, Accepted("1", perhaps_twice=True)])
    ready.sms.answer = lambda _outgoing: next(answers)
    for _ in range(2):
        await ready.deliver(ready.sms)
        clock.advance(timedelta(minutes=2))
    assert (await ready.row(channel="sms")).doubtful
    await ready.deliver(ready.sms)
    assert all(outgoing.doubtful for outgoing in ready.sms.taken[1:])


async def test_a_worker_too_slow_overwrites_nothing(ready: World, clock: ManualClock) -> None:
    async def slow(_outgoing: Outgoing) -> Outcome:
        clock.advance(2 * ready.patience.timeout)
        ready.sms.answer = lambda _again: Accepted("second")
        await ready.deliver(ready.sms)
        return Permanent("too late")

    ready.sms.answer = slow
    with capture_logs() as logs:
        await ready.deliver(ready.sms)
    row = await ready.row(channel="sms")
    assert (row.state, row.provider_id) == ("sent", "second")
    assert [line["event"] for line in logs] == ["message.sent", "message.lease_lost"]


async def test_no_answer_in_time_is_an_unknown_outcome(ready: World) -> None:
    ready.patience = Patience(3, (timedelta(seconds=30),), timedelta(seconds=0.05), 100)

    async def never(_outgoing: Outgoing) -> Outcome:
        await asyncio.Event().wait()
        raise AssertionError

    ready.sms.answer = never
    await ready.deliver(ready.sms)
    row = await ready.row(channel="sms")
    assert (row.state, row.reason, row.doubtful) == ("ready", "no answer in time", True)


async def test_a_broken_channel_breaks_no_neighbour(world: World, said: Said) -> None:
    await world.hear(said.contract(), said.subscriber())
    await world.hear(said.payment(payment="p-1"), said.payment(payment="p-2"))
    await world.prepare()
    broken = []

    def answer(outgoing: Outgoing) -> Outcome:
        if not broken:
            broken.append(outgoing.key)
            raise LookupError("a bug")
        return Accepted("1")

    world.sms.answer = answer
    await world.deliver(world.sms)
    row = await world.row(id=broken[0])
    assert (row.state, row.reason, row.doubtful) == ("ready", "our own fault: LookupError", True)
    assert len(await world.rows(channel="sms", state="sent")) == 1


async def test_a_lost_key_waits_for_a_person(ready: World, clock: ManualClock) -> None:
    right, ready.vault = ready.vault, Vault([new_encryption_key()])
    await ready.deliver(ready.sms)
    assert ready.sms.taken == []
    row = await ready.row(channel="sms")
    assert (row.state, row.doubtful) == ("ready", False)
    ready.vault = right
    clock.advance(timedelta(minutes=1))
    await ready.deliver(ready.sms)
    assert len(ready.sms.taken) == 1


async def test_dropped_on_its_way_is_not_tried_again(
    world: World, said: Said, clock: ManualClock
) -> None:
    await world.hear(said.contract(), said.subscriber(), said.low())
    await world.prepare()

    async def recover_meanwhile(_outgoing: Outgoing) -> Outcome:
        await world.hear(said.recovered())
        return Temporary("busy")

    world.sms.answer = recover_meanwhile
    await world.deliver(world.sms)
    clock.advance(timedelta(minutes=5))
    await world.deliver(world.sms)
    assert len(world.sms.taken) == 1
    row = await world.row(channel="sms")
    assert (row.state, row.reason, row.lease_token) == ("dropped", "recovered", None)


async def test_dropped_on_its_way_but_taken_is_sent(world: World, said: Said) -> None:
    await world.hear(said.contract(), said.subscriber(), said.low())
    await world.prepare()

    async def recover_meanwhile(_outgoing: Outgoing) -> Outcome:
        await world.hear(said.recovered())
        return Accepted("taken")

    world.sms.answer = recover_meanwhile
    await world.deliver(world.sms)
    assert (await world.row(channel="sms")).state == "sent"


async def test_stale_messages_are_never_leased(
    world: World, said: Said, clock: ManualClock
) -> None:
    await world.hear(said.contract(), said.subscriber(), said.low())
    await world.prepare()
    clock.advance(timedelta(days=1))
    await world.deliver()
    assert world.sms.taken == []


async def test_the_rate_holds_over_replicas(world: World, said: Said, clock: ManualClock) -> None:
    await world.hear(said.contract(), said.subscriber())
    await world.hear(*(said.payment(payment=f"p-{n}") for n in range(12)))
    await world.prepare()
    world.patience = Patience(3, (timedelta(seconds=30),), timedelta(seconds=10), per_second=5)
    for sent in (5, 10, 12):
        await asyncio.gather(*(world.deliver(world.sms) for _ in range(3)))
        assert len(world.sms.taken) == sent
        clock.advance(timedelta(seconds=1))
    assert len({outgoing.key for outgoing in world.sms.taken}) == 12


async def test_replicas_share_the_work(world: World, said: Said) -> None:
    await world.hear(said.contract(), said.subscriber())
    await world.hear(*(said.payment(payment=f"p-{n}") for n in range(20)))
    await world.prepare()
    await asyncio.gather(*(world.deliver(world.sms) for _ in range(4)))
    while await world.deliver(world.sms):
        pass
    assert len(world.sms.taken) == len({outgoing.key for outgoing in world.sms.taken}) == 20


async def test_a_channel_is_not_crowded(world: World, said: Said) -> None:
    await world.hear(said.contract(), said.subscriber())
    await world.hear(*(said.payment(payment=f"p-{n}") for n in range(8)))
    await world.prepare()
    inside = 0
    most = 0

    async def answer(_outgoing: Outgoing) -> Outcome:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        for _ in range(5):
            await asyncio.sleep(0)
        inside -= 1
        return Accepted("1")

    world.sms.answer = answer
    await world.deliver(world.sms)
    assert most == world.sms.parallel
    assert len(world.sms.taken) == 8


async def test_what_cannot_be_tried_within_its_lease_is_given_back(
    world: World, said: Said, clock: ManualClock
) -> None:
    await world.hear(said.contract(), said.subscriber())
    await world.hear(*(said.payment(payment=f"p-{n}") for n in range(3)))
    await world.prepare()
    world.sms.parallel = 1

    def slowly(_outgoing: Outgoing) -> Outcome:
        clock.advance(timedelta(seconds=11))
        return Accepted("1")

    world.sms.answer = slowly
    await world.deliver(world.sms)
    assert len(world.sms.taken) == 1
    left = await world.rows(channel="sms", state="ready")
    assert {(r.attempts, r.doubtful, r.lease_token) for r in left} == {(0, False, None)}
    while await world.deliver(world.sms):
        pass
    assert not any(outgoing.doubtful for outgoing in world.sms.taken)
    assert len(world.sms.taken) == 3


async def test_a_token_that_fell_settles_nothing(ready: World) -> None:
    at = ready.clock()
    until, token = at + timedelta(seconds=5), journal.message_id("", "", "", "")
    async with transaction(ready.db) as tx:
        rows = await leases.due(tx, "sms", at, 5)
        (held,) = await leases.take(tx, rows, token, at, until)
        await tx.execute(journal.message.update().values(lease_token=None))
        failed = leases.Settlement(held, "failed", None, at, 1, doubtful=False)
        assert not await leases.settle(tx, [failed])
    assert (await ready.row(channel="sms")).state == "ready"
