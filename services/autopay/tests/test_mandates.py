"""What a subscriber may do with a mandate, what is refused, and what follows from each act."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from autopay import mandates, methods
from autopay.case import State
from autopay.mandate import MethodName
from shared.db import reading
from shared.errors import Conflict, Invalid, NotFound

if TYPE_CHECKING:
    from conftest import Said, World

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


async def test_a_mandate_is_kept_as_it_was_agreed_to(world: World) -> None:
    made = await world.begin(world.FEE)
    assert (made.terms, made.live, made.revision) == (world.FEE, True, 1)
    assert await world.mandate(made) == made
    async with reading(world.db) as tx:
        assert await mandates.of_contract(tx, world.NUMBER) == made
        assert await mandates.page(tx, limit=10, state="active") == [made]
        before = (made.created_at, made.id)
        assert await mandates.page(tx, limit=10, contract=world.NUMBER, before=before) == []
        (proof,) = await mandates.history(tx, made.id)
    assert (proof.act, proof.version, proof.address, proof.channel, proof.at) == (
        *("create", "2026-11", "203.0.113.7", "page"),
        world.NOON,
    )
    assert orjson.loads(proof.terms)["cap_kopecks"] == 300_000
    (watch,) = await world.heard()
    assert (watch["type"], watch["kind"], watch["days"]) == ("watch.set", "fee", 3)


async def test_of_unknown_closed_or_foreign_nothing_is_made(light: World, said: Said) -> None:
    with pytest.raises(NotFound):
        await light.create()
    foreign = MethodName("yookassa:100500", "m-9")
    await light.known("7", foreign)
    await light.known()
    for wrong in (
        replace(light.BALANCE, method=foreign),
        replace(light.BALANCE, reserve=foreign),
        replace(light.BALANCE, threshold_kopecks=300_001),
    ):
        with pytest.raises(Invalid):
            await light.create(wrong)
    await light.hear(said.removed(light.SBP))
    with pytest.raises(Invalid):
        await light.create(replace(light.BALANCE, reserve=light.SBP))
    await light.hear(said.contract(revision=2, status="closed"))
    with pytest.raises(Conflict):
        await light.create()
    assert await light.heard() == []


async def test_a_contract_has_one_live_mandate(world: World) -> None:
    await world.begin()
    with pytest.raises(Conflict):
        await world.create()


async def test_refusal_works_at_once_and_for_good(world: World, said: Said) -> None:
    mandate = await world.begin(replace(world.BALANCE, reserve=world.SBP))
    await world.hear(said.low())
    await world.heard()
    ended = await world.act("revoke", mandate, "subscriber")
    assert (ended.live, ended.revision, ended.revoked_at) == (False, 2, world.clock())
    told = {each["type"]: each for each in await world.heard()}
    assert told.keys() == {"watch.cleared", "mandate.revoked", "autopay.dropped"}
    assert [(m["provider"], m["method_ref"]) for m in told["mandate.revoked"]["methods"]] == [
        world.CARD,
        world.SBP,
    ]
    assert told["autopay.dropped"]["reason"] == "revoked"
    # Late and repeated events bring nothing back.
    await world.hear(said.saved(world.CARD, revision=9), said.saved(world.SBP, revision=9))
    await world.hear(said.low(crossing=2), said.due())
    await world.after(40 * DAY)
    assert await world.heard() == []
    async with reading(world.db) as tx:
        assert await methods.live(tx, world.NUMBER) == []
    assert await world.act("revoke", mandate, "again") == ended
    with pytest.raises(Conflict):
        await world.act("pause", mandate, date(2027, 3, 1))
    with pytest.raises(Invalid):
        await world.create()


async def test_a_charge_whose_request_is_still_here_is_taken_back(world: World, said: Said) -> None:
    await world.requested()
    async with reading(world.db) as tx:
        mandate = await mandates.of_contract(tx, world.NUMBER)
    assert mandate is not None
    await world.act("revoke", mandate, "subscriber")
    types = [each["type"] for each in await world.heard()]
    assert "charge.requested" not in types
    assert types[-2:] == ["mandate.revoked", "autopay.dropped"]
    assert [each.state for each in await world.charges()] == [State.DROPPED]


async def test_a_charge_that_had_left_is_concluded_after_the_refusal(
    light: World, said: Said
) -> None:
    charge = await light.requested()
    async with reading(light.db) as tx:
        mandate = await mandates.of_contract(tx, light.NUMBER)
    assert mandate is not None
    await light.publish()
    await light.act("revoke", mandate, "subscriber")
    await light.heard()
    assert (await light.charge()).state is State.REQUESTED
    await light.hear(said.paid(charge))
    assert [each.state for each in await light.charges()] == [State.SUCCEEDED]
    await light.hear(said.failed(charge))
    assert await light.heard() == []


async def test_a_new_mandate_is_watched_under_a_greater_revision(light: World, said: Said) -> None:
    mandate = await light.begin()
    await light.act("revoke", mandate, "subscriber")
    fresh = MethodName("yookassa:100500", "m-3")
    await light.hear(said.saved(fresh))
    await light.heard()
    await light.create(replace(light.BALANCE, method=fresh))
    (watch,) = await light.heard()
    assert (watch["type"], watch["revision"]) == ("watch.set", 3)


async def test_a_closed_contract_ends_its_mandate(light: World, said: Said) -> None:
    mandate = await light.begin()
    await light.hear(said.low())
    await light.heard()
    await light.hear(said.contract(revision=2, status="closed"))
    assert not (await light.mandate(mandate)).live
    types = [each["type"] for each in await light.heard()]
    assert types == ["watch.cleared", "mandate.revoked", "autopay.dropped"]
    async with reading(light.db) as tx:
        (_, proof) = await mandates.history(tx, mandate.id)
    assert (proof.act, proof.channel, proof.detail) == ("revoke", "autopay", "closed")


async def test_a_pause_drops_what_is_planned_and_ends_by_itself(world: World, said: Said) -> None:
    mandate = await world.begin()
    await world.hear(said.low())
    await world.heard()
    paused = await world.act("pause", mandate, date(2026, 12, 1))
    assert paused.paused_until == date(2026, 12, 1)
    assert [each["reason"] for each in await world.heard()] == ["paused"]
    await world.hear(said.due())
    await world.until(world.NOON + 8 * DAY)
    assert await world.heard() == []
    await world.until(world.NOON + 9 * DAY)
    assert [each["type"] for each in await world.heard()] == ["autopay.upcoming"]


@pytest.mark.parametrize("day", [date(2026, 11, 22), date(2020, 1, 1), date(2028, 1, 1)])
async def test_a_pause_ends_on_a_day_to_come(light: World, day: date) -> None:
    mandate = await light.begin()
    with pytest.raises(Invalid):
        await light.act("pause", mandate, day)


async def test_resuming_looks_at_the_last_known_balance(light: World, said: Said) -> None:
    mandate = await light.begin()
    await light.act("pause", mandate, date(2026, 12, 1))
    await light.hear(said.due())
    await light.heard()
    resumed = await light.act("resume", mandate)
    assert resumed.paused_until is None
    assert [each["type"] for each in await light.heard()] == ["autopay.upcoming"]


async def test_a_skipped_charge_is_not_made_and_the_next_crossing_is(
    light: World, said: Said
) -> None:
    mandate = await light.begin()
    await light.hear(said.low())
    charge = await light.charge()
    await light.heard()
    after = await light.act("skip", mandate, charge_id=charge.id)
    assert not after.skip_next
    assert [each["reason"] for each in await light.heard()] == ["skipped"]
    await light.hear(said.due())
    await light.after(10 * DAY)
    assert await light.heard() == []
    again = await light.act("skip", mandate, charge_id=charge.id)
    assert again.revision == after.revision
    await light.hear(said.recovered())
    light.clock.advance(HOUR)
    await light.hear(said.low(crossing=2, balance_kopecks=1_000))
    assert [each["type"] for each in await light.heard()] == ["autopay.upcoming"]


async def test_the_next_one_is_skipped_where_none_is_planned(light: World, said: Said) -> None:
    mandate = await light.begin()
    assert (await light.act("skip", mandate)).skip_next
    await light.hear(said.low())
    assert await light.charges() == []
    assert not (await light.mandate(mandate)).skip_next
    assert (await light.occasion("balance:1")).reason == "skipped"


async def test_only_a_charge_of_its_own_that_has_not_left_is_skipped(
    light: World, said: Said
) -> None:
    charge = await light.requested()
    async with reading(light.db) as tx:
        mandate = await mandates.of_contract(tx, light.NUMBER)
    assert mandate is not None
    with pytest.raises(Conflict):
        await light.act("skip", mandate, charge_id=charge.id)
    with pytest.raises(NotFound):
        await light.act("skip", mandate, charge_id="no-such-charge")
    assert (await light.act("skip", mandate)).skip_next


async def test_other_terms_hold_at_once(light: World, said: Said) -> None:
    mandate = await light.begin()
    await light.hear(said.low())
    await light.heard()
    changed = await light.act(
        "change", mandate, replace(light.BALANCE, amount_kopecks=20_000, method=light.SBP)
    )
    assert (changed.revision, changed.terms.method) == (2, light.SBP)
    dropped, upcoming = await light.heard()
    assert (dropped["type"], dropped["reason"]) == ("autopay.dropped", "changed")
    assert (upcoming["type"], upcoming["amount_kopecks"]) == ("autopay.upcoming", 20_000)
    assert upcoming["method_title"] == "Visa •m-2"


async def test_another_trigger_lets_the_old_occasion_go(light: World, said: Said) -> None:
    mandate = await light.begin()
    await light.hear(said.low())
    await light.heard()
    await light.act("change", mandate, light.DAY)
    kinds = [(each["type"], each.get("kind")) for each in await light.heard()]
    assert kinds == [("watch.cleared", "balance"), ("autopay.dropped", None)]
    assert (await light.occasion("balance:1")).reason == "changed"


async def test_a_removed_method_is_charged_no_more(light: World, said: Said) -> None:
    await light.begin(replace(light.BALANCE, reserve=light.SBP))
    await light.hear(said.low())
    await light.heard()
    await light.hear(said.removed(light.CARD))
    types = [each["type"] for each in await light.heard()]
    assert types == ["autopay.dropped", "autopay.upcoming"]
    assert (await light.charge()).method == light.SBP
    await light.hear(said.removed(light.SBP), said.saved(light.CARD))
    dropped, failed = await light.heard()
    assert (dropped["reason"], failed["reason"], failed["needs"]) == (
        *("method_gone", "method_gone"),
        "new_method",
    )
    await light.hear(said.due())
    assert await light.heard() == []


async def test_the_cap_of_a_month_holds_until_the_next(light: World, said: Said) -> None:
    await light.begin(replace(light.BALANCE, cap_kopecks=70_000))
    for _ in range(2):
        await light.hear(said.low())
        await light.until((await light.charge()).charge_at)
        charge = await light.charge()
        await light.hear(said.paid(charge))
        await light.hear(
            said.posted(charge, balance_kopecks=5_000, available_kopecks=5_000), said.due()
        )
    amounts = [each.amount_kopecks for each in await light.charges()]
    assert amounts == [60_000, 10_000]
    failed: dict[str, Any] = (await light.heard("autopay.failed"))[0]
    assert (failed["reason"], failed["needs"]) == ("cap", "promise")
    await light.until(light.NOON + 8 * DAY)
    assert await light.heard() == []
    await light.until(light.NOON + 9 * DAY)
    assert [each["type"] for each in await light.heard()] == ["autopay.upcoming"]


async def test_cards_that_expire_are_told_of_once(world: World, said: Said) -> None:
    await world.hear(said.contract(), said.saved(expires="2026-12"))
    await world.hear(said.saved(world.SBP, expires="2027-01"))
    mandate = await world.create(replace(world.BALANCE, reserve=world.SBP))
    await world.heard()
    assert not await world.expire()
    (told,) = await world.heard()
    assert (told["type"], told["expires"]) == ("autopay.expiring", "2026-12")
    assert told["mandate_id"] == str(mandate.id)
    world.clock.advance(15 * DAY)
    await world.expire()
    assert [each["expires"] for each in await world.heard()] == ["2027-01"]
    world.clock.advance(DAY)
    await world.expire()
    assert await world.heard() == []


async def test_skipping_a_low_balance_skips_its_crossing_too(light: World, said: Said) -> None:
    await light.known()
    await light.hear(said.due())
    mandate = await light.create()
    await light.hear(said.low())
    await light.heard()
    await light.act("skip", mandate)
    await light.hear(said.due())
    assert [each["type"] for each in await light.heard()] == ["autopay.dropped"]
