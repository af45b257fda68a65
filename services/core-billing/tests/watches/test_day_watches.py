"""Watches that count days, over the books: told once, recovered by a payment, whoever is killed."""

import asyncio
from dataclasses import replace
from datetime import date, timedelta
from random import Random
from typing import Any

import pytest

from core_billing import watch_jobs
from core_billing.openings import Opened
from shared.errors import NotFound, Poison

NOV_27, NOV_28, DEC_1, DEC_29 = (
    date(2026, 11, 27),
    date(2026, 11, 28),
    date(2026, 12, 1),
    date(2026, 12, 29),
)
ON_POSTGRES = (pytest.mark.connected, pytest.mark.postgres)
only_postgres = pytest.mark.parametrize(
    "db", [pytest.param("postgres", marks=ON_POSTGRES)], indirect=True
)
only_sqlite = pytest.mark.parametrize("db", ["sqlite"], indirect=True)


async def test_a_near_block_is_told_once_and_over_with_the_payment(told: Any) -> None:
    await told.books.open("A", "B", "rich")
    for number in ("A", "B", "rich"):
        await told.sell(number, 65_000)
        await told.set_balance(number, 130_000 if number == "rich" else 0)
    told.until(NOV_27)
    await told.walk()
    assert await told.days() == []
    told.until(NOV_28, 0)
    await told.walk(limit=1)
    await told.walk()
    [one, _] = [said for said in await told.said("balance.low") if said["kind"] == "days"]
    assert await told.days() == [("low", "A", 1), ("low", "B", 1)]
    assert (one["blocks_on"], one["needed_kopecks"]) == ("2026-12-01", 65_000)
    assert (one["threshold_kopecks"], one["balance_kopecks"]) == (0, 0)
    await told.pay("A", 64_999)
    await told.moved()
    assert await told.days() == [("low", "A", 1), ("low", "B", 1)]
    await told.pay("A", 1)
    await told.moved(limit=1)
    assert (await told.days())[2:] == [("recovered", "A", 1)]
    told.until(DEC_1, 3)
    await told.charge()
    await told.walk()
    await told.moved()
    assert len(await told.days()) == 3
    told.until(DEC_29)
    await told.walk()
    assert ("low", "A", 2) in await told.days()


async def test_a_walk_goes_on_where_it_was_killed(told: Any, monkeypatch: Any) -> None:
    numbers = ["A", "B", "C", "D", "E"]
    await told.books.open(*numbers)
    for number in numbers:
        await told.sell(number, 65_000)
        await told.set_balance(number, 0)
    told.until(NOV_28)
    assert await watch_jobs.walk(told.books.core, 2)
    look = watch_jobs.day_watches.look

    async def killed(*args: Any) -> Any:
        await look(*args)
        raise SystemExit

    with monkeypatch.context() as broken:
        broken.setattr(watch_jobs.day_watches, "look", killed)
        with pytest.raises(SystemExit):
            await watch_jobs.walk(told.books.core, 2)
    assert [number for _, number, _ in await told.days()] == ["A", "B"]
    await told.walk(2)
    await told.walk(2)
    assert [number for _, number, _ in await told.days()] == numbers
    assert [number for _, number, _ in await told.fees()] == numbers


@only_sqlite
async def test_what_is_blocked_has_not_recovered(told: Any) -> None:
    await told.books.open("A")
    await told.sell("A", 65_000)
    await told.set_balance("A", 0)
    told.until(NOV_28)
    await told.walk()
    await told.block("A")
    told.until(NOV_28 + timedelta(days=1))
    await told.walk()
    await told.set_balance("A", -5)
    await told.moved()
    assert await told.days() == [("low", "A", 1)]


@only_sqlite
async def test_each_contract_may_have_its_own_number_of_days(told: Any, ask: Any) -> None:
    more = {"low_balance_days": 7}
    await told.books.open("A", told.books.asked("early", **more), "none")
    for number in ("A", "early", "none"):
        await told.sell(number, 65_000)
        await told.set_balance(number, 0)
    assert (await ask("/contracts/none/terms"))[1]["low_balance_days"] is None
    status, now = await ask("/contracts/none/terms", {"low_balance_days": 0})
    assert (status, now["low_balance_days"]) == (200, 0)
    assert (await ask("/contracts/early/terms"))[1]["low_balance_days"] == 7
    assert (await ask("/contracts/A/terms", {"low_balance_days": 61}))[0] == 422
    told.until(date(2026, 11, 24))
    await told.walk()
    assert await told.days() == [("low", "early", 1)]
    told.until(NOV_28)
    await told.walk()
    assert (await told.days())[1:] == [("low", "A", 1)]
    await ask("/contracts/early/terms", {"low_balance_days": None})
    assert (await ask("/contracts/early/terms"))[1]["low_balance_days"] is None
    again = told.books.asked("none", **more)
    assert await told.books.open(again) == [Opened(False, ("low_balance_days",))]


async def test_fees_to_come_are_explained_once(told: Any) -> None:
    await told.books.open(told.books.asked("A", credit_limit="100.00"), "owing", "covered")
    for number, kopecks in (("A", 20_000), ("owing", -5_000), ("covered", 65_000)):
        await told.sell(number, 65_000)
        await told.set_balance(number, kopecks)
    told.until(NOV_27)
    await told.walk()
    told.until(NOV_28)
    await told.walk()
    told.until(NOV_28 + timedelta(days=1))
    await told.walk()
    first, second = await told.said("fee.upcoming")
    assert (first["contract"], first["fees_on"], first["fee_kopecks"]) == (
        *("A", "2026-12-01", 65_000),
    )
    assert (first["needed_kopecks"], first["available_kopecks"]) == (45_000, 30_000)
    assert first["lines"] == [
        {
            "ru": "tariff A, 01.12.2026–31.12.2026",
            "en": "tariff A, 2026-12-01 to 2026-12-31",
            "kopecks": 65_000,
        },
        {"ru": "Остаток на договоре", "en": "Balance of the contract", "kopecks": -20_000},
    ]
    assert (second["contract"], second["needed_kopecks"]) == ("owing", 70_000)
    assert [one["kopecks"] for one in second["lines"]] == [5_000, 65_000]
    assert second["blocks_on"] == "2026-11-28"


@only_sqlite
async def test_daily_fees_are_one_shortage(told: Any) -> None:
    await told.books.open(told.books.asked("A", credit_limit="100.00"))
    await told.sell("A", 30_000, "daily")
    await told.set_balance("A", -5_000)
    for n in range(9):
        told.until(date(2026, 11, 22) + timedelta(days=n), 16)
        await told.charge()
        await told.walk()
    assert await told.fees() == [("notifier", "A", "2026-11-28")]


@only_sqlite
async def test_who_pays_daily_fees_hears_of_a_month_and_again_when_it_is_over(told: Any) -> None:
    await told.books.open("A")
    await told.books.open("monthly")
    for number, charging in (("A", "daily"), ("monthly", "monthly")):
        await told.sell(number, 30_000, charging)
        await told.set_balance(number, 0)
        await told.hear(told.wants(number, 1, kind="fee", days=9))
    said = [one for one in await told.said("fee.upcoming") if one["watcher"] == "autopay"]
    first, other = said
    assert other["needed_kopecks"] == 30_000
    assert 30_000 < first["needed_kopecks"] < 35_000
    await told.pay("A", first["needed_kopecks"])
    for _ in range(30):
        told.until(told.today + timedelta(days=1), 16)
        await told.charge()
        await told.walk()
    days = [day for *one, day in await told.fees() if one == ["autopay", "A"]]
    assert len(days) == 2
    assert date.fromisoformat(days[1]) - date.fromisoformat(days[0]) > timedelta(days=28)


async def test_a_watcher_hears_at_once_what_holds_already(told: Any) -> None:
    await told.books.open("A", "B")
    for number in ("A", "B"):
        await told.sell(number, 65_000)
        await told.set_balance(number, 0)
    told.until(date(2026, 11, 25))
    await told.hear(
        told.wants("A", 1, kind="fee", days=10),
        told.wants("A", 1, kind="days", days=5),
        told.wants("B", 1, kind="fee", days=5),
    )
    assert await told.fees() == [("autopay", "A", "2026-12-01")]
    await told.hear(told.clears("B", 2, "fee"), told.wants("A", 2, kind="days", days=6))
    assert await told.days() == [("low", "A", 1)]
    told.until(date(2026, 11, 26))
    await told.walk()
    assert await told.fees() == [("autopay", "A", "2026-12-01")]
    told.until(NOV_28)
    await told.walk()
    assert (await told.fees())[1:] == [("notifier", n, "2026-12-01") for n in ("A", "B")]
    assert (await told.days())[1:] == [("low", "A", 1), ("low", "B", 1)]
    await told.pay("A", 65_000)
    await told.moved()
    assert (await told.days())[3:] == [("recovered", "A", 1)] * 2


@only_sqlite
async def test_what_cannot_be_meant_is_refused(told: Any) -> None:
    await told.books.open("A")
    for more in ({"kind": "moon"}, {"kind": "days"}, {"kind": "fee", "days": 61}):
        with pytest.raises(Poison):
            await told.hear(told.wants("A", 1, **more))
    with pytest.raises(NotFound):
        await told.hear(told.wants("nobody", 1))


@only_sqlite
async def test_a_low_balance_says_what_fees_ask_for(told: Any) -> None:
    await told.books.open(told.books.asked("A", "130.00"))
    await told.sell("A", 5_000)
    [low] = await told.said("balance.low")
    # 80 are left of the 100 it should have; December asks for 50 more, which 80 cover.
    assert (low["balance_kopecks"], low["needed_kopecks"]) == (8_000, 2_000)
    await told.books.open(told.books.asked("B", "700.00"))
    await told.sell("B", 65_000)
    [_, low] = await told.said("balance.low")
    assert (low["balance_kopecks"], low["needed_kopecks"]) == (5_000, 60_000)
    assert low["blocks_on"] == "2026-12-01"


@only_sqlite
async def test_two_months_are_told_as_the_calendar_has_them(told: Any) -> None:
    """A monthly fee of 100.00, and payments on any day: the model counts months by hand."""
    any_of = Random(6)
    numbers = [f"C{n}" for n in range(8)]
    await told.books.open(*numbers)
    for number in numbers:
        await told.sell(number, 10_000)
        await told.set_balance(number, any_of.choice((0, 2_000, 9_000)))
    states = dict.fromkeys(numbers, (True, 0))
    wanted: list[tuple[str, str, int]] = []
    for day in range(4, 42):
        told.until(date(2026, 11, 22) + timedelta(days=day), 1)
        await told.charge()
        for number in any_of.sample(numbers, any_of.choice((0, 1, 1))):
            await told.pay(number, any_of.randrange(1, 8_000))
        await told.moved()
        await told.walk()
        kept = await told.books.balances()
        for number, (armed, crossing) in states.items():
            left = days_left(told.today, kept[number])
            if armed and left <= 3:
                states[number] = (False, crossing + 1)
                wanted.append(("low", number, crossing + 1))
            elif not armed and left > 4:
                states[number] = (True, crossing)
                wanted.append(("recovered", number, crossing))
    assert len(wanted) > 10
    assert sorted(await told.days()) == sorted(wanted)


@only_sqlite
async def test_days_that_are_no_longer_counted(told: Any, ask: Any) -> None:
    await told.books.open("A", "B")
    for number in ("A", "B"):
        await told.sell(number, 65_000)
        await told.set_balance(number, 0)
    told.until(NOV_28)
    await told.walk()
    await ask("/contracts/A/terms", {"low_balance_days": 0})
    off = replace(told, books=told.books.under(low_balance_days=0, fee_notice_days=0))
    await off.pay("A", 5)
    await off.moved(limit=1)
    await off.pay("A", 65_000)
    await off.moved(limit=1)
    assert await off.days() == [("low", "A", 1), ("low", "B", 1), ("recovered", "A", 1)]
    off.until(DEC_29)
    await off.charge()
    await off.walk()
    assert len(await off.days()) == 3


@only_postgres
async def test_replicas_and_payments_at_once(told: Any) -> None:
    numbers = [f"C{n:02}" for n in range(18)]
    await told.books.open(*numbers)
    for number in numbers:
        await told.sell(number, 65_000)
        await told.set_balance(number, 0)
    told.until(NOV_28)
    paid = numbers[::3]

    async def pay() -> None:
        for number in paid:
            await told.pay(number, 65_000)

    await asyncio.gather(told.walk(2), pay(), told.walk(3), told.moved(2))
    await told.walk()
    await told.moved()
    said = await told.days()
    for number in numbers:
        mine = [one for one in said if one[1] == number]
        both = [("low", number, 1), ("recovered", number, 1)]
        assert mine == both[:1] if number not in paid else mine in ([], both)
    fees = await told.fees()
    assert len(set(fees)) == len(fees)
    assert {number for _, number, _ in fees} >= set(numbers) - set(paid)


def days_left(today: date, balance: int) -> int:
    """Return how many days the balance lasts, charged 100.00 on the first of each month."""
    if balance < 0:
        return 0
    month = today.replace(day=1)
    for _ in range(balance // 10_000 + 1):
        month = (month + timedelta(days=32)).replace(day=1)
    return (month - today).days
