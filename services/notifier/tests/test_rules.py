"""What holds when a message is about to leave: money, hours, limits, turns, and who hears of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.event import listen

from notifier import journal, progress, unreachable
from notifier.channels.port import Accepted, Permanent, Temporary
from notifier.content import unseal
from notifier.facts import Access, LowBalance
from notifier.gate import Rules
from notifier.limits import Limits
from notifier.quiet import QuietHours, allowed_from, parse
from notifier.reach import Reaching
from notifier.standing import Standing, anew, untrue
from shared.clock import ManualClock
from shared.crypto import Signer
from shared.db import reading, transaction
from shared.events_autopay import AutopayUpcoming
from shared.outbox import Producer, outbox
from shared.topology import Topology

if TYPE_CHECKING:
    from conftest import Said, World

NIGHT = parse("21:00-09:00")
_ZONES = ("Europe/Moscow", "Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns")
_TIMES = st.times().map(lambda each: each.replace(second=0, microsecond=0))
_MOMENTS = st.integers(0, 20 * 365 * 24 * 60).map(
    lambda minutes: datetime(2011, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


@given(_TIMES, _TIMES, st.sampled_from(_ZONES), _MOMENTS)
def test_quiet_hours_end_on_every_wall(begins: time, ends: time, zone: str, at: datetime) -> None:
    if begins == ends:
        return
    quiet = QuietHours(begins, ends)
    moment = allowed_from(quiet, zone, at)
    wall = moment.astimezone(ZoneInfo(zone)).time().replace(fold=0)
    assert moment >= at
    assert not quiet.hold(wall)
    assert allowed_from(quiet, zone, moment) == moment
    assert moment - at <= timedelta(hours=49)


@pytest.mark.parametrize(
    ("zone", "at", "until"),
    [
        # Berlin's night of 29 March 2026 is an hour shorter, that of 25 October an hour longer.
        ("Europe/Berlin", (2026, 3, 28, 20, 30), (2026, 3, 29, 7, 0)),
        ("Europe/Berlin", (2026, 10, 24, 19, 30), (2026, 10, 25, 8, 0)),
        ("Asia/Vladivostok", (2026, 12, 1, 11, 30), (2026, 12, 1, 23, 0)),
        ("nowhere", (2026, 12, 1, 18, 30), (2026, 12, 2, 6, 0)),
    ],
)
def test_the_night_is_the_subscribers_own(zone: str, at: Any, until: Any) -> None:
    assert allowed_from(NIGHT, zone, datetime(*at, tzinfo=UTC)) == datetime(*until, tzinfo=UTC)


@pytest.mark.parametrize("written", ["9-21", "21:00", "25:00-09:00", "09:00-09:00"])
def test_hours_that_are_none(written: str) -> None:
    with pytest.raises(ValueError, match=r"expected hours|never end"):
        parse(written)


@given(st.lists(st.integers(0, 86_400), max_size=40), st.integers(1, 5), st.integers(1, 9))
def test_limits_hold_whenever_the_next_one_leaves(ages: list[int], hour: int, day: int) -> None:
    at = datetime(2026, 12, 1, tzinfo=UTC)
    left = [at - timedelta(seconds=age) for age in ages]
    free = Limits(hour, day).free_from(left, at)
    for most, window in ((hour, timedelta(hours=1)), (day, timedelta(days=1))):
        assert sum(1 for each in left if each > free - window) < most or free == at
    assert free >= at


@given(st.integers(-(10**6), 10**6), st.integers(1, 10**6), st.integers(-(10**6), 3 * 10**6))
def test_nobody_is_asked_who_has_enough(balance: int, needed: int, now: int) -> None:
    facts = LowBalance(balance_kopecks=balance, needed_kopecks=needed)
    standing = Standing(now)
    said = untrue("low_balance", facts, standing)
    assert said == ("paid" if now >= balance + needed else None)
    fresh = anew("low_balance", facts, standing)
    if said is None and now != balance:
        assert isinstance(fresh, LowBalance)
        assert fresh.balance_kopecks + fresh.needed_kopecks == balance + needed
        assert fresh.needed_kopecks > 0


@pytest.mark.parametrize(
    ("kind", "blocked", "reason"),
    [
        ("blocked", True, None),
        ("blocked", False, "unblocked"),
        ("unblocked", True, "blocked_again"),
        ("unblocked", None, None),
    ],
)
def test_access_is_told_as_it_is(kind: str, blocked: bool | None, reason: str | None) -> None:
    facts = Access(balance_kopecks=0, at=datetime(2026, 12, 1, tzinfo=UTC))
    assert untrue(kind, facts, Standing(None, blocked)) == reason


async def test_a_paid_subscriber_is_not_asked(world: World, said: Said, clock: ManualClock) -> None:
    await world.hear(said.contract(), said.subscriber(), said.low())
    await world.prepare()
    paid = {"balance_kopecks": 10_000, "available_kopecks": 10_000}
    later = said.NOON + timedelta(seconds=5)
    await world.hear(said.payment(posted_at=later, **paid))
    clock.advance(timedelta(minutes=1))
    await world.deliver()
    rows = await world.rows(kind="low_balance")
    assert {(row.state, row.reason) for row in rows} == {("dropped", "paid")}
    assert world.sms.taken == []


async def test_an_older_balance_that_comes_later_changes_nothing(world: World, said: Said) -> None:
    old = {"balance_kopecks": 900_000, "posted_at": said.NOON - timedelta(days=1)}
    await world.hear(said.contract(), said.subscriber(), said.low())
    await world.hear(said.payment(**old))
    await world.prepare()
    await world.deliver()
    assert len(await world.rows(kind="low_balance", state="sent")) == 2


async def test_a_balance_that_is_still_low_is_told_as_it_is_now(
    world: World, said: Said, clock: ManualClock
) -> None:
    await world.hear(said.contract(), said.subscriber(), said.low())
    await world.prepare()
    part = {"balance_kopecks": -20_000, "posted_at": said.NOON + timedelta(seconds=5)}
    await world.hear(said.payment(**part))
    await world.deliver(world.sms)
    assert world.sms.taken == []
    await world.prepare()
    await world.deliver(world.sms)
    row = await world.row(kind="low_balance", channel="sms")
    text = unseal(world.vault, row.sealed).text
    assert "−200,00" in text
    assert "300,00" in text


async def test_quiet_hours_hold_what_can_wait(world: World, said: Said, clock: ManualClock) -> None:
    world.how = replace(world.how, quiet=NIGHT)
    clock.advance(timedelta(hours=10))  # 22:00 in Moscow
    await world.hear(said.contract(), said.subscriber())
    part = {"balance_kopecks": -20_000, "posted_at": clock()}
    await world.hear(
        said.low(occurred_at=clock(), blocks_on="2026-12-12"),
        said.payment(occurred_at=clock(), **part),
        said.access(revision=2, occurred_at=clock()),
    )
    await world.prepare()
    await world.deliver()
    sent = {(row.kind, row.channel) for row in await world.rows(state="sent")}
    by_both = {(kind, way) for kind in ("payment", "unblocked") for way in ("email", "sms")}
    assert sent == by_both | {("low_balance", "email")}
    clock.advance(timedelta(hours=10, minutes=59))
    await world.prepare()
    assert (await world.row(kind="low_balance", channel="sms")).state == "new"
    clock.advance(timedelta(minutes=1))
    await world.prepare()
    await world.deliver()
    assert (await world.row(kind="low_balance", channel="sms")).state == "sent"


async def test_nobody_waits_for_morning_who_may_be_cut_off_before(
    world: World, said: Said, clock: ManualClock
) -> None:
    world.how = replace(world.how, quiet=NIGHT)
    clock.advance(timedelta(hours=10))  # 22:00 in Moscow
    await world.hear(said.contract(), said.subscriber(), said.low(occurred_at=clock()))
    await world.prepare()
    await world.deliver()
    assert (await world.row(kind="low_balance", channel="sms")).state == "sent"


@pytest.mark.parametrize(
    ("blocks_on", "leaves"), [("2026-11-23", True), ("2026-11-24", False), ("2026-11-22", False)]
)
async def test_nobody_is_told_in_the_morning_of_what_was_at_midnight(
    world: World, said: Said, clock: ManualClock, blocks_on: str, leaves: bool
) -> None:
    world.how = replace(world.how, quiet=NIGHT)
    world.rules = Rules(quiet=NIGHT)
    clock.advance(timedelta(hours=10))  # 22:00 in Moscow
    low = said.low(occurred_at=clock(), blocks_on=blocks_on)
    await world.hear(said.contract(), said.subscriber(), low)
    await world.prepare()
    await world.deliver()
    row = await world.row(kind="low_balance", channel="sms")
    assert (row.state == "sent") is leaves


@pytest.mark.parametrize(("hours", "leaves"), [(11, True), (12, False)])
async def test_a_charge_is_said_before_it_is_made_even_at_night(
    world: World, said: Said, clock: ManualClock, hours: int, leaves: bool
) -> None:
    """Whoever announces it may go by other hours than those that are quiet for its reader."""
    world.how = replace(world.how, quiet=NIGHT)
    world.rules = Rules(quiet=NIGHT)
    clock.advance(timedelta(hours=2))  # 21:00 in Vladivostok, 14:00 in Moscow
    charge = AutopayUpcoming(
        contract="100245",
        charge_id="c-1",
        mandate_id="m-1",
        amount_kopecks=50_000,
        charge_at=clock() + timedelta(hours=hours, minutes=30),
        why="balance",
        balance_kopecks=1_000,
        occurred_at=clock(),
    )
    event = charge.event("autopay", subject="c-1", revision=1, correlation_id="c-77")
    here = said.subscriber(timezone="Asia/Vladivostok")
    await world.hear(said.contract(), here, event)
    await world.prepare()
    world.sms.answer = lambda _outgoing: Temporary("busy")
    await world.deliver()
    assert len(world.sms.taken) == leaves
    world.sms.answer = lambda _outgoing: Accepted("1")
    clock.advance(timedelta(minutes=1) if leaves else timedelta(hours=12))
    await world.prepare()
    await world.deliver()
    assert (await world.row(channel="sms")).state == "sent"


async def test_one_contract_is_not_flooded(world: World, said: Said, clock: ManualClock) -> None:
    world.rules = Rules(limits=Limits(per_hour=2))
    await world.hear(said.contract(), said.subscriber())
    await world.hear(*(said.low(crossing=n) for n in range(1, 5)))
    await world.prepare()
    await world.deliver(world.sms)
    await world.hear(said.payment(balance_kopecks=-120_000))
    await world.prepare()
    await world.deliver(world.sms)
    kinds = [outgoing.kind for outgoing in world.sms.taken]
    assert kinds == ["low_balance", "low_balance", "payment"]
    clock.advance(timedelta(hours=1))
    await world.deliver(world.sms)
    assert len(world.sms.taken) == 5


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_limits_read_the_last_day_of_their_contracts_alone(world: World, said: Said) -> None:
    """SQLite knows no sizes: given the choice it reads what anybody was sent in a day."""
    world.rules = Rules(limits=Limits(per_hour=2))
    await world.hear(said.contract(), said.subscriber(), said.low())
    await world.prepare()
    asked: list[tuple[str, Any]] = []

    def remember(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if statement.startswith("SELECT message.contract, message.tried_at"):
            asked.append((f"EXPLAIN QUERY PLAN {statement}", values))

    listen(world.db.engine.sync_engine, "before_cursor_execute", remember)
    await world.deliver(world.sms)
    ((statement, values),) = asked
    async with reading(world.db) as tx:
        (step,) = (await tx.exec_driver_sql(statement, values)).all()
    assert "(contract=? AND channel=? AND tried_at>?)" in step.detail


async def test_what_has_not_left_disturbs_nobody(
    world: World, said: Said, clock: ManualClock
) -> None:
    world.rules = Rules(limits=Limits(per_hour=2))
    await world.hear(said.contract(), said.subscriber())
    await world.hear(*(said.low(crossing=n) for n in range(1, 3)))
    await world.prepare()
    world.sms.answer = lambda _outgoing: Temporary("no connection", channel=True)
    await world.deliver(world.sms)
    world.sms.answer = lambda _outgoing: Accepted("1")
    clock.advance(timedelta(minutes=1))
    await world.deliver(world.sms)
    assert {row.state for row in await world.rows(channel="sms")} == {"sent"}


async def test_what_may_have_left_counts(world: World, said: Said, clock: ManualClock) -> None:
    world.rules = Rules(limits=Limits(per_hour=1))
    await world.hear(said.contract(), said.subscriber(), said.low(crossing=1))
    await world.prepare()
    world.sms.answer = lambda _outgoing: Temporary("no answer", unknown=True)
    await world.deliver(world.sms)
    await world.hear(said.low(crossing=2))
    await world.prepare()
    world.sms.answer = lambda _outgoing: Accepted("1")
    await world.deliver(world.sms)
    assert len(world.sms.taken) == 1


async def test_what_is_urgent_overtakes_a_queue(world: World, said: Said) -> None:
    await world.hear(said.contract(), said.subscriber())
    await world.hear(*(said.payment(payment=f"p-{n}") for n in range(5)))
    await world.prepare()
    await world.hear(said.access())
    await world.prepare()
    world.sms.parallel = 1
    await world.deliver(world.sms)
    assert next(outgoing.kind for outgoing in world.sms.taken) == "blocked"


async def test_the_next_channel_takes_over_at_once_or_never(
    world: World, said: Said, clock: ManualClock
) -> None:
    world.reaching = Reaching(("email", "sms"), frozenset({"payment"}))
    await world.hear(said.contract(), said.subscriber())
    await world.hear(said.payment(payment="p-1"), said.payment(payment="p-2"))
    await world.prepare()
    dead = iter([Permanent("no such mailbox", dead=True), Accepted("1")])
    world.email.answer = lambda _outgoing: next(dead)
    world.email.parallel = 1
    await world.deliver()
    assert world.sms.taken == []
    await world.prepare()
    await world.deliver()
    assert len(world.sms.taken) == 1
    clock.advance(timedelta(hours=1))
    await world.prepare()
    (silent,) = await world.rows(channel="sms", state="skipped")
    assert silent.reason == "told"


async def test_a_channel_that_gets_nothing_through_gives_way(
    world: World, said: Said, clock: ManualClock
) -> None:
    world.reaching = Reaching(("email", "sms"), frozenset({"all"}))
    await world.hear(said.contract(), said.subscriber(), said.payment())
    world.email.answer = lambda _outgoing: Temporary("down", channel=True)
    for _ in range(8):
        await world.prepare()
        await world.deliver()
        clock.advance(timedelta(minutes=10))
    assert len(world.sms.taken) == 1
    assert (await world.row(channel="email")).reason == "gave_way"


async def test_a_reminder_comes_once_and_not_after_recovery(
    world: World, said: Said, clock: ManualClock
) -> None:
    world.rules = Rules(remind_after=timedelta(days=3), remind_max=1)
    await world.hear(said.contract(), said.contract("200", subscriber_id="s-1"), said.subscriber())
    await world.hear(said.low(), said.low("200"))
    await world.prepare()
    await world.deliver()
    await world.hear(said.recovered("200"))
    for _ in range(8):
        clock.advance(timedelta(days=1))
        await world.prepare()
        await world.deliver()
    reminded = await world.rows(kind="low_balance_reminder", channel="sms")
    assert {(row.contract, row.state) for row in reminded} == {
        ("100245", "sent"),
        ("200", "dropped"),
    }


async def test_who_has_no_address_is_listed_until_they_have(world: World, said: Said) -> None:
    await world.hear(said.contract(), said.subscriber(phone="", email="нет"))
    async with reading(world.db) as tx:
        listed = await unreachable.page(tx, limit=5)
        assert await unreachable.count(tx) == 1
    assert {(row.channel, row.reason) for row in listed["100245"]} == {
        ("sms", "no_phone"),
        ("email", "bad_email"),
    }
    await world.hear(said.subscriber(revision=2, email=""))
    async with reading(world.db) as tx:
        assert await unreachable.count(tx) == 0


async def test_a_message_that_gets_through_ends_a_fault(world: World, said: Said) -> None:
    await world.hear(said.contract(), said.subscriber(email=""))
    world.sms.answer = lambda _outgoing: Permanent("dead", dead=True)
    await world.hear(said.payment(payment="p-1"))
    await world.prepare()
    await world.deliver()
    async with reading(world.db) as tx:
        assert await unreachable.count(tx) == 1
        faults = (await unreachable.page(tx, limit=5))["100245"]
    assert {row.channel: row.reason for row in faults} == {
        "email": "no_email",
        "sms": "dead_address",
    }
    world.sms.answer = lambda _outgoing: Accepted("1")
    await world.hear(said.payment(payment="p-2"))
    await world.prepare()
    await world.deliver()
    async with reading(world.db) as tx:
        assert await unreachable.count(tx) == 0


async def test_a_dead_address_of_before_says_nothing_of_the_new_one(
    world: World, said: Said, clock: ManualClock
) -> None:
    await world.hear(said.contract(), said.subscriber(), said.payment())
    await world.prepare()
    world.sms.answer = lambda _outgoing: Temporary("busy")
    await world.deliver(world.sms)
    await world.hear(said.subscriber(revision=2, phone="+79160000001"))
    world.sms.answer = lambda _outgoing: Permanent("dead", dead=True)
    clock.advance(timedelta(minutes=1))
    await world.deliver(world.sms)
    assert world.sms.taken[-1].content.to == said.PHONE
    async with reading(world.db) as tx:
        assert await unreachable.page(tx, limit=5, partly=True) == {}


async def test_a_closed_contract_leaves_the_list(world: World, said: Said) -> None:
    await world.hear(said.contract(), said.subscriber(phone="", email=""))
    async with reading(world.db) as tx:
        assert await unreachable.count(tx) == 1
    await world.hear(said.contract(revision=2, status="closed"))
    async with reading(world.db) as tx:
        assert await unreachable.count(tx) == 0
    await world.hear(said.subscriber(revision=2, email=""), said.payment())
    await world.prepare()
    world.sms.answer = lambda _outgoing: Permanent("dead", dead=True)
    await world.deliver()
    assert len(world.sms.taken) == 1
    async with reading(world.db) as tx:
        assert await unreachable.page(tx, limit=5, partly=True) == {}


async def test_core_hears_of_each_message_once(
    world: World, said: Said, clock: ManualClock
) -> None:
    topology = Topology(frozenset({"core-billing", "notifier"}))
    world.producer = Producer("notifier", topology, Signer(["sixteen-characters"]), world.vault)
    world.sms.answer = lambda _outgoing: Permanent("wrong number")
    payment = said.payment()
    await world.hear(said.contract(), said.subscriber(), payment)
    await world.prepare()
    await world.deliver()
    await world.deliver()
    async with reading(world.db) as tx:
        rows = (await tx.execute(select(outbox).order_by(outbox.c.type))).all()
    bodies = [orjson.loads(row.body)["data"] for row in rows]
    assert [row.type for row in rows] == ["message.failed", "message.sent"]
    assert {body["about"] for body in bodies} == {str(payment.id)}
    assert bodies[0]["reason"] == "wrong number"


async def test_core_hears_of_what_has_become_too_old_to_leave(
    world: World, said: Said, clock: ManualClock
) -> None:
    topology = Topology(frozenset({"core-billing", "notifier"}))
    world.producer = Producer("notifier", topology, Signer(["sixteen-characters"]), world.vault)
    await world.hear(said.contract(), said.subscriber(email=""), said.low())
    await world.hear(said.low(crossing=2, occurred_at=clock() - timedelta(days=2)))
    await world.prepare()
    world.sms.answer = lambda _outgoing: Temporary("no connection", channel=True)
    await world.deliver(world.sms)
    for _ in range(2):
        clock.advance(timedelta(days=2))
        await world.prepare()
    async with reading(world.db) as tx:
        rows = (await tx.execute(select(outbox))).all()
    bodies = [orjson.loads(row.body)["data"] for row in rows]
    assert [(row.type, body["reason"]) for row, body in zip(rows, bodies, strict=True)] == [
        ("message.failed", "stale")
    ], "of news that came too late nobody was to be told"


async def test_progress_counts_what_waits_and_how_fast_it_leaves(
    world: World, said: Said, clock: ManualClock
) -> None:
    await world.hear(said.contract(), said.subscriber(), said.payment(), said.access())
    await world.prepare()
    await world.deliver(world.sms)
    async with transaction(world.db) as tx:
        later = journal.message.update().where(journal.message.c.kind == "payment")
        await tx.execute(later.values(due_at=clock() + timedelta(hours=1)))
    async with reading(world.db) as tx:
        found = await progress.look(tx, clock())
    assert {(w.channel, w.urgency.name, w.state, w.count) for w in found.waiting} == {
        ("email", "NOW", "ready", 1),
        ("email", "SOON", "held", 1),
    }
    assert {(p.channel, p.sent_lately, p.seconds_left) for p in found.paces} == {
        ("email", 0, None),
        ("sms", 2, 0),
    }
