"""Several replicas at once, and one that dies: each contract is decided once at a time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from autopay import accounts, reviews, work
from autopay.case import State
from autopay.mandate import MethodName
from shared.db import transaction

if TYPE_CHECKING:
    from conftest import Said, World

CONTRACTS = [str(number) for number in range(8)]


async def _low(world: World, said: Said) -> None:
    """Bring a dozen contracts to a charge that is due at once."""
    for number in CONTRACTS:
        name = MethodName("yookassa:100500", f"m-{number}")
        await world.known(number, name)
        await world.create(replace(world.BALANCE, method=name), number)
    await world.hear(*(said.low(number) for number in CONTRACTS))
    world.clock.advance(world.RULES.notice_balance.length)


async def _dying(world: World) -> None:
    async with transaction(world.db) as tx:
        held = await accounts.lock(tx, CONTRACTS)
        assert await reviews.review(tx, world.autopay, held, {}, world.clock()) == len(CONTRACTS)
        raise KeyboardInterrupt


async def test_replicas_ask_for_each_charge_once(world: World, said: Said) -> None:
    await _low(world, said)
    await world.heard()
    due = [said.due(number) for number in CONTRACTS]
    await asyncio.gather(
        *(work.request_due(world.autopay) for _ in range(4)),
        *(world.hear(event) for event in due),
        *(work.announce_due(world.autopay) for _ in range(2)),
    )
    await work.request_due(world.autopay)
    asked = [each["contract"] for each in await world.heard("charge.requested")]
    assert sorted(asked) == sorted(CONTRACTS)


async def test_a_death_before_the_commit_asks_for_nothing(light: World, said: Said) -> None:
    await _low(light, said)
    await light.heard()
    with pytest.raises(KeyboardInterrupt):
        await _dying(light)
    assert await light.heard() == []
    await light.work()
    assert len(await light.heard("charge.requested")) == len(CONTRACTS)


async def test_a_case_that_cannot_be_decided_holds_up_nobody(
    light: World, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _low(light, said)
    await light.heard()
    decide = reviews.decide

    def broken(case: object, *rest: object) -> object:
        if case.contract == "3":  # type: ignore[attr-defined]
            raise ArithmeticError("a bug")
        return decide(case, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(reviews, "decide", broken)
    with capture_logs() as heard:
        await light.work()
    assert {each["contract"] for each in heard if each["event"] == "alarm.autopay_undecided"} == {
        "3"
    }
    asked = await light.heard("charge.requested")
    assert sorted(each["contract"] for each in asked) == sorted({*CONTRACTS} - {"3"})
    assert (await light.charge("3")).state is State.ANNOUNCED
