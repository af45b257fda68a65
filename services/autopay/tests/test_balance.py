"""A balance below its threshold: said beforehand, charged once, waited for, charged again."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from autopay.case import State
from shared.inbox import Outcome

if TYPE_CHECKING:
    from conftest import Said, World

HOUR = timedelta(hours=1)


async def test_a_crossing_is_said_then_charged_once(world: World, said: Said) -> None:
    mandate = await world.begin()
    (watch,) = await world.heard()
    assert (watch["type"], watch["kind"], watch["threshold_kopecks"]) == (
        "watch.set",
        "balance",
        10_000,
    )
    await world.hear(said.low())
    (upcoming,) = await world.heard()
    charge = await world.charge()
    assert upcoming["type"] == "autopay.upcoming"
    assert upcoming["charge_id"] == charge.id
    assert upcoming["mandate_id"] == str(mandate.id)
    assert upcoming["amount_kopecks"] == 60_000
    assert (upcoming["why"], upcoming["method_title"]) == ("balance", "Visa •m-1")
    assert upcoming["skip_url"].startswith("https://pay.example.org/autopay/skip?token=")
    assert charge.charge_at == world.NOON + HOUR
    await world.until(world.NOON + HOUR - timedelta(seconds=1))
    assert await world.heard() == []
    await world.until(world.NOON + HOUR)
    (asked,) = await world.heard()
    assert asked["type"] == "charge.requested"
    assert (asked["charge_id"], asked["amount_kopecks"]) == (charge.id, 60_000)
    assert (asked["provider"], asked["method_ref"]) == world.CARD
    assert asked["not_after"] == "2026-11-22T10:10:00Z"
    await world.work()
    assert await world.heard() == []


async def test_after_a_success_nothing_is_charged_before_news_of_the_balance(
    world: World, said: Said
) -> None:
    charge = await world.requested()
    await world.heard()
    await world.hear(said.paid(charge))
    await world.after(3 * HOUR)
    assert [each.state for each in await world.charges()] == [State.SUCCEEDED]
    await world.hear(said.posted(charge, balance_kopecks=7_000, available_kopecks=7_000))
    again = await world.charge()
    assert (again.number, again.occasion) == (2, "balance:1")
    # What was recommended is less now, and still the balance is below its threshold.
    assert again.amount_kopecks == 58_000


async def test_recovery_ends_the_crossing(world: World, said: Said) -> None:
    charge = await world.requested()
    await world.hear(said.paid(charge), said.posted(charge), said.recovered())
    await world.after(48 * HOUR)
    assert len(await world.charges()) == 1
    assert (await world.occasion("balance:1")).reason == "recovered"
    await world.hear(said.low(crossing=2))
    assert (await world.charge()).occasion == "balance:2"


async def test_recovery_that_comes_first_leaves_nothing_to_charge(world: World, said: Said) -> None:
    await world.begin()
    await world.hear(said.recovered())
    await world.hear(said.low(balance_kopecks=5_000))
    assert await world.charges() == []


async def test_a_later_crossing_supersedes_an_earlier_one(world: World, said: Said) -> None:
    await world.begin()
    await world.hear(said.low(crossing=1))
    await world.hear(said.low(crossing=2))
    await world.hear(said.low(crossing=1))
    charges = await world.charges()
    assert [(each.occasion, each.state) for each in charges] == [
        ("balance:1", State.DROPPED),
        ("balance:2", State.ANNOUNCED),
    ]


async def test_who_pays_himself_is_not_charged(world: World, said: Said) -> None:
    await world.begin()
    await world.hear(said.low())
    await world.heard()
    world.clock.advance(timedelta(minutes=30))
    await world.hear(said.posted())
    (dropped,) = await world.heard()
    assert (dropped["type"], dropped["reason"]) == ("autopay.dropped", "paid")
    await world.after(5 * HOUR)
    assert await world.heard() == []


async def test_who_pays_a_part_is_charged_the_rest(world: World, said: Said) -> None:
    await world.begin()
    await world.hear(said.low())
    world.clock.advance(timedelta(minutes=30))
    await world.hear(
        said.posted(amount_kopecks=4_000, balance_kopecks=9_000, available_kopecks=9_000)
    )
    await world.after(HOUR)
    assert (await world.charge()).amount_kopecks == 56_000


async def test_balances_are_ordered_by_the_moment_at_core(light: World, said: Said) -> None:
    await light.begin()
    late = said.low()
    light.clock.advance(timedelta(minutes=1))
    await light.hear(said.posted())
    await light.hear(late)
    await light.after(2 * HOUR)
    assert await light.charges() == []


async def test_nobody_is_charged_at_night(light: World, said: Said) -> None:
    await light.begin()
    await light.until(light.NOON + 10 * HOUR)
    await light.hear(said.low())
    charge = await light.charge()
    # It is said in the morning: at night nobody would hear of it before it is made.
    assert charge.announce_at is not None
    assert charge.announce_at.isoformat() == "2026-11-23T06:00:00+00:00"
    assert charge.charge_at.isoformat() == "2026-11-23T07:00:00+00:00"


@pytest.mark.parametrize(
    ("low", "said_at", "charge_at"),
    [("17:30", "22T17:30", "23T06:00"), ("17:50", "23T06:00", "23T07:00")],
)
async def test_what_is_for_the_morning_is_said_the_day_before(
    light: World, said: Said, low: str, said_at: str, charge_at: str
) -> None:
    await light.begin()
    await light.until(datetime.fromisoformat(f"2026-11-22T{low}+00:00"))
    await light.hear(said.low())
    charge = await light.charge()
    assert charge.announce_at is not None
    found = [f"{each:%dT%H:%M}" for each in (charge.announce_at, charge.charge_at)]
    assert found == [said_at, charge_at]


async def test_a_scheduler_that_was_dead_does_what_is_due_once(light: World, said: Said) -> None:
    await light.begin()
    await light.hear(said.low())
    await light.heard()
    await light.after(26 * HOUR)
    (asked,) = await light.heard()
    assert asked["type"] == "charge.requested"


async def test_a_charge_that_is_late_by_days_is_said_anew(light: World, said: Said) -> None:
    await light.begin()
    await light.hear(said.low())
    await light.heard()
    await light.after(timedelta(days=4))
    dropped, upcoming = await light.heard()
    assert (dropped["type"], dropped["reason"]) == ("autopay.dropped", "late")
    assert upcoming["type"] == "autopay.upcoming"
    assert upcoming["charge_id"] != dropped["charge_id"]


async def test_a_mandate_made_while_the_balance_is_low_charges(light: World, said: Said) -> None:
    await light.known()
    await light.hear(said.due())
    await light.create()
    first = await light.charge()
    assert first.occasion.startswith("balance:look:")
    # The crossing that core-billing finds later is the same need of money.
    await light.hear(said.low())
    assert await light.charge() == first
    await light.hear(said.posted(), said.recovered())
    assert [each.state for each in await light.charges()] == [State.DROPPED]


async def test_of_other_watchers_only_the_balance_is_heard(light: World, said: Said) -> None:
    await light.begin()
    await light.hear(said.low(watcher="notifier"), said.fee(watcher="notifier"))
    assert await light.charges() == []


async def test_a_fixed_sum_is_charged_as_often_as_it_takes(light: World, said: Said) -> None:
    await light.begin(replace(light.BALANCE, amount_kopecks=3_000))
    await light.hear(said.low())
    for balance in (8_000, 11_000):
        await light.until((await light.charge()).charge_at)
        charge = await light.charge()
        assert charge.amount_kopecks == 3_000
        await light.hear(said.paid(charge))
        await light.hear(said.posted(charge, balance_kopecks=balance, available_kopecks=balance))
    assert [each.state for each in await light.charges()] == [State.SUCCEEDED] * 2


async def test_without_notice_a_charge_is_made_at_once(light: World, said: Said) -> None:
    short = replace(light.RULES.notice_balance, length=timedelta(0), least=timedelta(0))
    light.rules = replace(light.RULES, notice_balance=short)
    await light.begin()
    await light.heard()
    await light.hear(said.low())
    assert [each["type"] for each in await light.heard()] == ["charge.requested"]


async def test_what_autopay_does_not_read_is_poison(light: World, said: Said) -> None:
    event = replace(said.low(), type="payment.unmatched")
    assert await light.hear(event) == [Outcome.POISON]
