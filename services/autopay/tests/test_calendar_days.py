"""Fees that are near, and days of the calendar: when they are said, charged, passed over."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from autopay.case import State

if TYPE_CHECKING:
    from conftest import Said, World

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


async def test_a_day_is_said_a_day_before_and_charged_once(world: World) -> None:
    await world.begin(world.DAY)
    await world.until(world.NOON + 2 * DAY - 4 * HOUR)
    assert await world.heard() == []
    await world.until(world.NOON + 2 * DAY - 3 * HOUR)
    (upcoming,) = await world.heard()
    assert (upcoming["type"], upcoming["why"]) == ("autopay.upcoming", "day")
    assert upcoming["charge_at"] == "2026-11-25T06:00:00Z"
    await world.until(world.NOON + 3 * DAY)
    (asked,) = await world.heard()
    assert (asked["type"], asked["amount_kopecks"]) == ("charge.requested", 65_000)


async def test_a_day_missed_by_little_is_done_late_once(light: World, said: Said) -> None:
    await light.begin(light.DAY)
    await light.until(light.NOON + 5 * DAY)
    (upcoming,) = await light.heard()
    assert (upcoming["type"], upcoming["charge_at"]) == (
        "autopay.upcoming",
        "2026-11-28T09:00:00Z",
    )
    await light.after(DAY)
    assert [each["type"] for each in await light.heard()] == ["charge.requested"]


async def test_a_day_missed_by_much_is_passed_over_aloud(light: World) -> None:
    await light.begin(light.DAY)
    with capture_logs() as heard:
        await light.until(light.NOON + 20 * DAY)
    assert [each["event"] for each in heard] == ["alarm.autopay_day_missed"]
    assert await light.heard() == []
    assert await light.charges() == []


async def test_a_clock_that_is_put_back_repeats_nothing(light: World, said: Said) -> None:
    await light.begin(light.DAY)
    await light.until(light.NOON + 2 * DAY)
    await light.until(light.NOON + 3 * DAY)
    charge = await light.charge()
    await light.hear(said.paid(charge), said.posted(charge))
    light.clock._now = light.NOON
    await light.work()
    for _ in range(4):
        await light.after(DAY)
    assert [each.state for each in await light.charges()] == [State.SUCCEEDED]


async def test_days_within_a_pause_are_left_out(light: World, said: Said) -> None:
    mandate = await light.begin(light.DAY)
    await light.act("pause", mandate, date(2026, 11, 26))
    for _ in range(10):
        await light.after(DAY)
    assert await light.charges() == []
    await light.until(light.NOON + 32 * DAY)
    assert (await light.charge()).occasion == "day:2026-12-25"


async def test_the_day_of_other_terms_begins_anew(light: World) -> None:
    mandate = await light.begin(light.DAY)
    await light.act("change", mandate, replace(light.DAY, day_of_month=23))
    await light.until(light.NOON + 4 * HOUR)
    assert (await light.charge()).occasion == "day:2026-11-23"


async def test_another_day_takes_the_place_of_one_that_is_planned(light: World) -> None:
    mandate = await light.begin(light.DAY)
    await light.until(light.NOON + 2 * DAY)
    assert (await light.charge()).occasion == "day:2026-11-25"
    await light.act("change", mandate, replace(light.DAY, day_of_month=28))
    await light.until(light.NOON + 5 * DAY)
    await light.until(light.NOON + 6 * DAY)
    assert [each.occasion for each in await light.charges() if each.requested_at] == [
        "day:2026-11-28"
    ]


async def test_a_day_that_is_chosen_again_is_charged(light: World) -> None:
    """It was let go for another day only, and nothing was charged for it."""
    mandate = await light.begin(light.DAY)
    await light.until(light.NOON + 2 * DAY)
    mandate = await light.act("change", mandate, replace(light.DAY, day_of_month=10))
    await light.after(HOUR)
    await light.act("change", mandate, light.DAY)
    await light.until((await light.charge()).charge_at)
    charge = await light.charge()
    assert (charge.state, charge.occasion) == (State.REQUESTED, "day:2026-11-25")


async def test_a_new_mandate_charges_the_day_that_the_last_one_has_only_said(
    light: World, said: Said
) -> None:
    mandate = await light.begin(light.DAY)
    await light.until(light.NOON + 2 * DAY)
    await light.act("revoke", mandate, "asked")
    other = light.CARD._replace(method_ref="m-3")
    await light.hear(said.saved(other))
    await light.create(replace(light.DAY, method=other))
    await light.until((await light.charge()).charge_at)
    charge = await light.charge()
    assert (charge.method, charge.occasion) == (other, "day:2026-11-25")


async def test_a_day_that_was_charged_for_is_not_charged_again_when_it_is_chosen_again(
    light: World, said: Said
) -> None:
    """The outcome comes when the day has been let go already; then the clock is put back."""
    mandate = await light.begin(light.DAY)
    await light.until(light.NOON + 2 * DAY)
    await light.until((await light.charge()).charge_at)
    charge = await light.charge()
    mandate = await light.act("change", mandate, replace(light.DAY, day_of_month=10))
    await light.hear(said.paid(charge), said.posted(charge))
    light.clock._now = light.NOON + 2 * DAY
    await light.act("change", mandate, light.DAY)
    for _ in range(3):
        await light.after(DAY)
    assert [each.state for each in await light.charges()] == [State.SUCCEEDED]


@pytest.mark.parametrize(("ends", "charged"), [(True, []), (False, ["day:2026-11-25"])])
async def test_a_day_within_a_pause_is_passed_over(
    light: World, ends: bool, charged: list[str]
) -> None:
    mandate = await light.begin(light.DAY)
    await light.until(light.NOON + 2 * DAY)
    await light.act("pause", mandate, date(2026, 11, 27))
    if not ends:
        await light.act("resume", mandate)
    await light.until(light.NOON + 4 * DAY + 23 * HOUR)
    await light.until(light.NOON + 6 * DAY)
    assert [each.occasion for each in await light.charges() if each.requested_at] == charged


async def test_fees_that_are_near_are_charged_what_is_needed(world: World, said: Said) -> None:
    await world.begin(world.FEE)
    await world.heard()
    await world.hear(said.fee())
    (upcoming,) = await world.heard()
    assert (upcoming["why"], upcoming["fees_on"]) == ("fee", "2026-12-01")
    assert upcoming["charge_at"] == "2026-11-23T09:00:00Z"
    assert "60000" in (await world.occasion("fee:2026-12-01")).lines
    await world.after(DAY)
    charge = await world.charge()
    assert (charge.state, charge.amount_kopecks) == (State.REQUESTED, 60_000)
    await world.hear(said.paid(charge), said.posted(charge))
    await world.after(30 * DAY)
    await world.hear(said.due(needed_kopecks=0))
    assert (await world.occasion("fee:2026-12-01")).reason == "paid"
    assert len(await world.charges()) == 1


async def test_what_is_paid_before_the_fees_is_taken_off(light: World, said: Said) -> None:
    await light.begin(light.FEE)
    await light.hear(said.fee())
    light.clock.advance(HOUR)
    await light.hear(
        said.posted(amount_kopecks=25_000, balance_kopecks=30_000, available_kopecks=30_000)
    )
    await light.after(DAY)
    (asked,) = await light.heard("charge.requested")
    assert asked["amount_kopecks"] == 35_000


async def test_a_block_that_comes_first_shortens_the_notice(light: World, said: Said) -> None:
    await light.begin(light.FEE)
    await light.hear(said.fee(fees_on=date(2026, 11, 23), blocks_on=date(2026, 11, 23)))
    charge = await light.charge()
    assert charge.charge_at < light.NOON + DAY - 12 * HOUR


async def test_the_next_fees_supersede_the_last(light: World, said: Said) -> None:
    await light.begin(light.FEE)
    await light.hear(said.fee())
    await light.hear(said.fee(fees_on=date(2026, 12, 2)))
    found: list[Any] = [(each.occasion, each.state) for each in await light.charges()]
    assert found == [
        ("fee:2026-12-01", State.DROPPED),
        ("fee:2026-12-02", State.ANNOUNCED),
    ]
