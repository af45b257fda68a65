"""A short year of a few mandates: every promise is looked at, and the looking itself is tried."""

from __future__ import annotations

import asyncio

import pytest

from servers.fixtures import Databases
from year import play
from year.apart import Apart
from year.engine import Clock, migrate
from year.outcome import HEAD
from year.play import BEGUN, Plan, found
from year.world import World


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_five_weeks_of_a_few_mandates(sqlite_databases: Databases) -> None:
    url = sqlite_databases("autopay")
    made, broken = asyncio.run(play.play(url, "calendar", Plan(20, 35, 2, deaths=0.01), None))

    assert broken == []
    assert made.taken_kopecks > 20 * 39_000
    assert made.charges > 20
    assert made.row().count("|") == HEAD.partition("\n")[0].count("|")


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_process_that_is_killed_charges_nobody_twice(postgres_databases: Databases) -> None:
    url = postgres_databases("autopay")

    async def hours(count: int) -> World:
        await migrate(url)
        engine = Apart(url, Clock(BEGUN), seed=1, kills=2)
        world = World(engine, 1, 12, play.START, 2)
        await world.open()
        for _ in range(count):
            await world.hour()
        world.end()
        await engine.close()
        return world

    world = asyncio.run(hours(36))

    assert found(world) == []
    assert world.engine.restarts == 2
    assert any(one.outcome == "succeeded" for one in world.bank.charges.values())
