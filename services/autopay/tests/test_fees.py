"""Fees that are near: what they need is charged once, whatever is recommended meanwhile."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from autopay.case import State
from autopay.mandate import MethodName

if TYPE_CHECKING:
    from conftest import Said, World

HOUR = timedelta(hours=1)
AFTER = datetime(2026, 11, 30, 21, 6, tzinfo=UTC)
"""The fees of December have been charged."""


async def test_fees_that_are_paid_are_not_charged_again_for_the_next_ones(
    light: World, said: Said
) -> None:
    charge = await light.requested(light.FEE)
    await light.hear(said.paid(charge), said.posted(charge))
    assert (await light.occasion("fee:2026-12-01")).reason == "paid"
    await light.until(AFTER)
    await light.hear(said.due(balance_kopecks=0, available_kopecks=0, needed_kopecks=65_000))
    await light.after(24 * HOUR)
    assert [each.state for each in await light.charges()] == [State.SUCCEEDED]


@pytest.mark.parametrize("recommended", [0, 130_000])
async def test_what_is_recommended_for_other_fees_changes_nothing(
    light: World, said: Said, recommended: int
) -> None:
    await light.begin(light.FEE)
    await light.hear(said.fee())
    light.clock.advance(timedelta(minutes=5))
    await light.hear(said.due(needed_kopecks=recommended))
    await light.after(24 * HOUR)
    charge = await light.charge()
    assert (charge.state, charge.number, charge.amount_kopecks) == (State.REQUESTED, 1, 60_000)


async def test_after_the_fees_no_more_is_charged_than_is_owed(light: World, said: Said) -> None:
    charge = await light.requested(light.FEE)
    await light.hear(said.failed(charge, "issuer_unavailable"))
    await light.until(AFTER + 24 * HOUR)
    await light.hear(said.posted(balance_kopecks=-35_000, available_kopecks=-35_000))
    await light.until((await light.charge()).charge_at)
    again = await light.charge()
    assert (again.state, again.amount_kopecks) == (State.REQUESTED, 35_000)


async def test_a_charge_that_is_planned_anew_has_the_whole_notice(light: World, said: Said) -> None:
    mandate = await light.begin(light.FEE)
    await light.hear(said.fee())
    await light.act("change", mandate, replace(light.FEE, cap_kopecks=200_000))
    assert (await light.charge()).charge_at == light.NOON + 24 * HOUR


async def test_fees_that_a_new_mandate_finds_are_charged(world: World, said: Said) -> None:
    mandate = await world.begin(world.FEE)
    await world.hear(said.fee())
    await world.act("revoke", mandate, "asked")
    other = MethodName("yookassa:100500", "m-3")
    await world.hear(said.saved(other))
    made = await world.create(replace(world.FEE, method=other, reserve=None))
    charge = await world.charge()
    assert (charge.mandate_id, charge.method, charge.amount_kopecks) == (made.id, other, 60_000)
    # What was said of the fees before comes again, and is known.
    await world.hear(said.fee())
    await world.until(charge.charge_at)
    assert [each.state for each in await world.charges()] == [State.DROPPED, State.REQUESTED]


async def test_terms_that_change_and_change_back_keep_the_fees(light: World, said: Said) -> None:
    mandate = await light.begin(light.FEE)
    await light.hear(said.fee())
    await light.act("change", mandate, replace(light.DAY, day_of_month=10))
    await light.act("change", mandate, light.FEE)
    assert (await light.charge()).amount_kopecks == 60_000


async def test_fees_that_were_skipped_stay_so_for_a_new_mandate(light: World, said: Said) -> None:
    mandate = await light.begin(light.FEE)
    await light.hear(said.fee())
    await light.act("skip", mandate)
    await light.act("change", mandate, replace(light.FEE, days_before=5))
    assert [each.state for each in await light.charges()] == [State.DROPPED]
