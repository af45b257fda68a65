"""What becomes of a charge: said in any order, repeated, late; and what is tried next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from autopay import charges, methods
from autopay.case import State
from shared.db import reading

if TYPE_CHECKING:
    from conftest import Said, World

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def _alarms(heard: Sequence[Mapping[str, Any]]) -> list[str]:
    named = [each["event"] for each in heard]
    return [name.removeprefix("alarm.") for name in named if name.startswith("alarm.")]


async def test_a_soft_decline_is_tried_again_and_said_at_once(world: World, said: Said) -> None:
    charge = await world.requested()
    await world.heard()
    await world.hear(said.failed(charge))
    (failed,) = await world.heard("autopay.failed")
    again = await world.charge()
    assert failed["charge_id"] == charge.id
    assert failed["next_try_at"] == again.charge_at.isoformat().replace("+00:00", "Z")
    assert (failed["reason"], failed["needs"]) == ("insufficient_funds", "nothing")
    assert failed["next_method_title"] is None
    assert (again.number, again.method, again.state) == (2, world.CARD, State.PLANNED)
    assert again.charge_at.isoformat() == "2026-11-23T07:00:00+00:00"
    await world.until(again.charge_at - HOUR)
    assert [each["type"] for each in await world.heard()] == ["autopay.upcoming"]
    await world.until(again.charge_at)
    assert [each["type"] for each in await world.heard()] == ["charge.requested"]


async def test_a_hard_decline_stops_the_method_and_goes_on_with_the_reserve(
    world: World, said: Said
) -> None:
    charge = await world.requested(replace(world.BALANCE, reserve=world.SBP))
    await world.heard()
    await world.hear(said.failed(charge, "permission_revoked", failure="hard"))
    (failed,) = await world.heard("autopay.failed")
    assert (failed["needs"], failed["next_method_title"]) == ("new_method", "Visa •m-2")
    assert (await world.charge()).method == world.SBP
    async with reading(world.db) as tx:
        assert [each.name for each in await methods.live(tx, world.NUMBER)] == [world.SBP]


async def test_without_a_reserve_a_hard_decline_asks_for_a_new_method(
    light: World, said: Said
) -> None:
    charge = await light.requested()
    await light.heard()
    await light.hear(said.failed(charge, "card_expired", failure="hard"))
    (failed,) = await light.heard("autopay.failed")
    assert (failed["needs"], failed["next_try_at"]) == ("new_method", None)
    await light.after(30 * DAY)
    await light.hear(said.due())
    assert await light.heard("charge.requested") == []


async def test_the_shops_fault_lets_everybody_wait_and_blames_nobody(
    world: World, said: Said
) -> None:
    other = world.CARD._replace(method_ref="m-7")
    await world.begin()
    await world.known("7", other)
    await world.create(replace(world.BALANCE, method=other), "7")
    await world.hear(said.low())
    world.clock.advance(HOUR / 2)
    await world.hear(said.low("7"))
    waiting = await world.charge("7")
    await world.after(HOUR / 2)
    charge = await world.charge()
    await world.heard()
    with capture_logs() as heard:
        await world.hear(said.failed(charge, "forbidden", failure="shop"))
    assert _alarms(heard) == ["autopay_paused"]
    assert await world.heard("autopay.failed") == []
    again = await world.charge()
    assert again.charge_at == world.clock() + HOUR
    await world.until(waiting.charge_at)
    # That of the other contract is put off, too.
    assert await world.heard("charge.requested") == []
    await world.until(again.charge_at)
    assert len(await world.heard("charge.requested")) == 2


async def test_a_stale_charge_is_tried_again_soon(light: World, said: Said) -> None:
    charge = await light.requested()
    await light.heard()
    await light.hear(said.failed(charge, "not_after_passed", failure="stale"))
    assert await light.heard("autopay.failed") == []
    assert (await light.charge()).charge_at == light.clock() + HOUR


async def test_all_tries_over_offers_a_promise(light: World, said: Said) -> None:
    await light.begin()
    await light.hear(said.low())
    needs = []
    for _ in range(40):
        async with reading(light.db) as tx:
            upcoming = await charges.upcoming(tx, light.NUMBER)
        if upcoming is None:
            break
        await light.until(max(upcoming.announce_at or light.clock(), light.clock()))
        await light.until((await light.charge()).charge_at)
        await light.heard()
        await light.hear(said.failed(await light.charge()))
        needs += [each["needs"] for each in await light.heard("autopay.failed")]
    assert needs == ["nothing"] * 4 + ["promise"]
    await light.after(60 * DAY)
    await light.hear(said.due())
    assert await light.heard("charge.requested") == []


async def test_a_repeated_result_changes_nothing(light: World, said: Said) -> None:
    charge = await light.requested()
    await light.heard()
    await light.hear(said.failed(charge))
    again = await light.charge()
    await light.heard()
    with capture_logs() as heard:
        await light.hear(said.failed(charge), said.canceled(charge))
    assert await light.charge() == again
    assert await light.heard() == []
    assert _alarms(heard) == []


async def test_a_success_after_a_failure_is_money_and_an_alarm(light: World, said: Said) -> None:
    charge = await light.requested()
    await light.hear(said.failed(charge))
    await light.heard()
    with capture_logs() as heard:
        await light.hear(said.paid(charge))
    assert _alarms(heard) == ["autopay_charge_contradicted"]
    states = [each.state for each in await light.charges()]
    assert states == [State.SUCCEEDED, State.DROPPED]


async def test_a_failure_after_a_success_is_an_alarm_only(light: World, said: Said) -> None:
    charge = await light.requested()
    with capture_logs() as heard:
        await light.hear(said.paid(charge), said.failed(charge))
    assert _alarms(heard) == ["autopay_charge_contradicted"]
    assert [each.state for each in await light.charges()] == [State.SUCCEEDED]


async def test_an_unknown_outcome_stays_in_flight_and_is_an_alarm_once(
    world: World, said: Said
) -> None:
    charge = await world.requested()
    with capture_logs() as heard:
        await world.after(2 * HOUR)
        await world.after(2 * HOUR)
    assert _alarms(heard) == ["autopay_charge_unclear"]
    assert (await world.charge()).state is State.UNCLEAR
    await world.hear(said.low(crossing=2), said.due())
    await world.after(30 * DAY)
    assert len(await world.charges()) == 1
    await world.hear(said.paid(charge))
    assert [each.state for each in await world.charges()] == [State.SUCCEEDED]


@pytest.mark.parametrize("late", [False, True])
async def test_money_that_stands_on_the_contract_ends_an_unclear_charge(
    light: World, said: Said, late: bool
) -> None:
    """The gateway stops saying a success once core has booked it: its word may be lost."""
    charge = await light.requested()
    if late:
        await light.after(2 * HOUR)
        assert (await light.charge()).state is State.UNCLEAR
    with capture_logs() as heard:
        await light.hear(said.posted(charge))
        await light.after(2 * HOUR)
        assert [each.state for each in await light.charges()] == [State.SUCCEEDED]
        await light.hear(said.paid(charge))
    assert _alarms(heard) == []


async def test_a_paid_charge_that_nobody_knows_is_kept_aloud(light: World, said: Said) -> None:
    charge = await light.requested()
    with capture_logs() as heard:
        await light.hear(said.paid(replace(charge, id="other")))
        await light.hear(said.failed(replace(charge, id="third")))
    assert _alarms(heard) == ["autopay_charge_unknown"] * 2
    found = {each.id: each.state for each in await light.charges()}
    assert found == {charge.id: State.REQUESTED, "other": State.SUCCEEDED}


async def test_a_result_of_another_account_is_not_believed(light: World, said: Said) -> None:
    charge = await light.requested()
    with capture_logs() as heard:
        await light.hear(said.paid(charge, provider="osmp:1"))
    assert _alarms(heard) == ["autopay_charge_foreign"]
    assert (await light.charge()).state is State.REQUESTED


@pytest.mark.parametrize("late", [False, True])
async def test_posting_and_success_come_in_any_order(light: World, said: Said, late: bool) -> None:
    charge = await light.requested()
    posted = said.posted(charge, balance_kopecks=9_000, available_kopecks=9_000)
    for event in (said.paid(charge), posted)[:: -1 if late else 1]:
        await light.hear(event)
    assert (await light.charge()).number == 2


async def test_another_amount_that_was_paid_counts_as_it_was_paid(light: World, said: Said) -> None:
    charge = await light.requested()
    with capture_logs() as heard:
        await light.hear(said.paid(charge, amount_kopecks=1_000))
        await light.hear(said.paid(charge, amount_kopecks=2_000))
    assert _alarms(heard) == [
        "autopay_amount_differs",
        "autopay_amount_changed",
    ]
    assert [each.amount_kopecks for each in await light.charges()] == [1_000]


async def test_a_cap_that_is_reached_is_said_again_after_a_change(light: World, said: Said) -> None:
    small = replace(light.BALANCE, cap_kopecks=60_000)
    mandate = await light.begin(small)
    await light.hear(said.low())
    await light.until((await light.charge()).charge_at)
    charge = await light.charge()
    await light.hear(
        said.paid(charge), said.posted(charge, balance_kopecks=7_000, available_kopecks=7_000)
    )
    with capture_logs() as heard:
        await light.act("change", mandate, replace(small, cap_kopecks=60_500))
        light.clock.advance(HOUR)
        await light.act("change", mandate, replace(small, cap_kopecks=60_600))
    assert _alarms(heard) == []
