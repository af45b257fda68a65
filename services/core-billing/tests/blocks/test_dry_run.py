"""What is foretold for tonight is what the jobs then do."""

import asyncio
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from core_billing import (
    block_dry_run,
    contracts,
    fee_jobs,
    promise_jobs,
    service_changes,
    tariff_changes,
    terms,
)
from core_billing.block_dry_run import Foretold, Spared
from core_billing.policies import BLOCK, BLOCK_CALENDAR, PROMISE
from core_billing.policy_rows import load_all
from core_billing.tariff_changes import NewTariff
from shared.db import reading, transaction
from shared.events_billing import PaymentPending

TODAY, NIGHT = date(2026, 11, 30), date(2026, 12, 1)
HERE = pytest.mark.parametrize("db", ["sqlite"], indirect=True)


class Town:
    """Contracts of every kind, with services that fall due on the first of the month."""

    def __init__(self, books: Any) -> None:
        self.books = books

    async def tariff(self, name: str, kopecks: int, charging: Any, *, blocks: bool = True) -> None:
        new = NewTariff(
            name=name,
            label="internet",
            charging=charging,
            month_kopecks=kopecks,
            charge_while_blocked=False,
            blocks=blocks,
        )
        async with transaction(self.books.db) as tx:
            await tariff_changes.create(tx, new, "anna", self.books.clock(), TODAY)

    async def add(self, number: str, balance: str, tariff: str | None = None, **own: Any) -> None:
        await self.books.open(self.books.asked(number, balance))
        async with transaction(self.books.db) as tx:
            found = await contracts.find(tx, number)
            assert found is not None
            if tariff is not None:
                begins = (tx, found, tariff, TODAY, "anna", self.books.clock(), TODAY)
                await service_changes.begin(*begins)
            if own:
                row = {"revision": 1, "changed_by": "x", "charging": "advance", "priority": 1}
                row |= {"group_name": "default", "automatic_promise": False, "block_rule": None}
                row |= {"contract_id": found.id, **own}
                await tx.execute(insert(terms.terms).values(**row))

    async def foretold(self, day: date = NIGHT) -> dict[str, Foretold]:
        at = self.books.clock()
        async with reading(self.books.db) as tx:
            policies = await load_all(tx, day)
            found = await block_dry_run.piece(tx, self.books.core.rules, policies, 0, at, day)
        assert found.next_after is None
        return {one.position.number: one for one in found.found}

    def until(self, day: date, **more: int) -> None:
        moment = self.books.core.rules.start(day) + timedelta(**more)
        self.books.clock.advance(moment - self.books.clock())

    async def charge(self) -> None:
        core = self.books.core
        day = core.rules.day(core.clock())
        await fee_jobs.run(core, day, lambda _: None, asyncio.Event())


@pytest.fixture
async def town(books: Any, desk: Any) -> Town:
    made = Town(books)
    made.until(TODAY, hours=12)
    await made.tariff("Дом", 65_000, "monthly")
    await made.tariff("По дням", 31_000, "daily")
    await made.tariff("Вечный", 65_000, "monthly", blocks=False)
    return made


async def test_the_jobs_do_what_was_foretold(books: Any, desk: Any, town: Town) -> None:
    promise = {"automatic": True, "min": "1.00", "max": "5000.00", "days": 3}
    await desk.rule(PROMISE, **promise)
    await desk.rule(BLOCK, "group:patient", mode="after_days", days=1)
    await desk.rule(BLOCK_CALENDAR, minimum_debt="1.00")
    month = "21.66"  # a kopeck less than the last day of November costs
    await town.add("rich", "2000.00", "Дом")
    await town.add("just", "671.67", "Дом")
    await town.add("kopeck", "671.66", "Дом")
    await town.add("poor", month, "Дом")
    await town.add("kopecks", "30.00", "По дням")
    await town.add("daily", "10.50", "По дням")
    await town.add("owes", "-3.00")
    await town.add("little", "-0.99")
    await town.add("exempt", "0.00", "Вечный")
    await town.add("never", "0.00", "Дом", block_rule={"mode": "never"})
    await town.add("patient", "-3.00", group_name="patient")
    await town.add("patient-too", "22.00", "Дом", group_name="patient")
    await town.add("promised", "22.00", "Дом", automatic_promise=True)
    await town.add("sum", month, "Дом", block_rule={"mode": "above_sum", "sum": "649.00"})
    await town.add("more", month, "Дом", block_rule={"mode": "above_sum", "sum": "651.00"})
    await town.charge()
    await desk.step()
    assert await desk.blocked() == {"owes"}
    before = await town.foretold()
    assert {one.position.blocked for one in before.values()} == {False}
    town.until(NIGHT, minutes=1)
    await town.charge()
    await promise_jobs.step(books.core)
    await desk.step()
    spared = {number for number, one in before.items() if one.spared_by is not None}
    assert spared == {"promised"}
    cut = await desk.blocked() - {"owes"}
    assert cut == before.keys() - spared
    assert cut == {"poor", "daily", "patient", "sum"}
    events = {e["subject"]: e["data"] for e in await books.said("contract.blocked")}
    for number in cut:
        assert events[number]["reason"] == before[number].reason
        assert events[number]["available_kopecks"] == before[number].available_kopecks
        assert before[number].blocks_on == NIGHT


@HERE
async def test_what_would_spare_a_contract_is_named(books: Any, desk: Any, town: Town) -> None:
    await desk.rule(BLOCK_CALENDAR, dates=[str(NIGHT)])
    await town.add("A", "22.00", "Дом")
    await town.add("B", "-5.00")
    await town.charge()
    await desk.take(desk.heard(PaymentPending, "p1", books.clock(), ("B", 500)))
    now = await town.foretold(TODAY)
    assert {n: one.spared_by for n, one in now.items()} == {"B": Spared.PENDING_PAYMENT}
    night = await town.foretold()
    # Half an hour will be over by then.
    assert {n: one.spared_by for n, one in night.items()} == {
        "A": Spared.EXCLUDED_DAY,
        "B": None,
    }
    assert night["B"].blocks_on == TODAY
    assert (await town.foretold(NIGHT + timedelta(days=1)))["A"].spared_by is None
