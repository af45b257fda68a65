"""What was said of watches and ended mandates is said again for whoever has lost it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from autopay import republish
from autopay.mandate import MethodName
from shared.db import reading
from shared.outbox_table import outbox

if TYPE_CHECKING:
    from conftest import World

DAY = timedelta(days=1)
TOLD = ("watch.set", "watch.cleared", "mandate.revoked")


def _plain(told: list[dict[str, Any]]) -> list[str]:
    """Return what was said of states, in an order of its own; each moment is the newest one."""
    return sorted(
        str({name: value for name, value in each.items() if name != "occurred_at"})
        for each in told
        if each["type"] in TOLD
    )


async def test_each_watch_and_each_refusal_is_said_as_it_stands(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(republish, "PAGE", 1)
    other = MethodName("yookassa:100500", "m-9")
    ended = await world.begin(replace(world.BALANCE, reserve=world.SBP))
    await world.act("revoke", ended, "subscriber")
    await world.known("7", other)
    kept = await world.create(replace(world.FEE, method=other, reserve=None), "7")
    told = await world.heard()
    world.clock.advance(DAY)
    assert await republish.republish(world.autopay, "run-1") == 3
    again = await world.heard()
    last = [each for each in told if each["type"] != "watch.set" or each["contract"] == "7"]
    assert _plain(again) == _plain(last), "the newest state of each, under its old revision"
    assert [each["revision"] for each in again if each["type"] == "mandate.revoked"] == [2]
    assert {each["contract"] for each in again} == {world.NUMBER, kept.contract}


async def test_another_run_says_it_once_more_under_new_events(world: World) -> None:
    await world.begin()
    for run in ("run-1", "run-2"):
        assert await republish.republish(world.autopay, run) == 1
    async with reading(world.db) as tx:
        rows = (await tx.execute(outbox.select())).all()
    assert len([row for row in rows if row.type == "watch.set"]) == 3
