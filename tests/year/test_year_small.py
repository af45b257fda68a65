"""A short year of a few mandates: every promise is looked at, and the looking itself is tried."""

from __future__ import annotations

import asyncio

import pytest

from servers.fixtures import Databases
from year import apart, play
from year.engine import Clock, migrate
from year.outcome import HEAD
from year.play import BEGUN, Plan, found
from year.world import World


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_three_months_of_sixty_mandates(fresh_database: Databases) -> None:
    url = fresh_database("autopay")
    made, broken = asyncio.run(play.play(url, "calendar", Plan(60, 92, 1, deaths=0.01), None))

    assert broken == []
    assert made.taken_kopecks > 60 * 39_000
    assert made.troubles
    assert made.recovered
    assert made.row().count("|") == HEAD.partition("\n")[0].count("|")


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_process_that_is_killed_charges_nobody_twice(postgres_databases: Databases) -> None:
    url = postgres_databases("autopay")

    async def days(count: int) -> World:
        await migrate(url)
        engine = apart.Apart(url, Clock(BEGUN), seed=1, kills=3)
        world = World(engine, 1, 15, play.START, count)
        await world.open()
        for _ in range(24 * count):
            await world.hour()
        await engine.close()
        return world

    world = asyncio.run(days(4))

    assert found(world) == []
    assert world.engine.restarts == 3
    assert any(one.outcome == "succeeded" for one in world.bank.charges.values())
