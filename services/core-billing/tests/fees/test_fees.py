"""Charging: each contract, service and period once, whatever happens in between."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update

from core_billing import contracts, correction_acts, fee_jobs, service_changes
from core_billing import fees as charging
from core_billing.correction_rules import Action, Wish
from core_billing.fee_due import BEGINNING
from core_billing.revisions import By
from core_billing.services import plans, service, service_tariff
from core_billing.tariffs import tariff
from shared.db import reading, transaction

DECEMBER = date(2026, 12, 1)
ON_SQLITE = pytest.mark.parametrize("db", ["sqlite"], indirect=True)
_MARKS = (pytest.mark.connected, pytest.mark.postgres)
ON_POSTGRES = pytest.mark.parametrize("db", [pytest.param("postgres", marks=_MARKS)], indirect=True)


async def test_each_service_is_charged_once_for_each_period(books: Any, fees: Any) -> None:
    await books.open(books.asked("1", "1000.00"), books.asked("2"))
    await fees.tariff("Net")
    await fees.tariff("TV", 20_000, label="tv")
    net, tv = await fees.begin("1", "Net"), await fees.begin("1", "TV")
    other = await fees.begin("2", "Net")
    total = await fees.charge()
    assert (total.due, total.fees, total.kopecks) == (3, 3, 150_000)
    assert await books.balances() == {"1": 15_000, "2": -65_000}
    assert await fees.taken() == [
        (f"{net.id}:2026-11", 65_000),
        (f"{tv.id}:2026-11", 20_000),
        (f"{other.id}:2026-11", 65_000),
    ]
    assert (await fees.charge()).fees == 0
    assert (await fees.charge(date(2026, 11, 30))).fees == 0
    assert (await fees.charge(DECEMBER)).fees == 3
    assert (await books.proof()).faults == []


@ON_SQLITE
async def test_missed_periods_are_charged_one_after_the_other(books: Any, fees: Any) -> None:
    await books.open("1")
    await fees.tariff("Day", 3_000, "daily")
    await fees.tariff("Net", 3_000)
    daily, net = await fees.begin("1", "Day", date(2026, 11, 20)), await fees.begin("1", "Net")
    total = await fees.charge(DECEMBER)
    assert total.fees == 12 + 2
    taken = await fees.taken()
    assert [key for key, _ in taken if key.startswith(f"{net.id}:")] == [
        f"{net.id}:2026-11",
        f"{net.id}:2026-12",
    ]
    days = [key for key, _ in taken if key.startswith(f"{daily.id}:")]
    assert days == [f"{daily.id}:2026-11-{n}" for n in range(20, 31)] + [f"{daily.id}:2026-12-01"]
    assert (await fees.now(daily)).charged_through == DECEMBER
    assert (await fees.now(net)).charged_through == date(2026, 12, 31)


@ON_SQLITE
async def test_a_service_ends_with_its_last_fee(books: Any, fees: Any) -> None:
    [opened] = await books.open("1")
    await fees.tariff("Net", 30_000)
    one = await fees.begin("1", "Net")
    async with transaction(books.db) as tx:
        found = await contracts.find(tx, "1")
        assert found is not None
        day = date(2026, 12, 10)
        await service_changes.end(tx, found, one.id, day, None, "anna", books.clock(), fees.today)
    total = await fees.charge(date(2027, 3, 1))
    assert await fees.taken() == [(f"{one.id}:2026-11", 30_000), (f"{one.id}:2026-12", 9_677)]
    assert total.fees == 2
    assert (await fees.now(one)).due_on is None
    async with reading(books.db) as tx:
        assert await plans(tx, [one.contract_id]) == {one.contract_id: []}
    assert opened.new


@ON_SQLITE
async def test_plans_hold_changes_of_tariff_and_of_price(books: Any, fees: Any) -> None:
    await books.open("1", "2")
    cheap = await fees.tariff("Cheap", 10_000)
    await fees.tariff("Fast", 30_000)
    one = await fees.begin("1", "Cheap")
    await fees.price(cheap, DECEMBER, 12_000)
    await fees.price(cheap, date(2027, 2, 1), 99_000)
    async with transaction(books.db) as tx:
        found = await contracts.find(tx, "1")
        assert found is not None
        await service_changes.change_tariff(
            *(tx, found, one.id, "Fast", date(2026, 12, 16), None, "anna"),
            *(books.clock(), fees.today),
        )
    async with reading(books.db) as tx:
        [plan] = (await plans(tx, [one.contract_id]))[one.contract_id]
    assert [(each.since, each.tariff, each.month_kopecks) for each in plan.stretches] == [
        (date(2026, 11, 1), "Cheap", 10_000),
        (DECEMBER, "Cheap", 12_000),
        (date(2026, 12, 16), "Fast", 30_000),
    ]
    await fees.charge(date(2027, 2, 1))
    # 15 of 31 days at 12 000 and 16 at 30 000 make 21 290.3 in December.
    assert [kopecks for _, kopecks in await fees.taken()] == [10_000, 21_290, 30_000, 30_000]


async def test_the_days_of_a_block_are_not_charged(books: Any, fees: Any) -> None:
    await books.open("1", "2")
    await fees.tariff("Net", 31_000)
    await fees.tariff("Always", 31_000, charge_while_blocked=True)
    one, other = await fees.begin("1", "Net"), await fees.begin("2", "Always")
    await fees.charge()
    for each in (one, other):
        await fees.set_block(each.contract_id, True, books.clock())
    await fees.charge(DECEMBER)
    assert (await fees.now(one)).charged_through == date(2026, 11, 30)
    assert (await fees.now(other)).charged_through == date(2026, 12, 31)
    back = datetime(2026, 12, 10, 22, tzinfo=UTC)  # the eleventh in Moscow
    for each in (one, other):
        await fees.set_block(each.contract_id, False, back)
    await fees.charge(date(2026, 12, 11))
    assert sorted(await fees.taken()) == sorted(
        [
            (f"{one.id}:2026-11", 31_000),
            (f"{other.id}:2026-11", 31_000),
            (f"{other.id}:2026-12", 31_000),
            (f"{one.id}:2026-12", 21_000),
        ]
    )


@ON_SQLITE
async def test_what_is_decided_about_a_tariff_later_charges_no_day_of_a_block(
    books: Any, fees: Any
) -> None:
    await books.open("1")
    net = await fees.tariff("Net", 31_000)
    one = await fees.begin("1", "Net")
    await fees.charge()
    await fees.set_block(one.contract_id, True, datetime(2026, 11, 25, tzinfo=UTC))
    for day in (DECEMBER, date(2026, 12, 2), date(2027, 1, 15), date(2027, 2, 19)):
        await fees.charge(day)
        assert (await fees.now(one)).charged_through == day - timedelta(days=1)
    async with transaction(books.db) as tx:
        await tx.execute(update(tariff).where(tariff.c.id == net).values(charge_while_blocked=True))
    await fees.charge(date(2027, 2, 20))
    # The 19th had not been passed over when it was decided: 10 days of 28.
    assert await fees.taken() == [(f"{one.id}:2026-11", 31_000), (f"{one.id}:2027-02", 11_071)]


@ON_SQLITE
async def test_a_tariff_that_is_charged_in_a_block_is_charged_from_its_day(
    books: Any, fees: Any
) -> None:
    await books.open("1")
    await fees.tariff("Net", 31_000)
    hold = await fees.tariff("Hold", 3_100, charge_while_blocked=True)
    one = await fees.begin("1", "Net")
    await fees.charge()
    await fees.set_block(one.contract_id, True, datetime(2026, 11, 25, tzinfo=UTC))
    async with transaction(books.db) as tx:
        turn = {"service_id": one.id, "since": date(2026, 12, 10), "tariff_id": hold}
        await tx.execute(insert(service_tariff).values(turn))
    await fees.charge(date(2027, 1, 5))
    # Whatever days the job has not run: 22 of December's 31, and January.
    assert [kopecks for _, kopecks in await fees.taken()] == [31_000, 2_200, 3_100]


@ON_SQLITE
async def test_days_before_a_block_are_charged_after_it(books: Any, fees: Any) -> None:
    await books.open("1")
    await fees.tariff("Day", 30_000, "daily")
    one = await fees.begin("1", "Day", date(2026, 11, 10))
    await fees.blocked_since(one.contract_id, datetime(2026, 11, 14, 9, tzinfo=UTC))
    await fees.set_block(one.contract_id, False, datetime(2026, 11, 16, 9, tzinfo=UTC))
    await fees.charge(date(2026, 11, 17))
    assert [key for key, _ in await fees.taken()] == [
        f"{one.id}:2026-11-{day}" for day in (10, 11, 12, 13, 16, 17)
    ]


@ON_SQLITE
async def test_no_block_gets_between_two_fees_of_a_contract(books: Any, fees: Any) -> None:
    await books.open("1", "2")
    await fees.tariff("Net", 31_000)
    await fees.tariff("TV", 3_100, label="tv")
    for number, name in (("1", "Net"), ("2", "Net"), ("1", "TV")):
        await fees.begin(number, name)
    async with transaction(books.db) as tx:
        rules, at = books.core.rules, books.clock()
        batch = await charging.charge(tx, rules, rules.day(at), BEGINNING, 1, at)
    assert batch.fees == 2
    assert await books.balances() == {"1": -34_100, "2": 0}
    await fees.charge()
    assert await books.balances() == {"1": -34_100, "2": -31_000}


@ON_SQLITE
async def test_a_block_within_a_charged_month_changes_nothing(books: Any, fees: Any) -> None:
    await books.open("1")
    await fees.tariff("Net", 31_000)
    one = await fees.begin("1", "Net")
    await fees.charge()
    await fees.set_block(one.contract_id, False, books.clock())
    await fees.charge(DECEMBER)
    assert [kopecks for _, kopecks in await fees.taken()] == [31_000, 31_000]


@ON_SQLITE
async def test_a_closed_contract_is_not_charged_for_the_days_it_is_closed(
    books: Any, fees: Any
) -> None:
    await books.open("1")
    await fees.tariff("Day", 30_000, "daily")
    one = await fees.begin("1", "Day", date(2026, 11, 21))
    await fees.charge()
    for is_open, day in ((False, date(2026, 11, 25)), (True, date(2026, 11, 27))):
        async with transaction(books.db) as tx:
            await contracts.set_open(tx, books.core.rules, "1", is_open, books.clock(), "c")
        await fees.charge(day)
    assert [key for key, _ in await fees.taken()] == [
        f"{one.id}:2026-11-{day}" for day in (21, 22, 26, 27)
    ]
    assert (await books.proof()).faults == []


@ON_SQLITE
async def test_what_costs_nothing_writes_nothing_and_goes_on(books: Any, fees: Any) -> None:
    await books.open("1")
    free = await fees.tariff("Free", 0)
    one = await fees.begin("1", "Free")
    await fees.price(free, DECEMBER, 100)
    assert (await fees.charge()).fees == 0
    assert (await fees.now(one)).charged_through == date(2026, 11, 30)
    await fees.charge(DECEMBER)
    assert await fees.taken() == [(f"{one.id}:2026-12", 100)]


@ON_SQLITE
async def test_a_charge_that_the_ledger_knows_is_not_made_again(books: Any, fees: Any) -> None:
    await books.open("1")
    await fees.tariff("Net")
    one = await fees.begin("1", "Net")
    await fees.charge()
    async with transaction(books.db) as tx:
        behind = {"charged_through": date(2026, 10, 31), "due_on": date(2026, 11, 1)}
        await tx.execute(update(service).values(behind))
    assert (await fees.charge()).fees == 0
    assert await books.balances() == {"1": -65_000}
    assert (await fees.now(one)).charged_through == date(2026, 11, 30)


async def test_two_runs_at_once_charge_once(books: Any, fees: Any) -> None:
    numbers = [str(n) for n in range(30)]
    await books.open(*numbers)
    await fees.tariff("Day", 30_000, "daily")
    for number in numbers:
        await fees.begin(number, "Day", date(2026, 11, 20))

    async def in_small_batches() -> int:
        place, made = BEGINNING, 0
        while True:
            batch = await fee_jobs.charge_batch(books.core, fees.today, place, 4)
            made += batch.fees
            if batch.place is None:
                return made
            place = batch.place

    first, second, total = await asyncio.gather(
        in_small_batches(), in_small_batches(), fees.charge()
    )
    assert first + second + total.fees + (await fees.charge()).fees == 90
    assert await books.balances() == dict.fromkeys(numbers, -3_000)
    assert (await books.proof()).faults == []


@ON_SQLITE
async def test_the_service_charges_by_itself_what_is_due(books: Any, fees: Any) -> None:
    await books.open("1", "2")
    await fees.tariff("Net")
    await fees.begin("1", "Net")
    await fees.begin("2", "Net", DECEMBER)
    step = fee_jobs.stepping(books.core)
    assert [await step(), await step(), await step()] == [True, False, False]
    assert await books.balances() == {"1": -65_000, "2": 0}
    fees.until(DECEMBER)
    assert [await step(), await step()] == [True, False]
    assert await books.balances() == {"1": -130_000, "2": -65_000}


@ON_SQLITE
async def test_a_rehearsal_says_what_a_run_does_and_does_nothing(books: Any, fees: Any) -> None:
    await books.open("1", "2")
    await fees.tariff("Net")
    await fees.tariff("Day", 3_100, "daily")
    await fees.begin("1", "Net")
    await fees.begin("2", "Day", date(2026, 11, 20))
    said = await fee_jobs.rehearse(books.core, DECEMBER, lambda _: None)
    assert await books.balances() == {"1": 0, "2": 0}
    done = await fees.charge(DECEMBER)
    assert (said.fees, said.kopecks) == (done.fees, done.kopecks) == (14, 131_237)


@ON_SQLITE
async def test_a_run_that_is_told_to_stop_stops_and_goes_on_later(books: Any, fees: Any) -> None:
    await books.open("1")
    await fees.tariff("Day", 30_000, "daily")
    await fees.begin("1", "Day", date(2026, 11, 20))
    stopping = asyncio.Event()
    total = await fee_jobs.run(books.core, fees.today, lambda _: stopping.set(), stopping)
    assert total.stopped
    assert total.fees == 1
    assert (await fees.charge()).fees == 2


@ON_SQLITE
async def test_a_fee_crosses_the_watch(books: Any, fees: Any) -> None:
    await books.open(books.asked("1", "500.00"))
    await fees.tariff("Net", 45_000)
    await fees.begin("1", "Net")
    await fees.charge()
    [low] = await books.said("balance.low")
    assert (low["data"]["contract"], low["data"]["balance_kopecks"]) == ("1", 5_000)


@ON_POSTGRES
async def test_what_a_manager_changes_is_not_waited_for(books: Any, fees: Any) -> None:
    await books.open("1")
    await fees.tariff("Net")
    one = await fees.begin("1", "Net")
    async with transaction(books.db) as held:
        await held.execute(service.select().where(service.c.id == one.id).with_for_update())
        async with transaction(books.db) as tx:
            batch = await charging.charge(
                tx, books.core.rules, fees.today, BEGINNING, 10, books.clock()
            )
        assert (batch.services, batch.fees) == (1, 0)
    assert (await fees.charge()).fees == 1


@ON_SQLITE
async def test_an_annulled_fee_is_given_back_and_not_charged_again(books: Any, fees: Any) -> None:
    await books.open(books.asked("1", "1000.00"))
    await fees.tariff("Net")
    one = await fees.begin("1", "Net")
    await fees.charge()
    by = By("anna", books.clock(), "c-1")
    async with transaction(books.db) as tx:
        fee = ("fee:internet", f"{one.id}:2026-11")
        wish = Wish(Action.ANNUL, "не работало")
        await correction_acts.correct(tx, books.core.rules, fee, 1, wish, by)
        # Even a service that is thought to be due again is charged once for a period.
        again = {"charged_through": date(2026, 10, 31), "due_on": date(2026, 11, 1)}
        await tx.execute(update(service).values(again))
    assert await books.balances() == {"1": 100_000}
    assert (await fees.charge()).fees == 0
    assert await books.balances() == {"1": 100_000}
    assert (await fees.charge(DECEMBER)).fees == 1
    assert await books.balances() == {"1": 35_000}
    assert (await books.proof()).faults == []
