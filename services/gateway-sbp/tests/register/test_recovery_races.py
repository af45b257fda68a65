"""A callback, a register and the recovery at the same moment: one of them credits."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from gateway_sbp import signed
from gateway_sbp.paper_rows import paper_row
from sbp_books import MINUTE, NOON, SECOND, SHOP, Line, Place, make_place, register
from shared.db import open_database, reading
from shared.gateway import settling
from shared.gateway.registers import Elsewhere

PAID = Line()
MONTH = timedelta(days=30)
WAITING = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")


@pytest.fixture
async def other(place: Place, database_url: str) -> AsyncIterator[Place]:
    """Another service on the same database."""
    db = open_database(database_url)
    made = make_place(db)
    made.clock = place.clock
    made.gateway = replace(made.gateway, clock=place.clock)
    yield made
    await db.close()


class Paused:
    """Stops whoever credits a payment before it commits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.entered, self.go = asyncio.Event(), asyncio.Event()
        self._absorb = settling.absorb
        monkeypatch.setattr(settling, "absorb", self._wait)

    async def _wait(self, *args: Any) -> Any:
        decisions = await self._absorb(*args)
        if not self.entered.is_set():
            self.entered.set()
            await self.go.wait()
        return decisions


async def held_back(place: Place) -> None:
    """Wait until somebody waits for a lock; on SQLite a writer waits without a trace."""
    if not place.gateway.db.postgres:
        return
    async with asyncio.timeout(10):
        while True:
            async with reading(place.gateway.db) as tx:
                if (await tx.execute(WAITING)).scalar():
                    return
            await asyncio.sleep(0.01)


async def credited_once(place: Place, times: int = 1) -> None:
    assert sum((await place.credited()).values()) == times * 35_050


async def test_a_register_that_comes_while_the_callback_is_booked(
    place: Place, other: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.clock.advance(MONTH)
    paused = Paused(monkeypatch)
    booking = asyncio.create_task(place.callback("900001"))
    await paused.entered.wait()

    async def recovering() -> None:
        await other.read(register([PAID]))
        await other.recover()

    taking = asyncio.create_task(recovering())
    await held_back(place)
    paused.go.set()
    await asyncio.gather(booking, taking)
    await credited_once(place)
    (row,) = await place.rows(paper_row)
    assert (row.state, row.transaction_id) == ("matched", "900001")


async def test_a_callback_that_comes_while_its_row_is_recovered(
    place: Place, other: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    await place.read(register([PAID]))
    place.clock.advance(MONTH)
    paused = Paused(monkeypatch)
    recovering = asyncio.create_task(place.recover())
    await paused.entered.wait()
    booking = asyncio.create_task(other.callback("900001"))
    await held_back(place)
    paused.go.set()
    await asyncio.gather(recovering, booking)
    await credited_once(place)
    found = await signed.find(place.gateway.db, SHOP, "900001")
    assert found is not None
    assert found.payment.id.startswith("row-")


async def test_everything_at_once(place: Place, other: Place) -> None:
    place.clock.advance(MONTH)
    services = (place, other)
    for number in range(10):
        at = NOON + number * MINUTE
        body = register([replace(PAID, at=at)] * 2)

        async def read(where: Place, body: bytes = body) -> None:
            with contextlib.suppress(Elsewhere):  # the other one applies the same file
                await where.read(body)

        calls = [
            where.callback(f"90000{number}{one}", at + one * SECOND)
            for where in services
            for one in (1, 2)
        ]
        recoveries = [where.recover() for where in services * 2]
        await asyncio.gather(read(place), *calls[:2], *recoveries, *calls[2:], read(other))
        await place.recover()
        await credited_once(place, 2 * (number + 1))
