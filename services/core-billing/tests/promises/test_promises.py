"""Promises on both databases: given, repaid, ended, overdue, cancelled, and given by themselves."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from core_billing import (
    accounts,
    policy_rows,
    promise_jobs,
    promise_rows,
)
from core_billing.block_rows import block
from shared.db import transaction
from shared.errors import SaldoError

END = datetime(2026, 11, 25, 21, 0, tzinfo=UTC)  # of the third day in Moscow
DAY = timedelta(days=1)
on_sqlite = pytest.mark.parametrize("db", ["sqlite"], indirect=True)


@on_sqlite
async def test_a_promise_lowers_the_floor_takes_its_fee_and_moves_nothing_else(
    books: Any, promises: Any
) -> None:
    await books.open(books.asked("A", "-300.00", credit_limit="50.00"))
    made = await promises.grant("A", 40_000)
    now = await promises.now("A")
    assert (now.balance_kopecks, now.promised_kopecks) == (-31_000, 40_000)
    assert now.available_kopecks == -31_000 + 5_000 + 40_000
    assert await promises.tied("A")
    assert [line[:6] for line in await books.lines()][-1] == (
        f"promise:{made.id}",
        *(1, 1, "contract:A", "income:promise", 1_000),
    )
    [said] = await books.said("promise.granted")
    assert {name: said["data"][name] for name in ("amount_kopecks", "fee_kopecks", "origin")} == {
        "amount_kopecks": 40_000,
        "fee_kopecks": 1_000,
        "origin": "manager",
    }
    assert datetime.fromisoformat(said["data"]["until"]) == END == made.until
    assert (await books.proof()).faults == []


@on_sqlite
async def test_a_blocked_contract_is_unblocked_with_the_promise(books: Any, promises: Any) -> None:
    await books.open(books.asked("A", "-300.00"))
    contract_id = (await promises.now("A")).id
    row = {"contract_id": contract_id, "blocked": True, "revision": 1, "reason": "below_zero"}
    async with transaction(books.db) as tx:
        await tx.execute(block.insert().values(row))
    with pytest.raises(SaldoError) as refused:
        await promises.grant("A", 30_900)
    assert refused.value.code == "promise_insufficient"
    await promises.grant("A", 31_000)
    [said] = await books.said("contract.unblocked")
    assert said["data"]["available_kopecks"] == 0


async def test_payments_repay_together_and_give_the_floor_back_at_once(
    books: Any, promises: Any
) -> None:
    await books.open(books.asked("A", "-300.00"), "B")
    await promises.grant("A", 40_000, waive_fee=True)
    await promises.pay("p1", "A", 15_000)
    await promises.move("t1", "A", 40_000)
    now = await promises.now("A")
    assert (now.promised_kopecks, now.balance_kopecks) == (40_000, 25_000)
    [partly] = await promises.all_of("A")
    assert (partly.paid_kopecks, partly.status, partly.revision) == (15_000, "active", 2)
    await promises.pay("p1", "A", 15_000)
    last = await promises.pay("p2", "A", 30_000)
    [made] = await promises.all_of("A")
    assert (made.status, made.repaid_by, made.paid_kopecks) == ("repaid", last, 40_000)
    now = await promises.now("A")
    assert (now.promised_kopecks, now.available_kopecks) == (0, 55_000)
    assert not await promises.tied("A")
    [said] = await books.said("promise.closed")
    assert (said["data"]["how"], said["data"]["revision"]) == ("repaid", 3)
    assert said["data"]["ended_on"] == "2026-11-22"


@on_sqlite
@pytest.mark.parametrize(
    ("paid", "status", "promised"),
    [(30_999, "active", 40_000), (31_000, "repaid", 0), (31_001, "repaid", 0)],
)
async def test_a_payment_that_pays_off_the_debt_repays(
    books: Any, promises: Any, paid: int, status: str, promised: int
) -> None:
    """The debt of 300.00 and the fee of 10.00: whoever owes nothing has no promise to repay."""
    await books.open(books.asked("A", "-300.00"))
    await promises.grant("A", 40_000)
    last = await promises.pay("p1", "A", paid)
    [made] = await promises.all_of("A")
    assert (made.status, made.repaid_by) == (status, last if promised == 0 else None)
    assert (await promises.now("A")).promised_kopecks == promised


@on_sqlite
async def test_who_owed_nothing_pays_and_keeps_the_promise(books: Any, promises: Any) -> None:
    await books.open(books.asked("A", "50.00"))
    await promises.grant("A", 40_000)
    await promises.pay("p1", "A", 10_000)
    assert (await promises.all_of("A"))[0].status == "active"


@on_sqlite
async def test_the_payment_that_reaches_the_sum_is_the_one_that_repays(
    books: Any, promises: Any
) -> None:
    await books.open(books.asked("A", "-300.00"))
    await promises.grant("A", 40_000)
    batch = [books.paid(f"p{n}", 20_000, ("A", 20_000)) for n in range(3)]
    receipts = await books.arrive(*batch)
    [made] = await promises.all_of("A")
    assert made.repaid_by == receipts[1].payment_id


@on_sqlite
async def test_at_the_end_nothing_is_owed_by_who_is_within_the_limit(
    books: Any, promises: Any
) -> None:
    await books.open(books.asked("A", "-300.00", credit_limit="200.00"))
    await promises.grant("A", 10_000 + 1_000)
    await promises.pay("p1", "A", 10_999)
    await promises.at(END - timedelta(seconds=1))
    assert (await promises.now("A")).promised_kopecks == 11_000
    await promises.move("t1", "A", 1)
    await promises.at(END)
    [made] = await promises.all_of("A")
    assert (made.status, made.closed_at, made.overdue_at) == ("ended", END, None)
    assert (await promises.now("A")).available_kopecks == 0
    assert not await promises.tied("A")
    assert [one["data"]["how"] for one in await books.said("promise.closed")] == ["ended"]
    assert await books.said("promise.ending")


async def test_one_that_is_owed_becomes_overdue_and_blocks_the_next_until_it_is_paid(
    books: Any, promises: Any
) -> None:
    await promises.rule(pause_days=2)
    await books.open(books.asked("A", "-300.00"))
    await promises.grant("A", 40_000)
    await promises.at(END - DAY - timedelta(seconds=1))
    assert await books.said("promise.ending") == []
    for _ in range(2):
        await promises.at(END - DAY)
    [ending] = await books.said("promise.ending")
    assert ending["data"]["owed_kopecks"] == 31_000
    await promises.at(END)
    await promises.step()
    [late] = await promises.all_of("A")
    assert (late.status, late.overdue_at) == ("overdue", END)
    assert (await promises.now("A")).available_kopecks == -31_000
    with pytest.raises(SaldoError) as refused:
        await promises.grant("A", 40_000)
    assert refused.value.code == "promise_overdue"
    # Less than was promised, but there is no debt any more.
    await promises.pay("p1", "A", 30_999)
    assert (await promises.all_of("A"))[0].status == "overdue"
    paid = await promises.pay("p2", "A", 1)
    [late] = await promises.all_of("A")
    assert (late.status, late.repaid_by) == ("repaid", paid)
    with pytest.raises(SaldoError) as refused:
        await promises.grant("A", 40_000)
    assert refused.value.code == "promise_pause"
    books.clock.advance(2 * DAY)
    await promises.grant("A", 40_000)
    hows = [one["data"]["how"] for one in await books.said("promise.closed")]
    assert hows == ["overdue", "repaid"]
    told = [*await books.said("promise.granted"), *await books.said("promise.closed")]
    revisions = [one["data"]["revision"] for one in [*told, ending]]
    assert sorted(revisions) == [1, 2, 3, 5, 6]


@on_sqlite
async def test_a_transfer_that_covers_an_overdue_debt_ends_it_and_repays_nothing(
    books: Any, promises: Any
) -> None:
    await books.open(books.asked("A", "-300.00"))
    await promises.grant("A", 40_000)
    await promises.at(END)
    await promises.move("t1", "A", 31_000)
    [late] = await promises.all_of("A")
    assert (late.status, late.repaid_by, late.paid_kopecks) == ("ended", None, 0)


@on_sqlite
async def test_a_cancelled_promise_is_gone_and_does_not_count(books: Any, promises: Any) -> None:
    await promises.rule(count=1, per_days=30)
    await books.open(books.asked("A", "-300.00"))
    made = await promises.grant("A", 40_000)
    gone = await promises.cancel(made, made.revision)
    assert (gone.status, gone.closed_by) == ("canceled", "boris")
    assert (await promises.now("A")).available_kopecks == -31_000
    assert not await promises.tied("A")
    with pytest.raises(SaldoError, match="boris cancelled it"):
        await promises.cancel(made)
    again = await promises.grant("A", 40_000)
    await promises.pay("p1", "A", 100)
    with pytest.raises(SaldoError, match=r"1\.00 of 400\.00") as refused:
        await promises.cancel(again, again.revision)
    assert refused.value.code == "promise_conflict"
    await promises.pay("p2", "A", 39_900)
    with pytest.raises(SaldoError) as refused:
        await promises.grant("A", 40_000)
    assert refused.value.code == "promise_too_often"


async def test_two_at_once_give_one_and_the_second_hears_of_the_first(
    books: Any, promises: Any
) -> None:
    await books.open(books.asked("A", "-300.00"))
    both = await asyncio.gather(
        promises.grant("A", 40_000), promises.grant("A", 50_000), return_exceptions=True
    )
    [error] = [one for one in both if isinstance(one, SaldoError)]
    assert error.code == "promise_active"
    assert "given by anna on 22.11.2026 15:00" in error.detail.en
    async with transaction(books.db) as tx:
        row = (await tx.execute(promise_rows.promise.select())).one()._asdict()
    row.pop("id")
    with pytest.raises(IntegrityError):
        async with transaction(books.db) as tx:
            await tx.execute(promise_rows.promise.insert().values(row))


async def test_before_a_block_those_who_asked_for_it_get_what_is_missing(
    books: Any, promises: Any
) -> None:
    await promises.rule(automatic=True, by_subscriber=False, by_manager=False, days_per_year=1)
    names = {"wants": "-300.50", "rich": "0.00", "poor": "-990.01", "silent": "-300.00"}
    await books.open(*(books.asked(name, balance) for name, balance in names.items()))
    for name in ("wants", "rich", "poor"):
        await promises.terms(name, automatic_promise=True)
    books.clock.advance(2 * 366 * DAY)
    rules, at = books.core.rules, books.clock()
    async with transaction(books.db) as tx:
        kept = await accounts.lock(tx, [accounts.of_contract(name) for name in names])
        ids = [one.account_id for one in kept.values()]
        policies = await policy_rows.load_all(tx, rules.day(at))
        saved = await promise_jobs.before_block(tx, rules, policies, ids, at)
        again = await promise_jobs.before_block(tx, rules, policies, ids, at)
    now = await promises.now("wants")
    assert (saved, again) == ({now.id}, set())
    [made] = await promises.all_of("wants")
    assert (made.amount_kopecks, made.origin) == (31_100, "automatic")
    assert made.until == rules.start(rules.day(at) + timedelta(days=3 + 2 + 1))
    assert now.available_kopecks == 50
    assert [one["data"]["origin"] for one in await books.said("promise.granted")] == ["automatic"]


@on_sqlite
async def test_one_given_by_itself_covers_the_days_it_lasts(books: Any, promises: Any) -> None:
    await promises.rule(automatic=True, min="1.00", fee="0.00")
    await books.open(books.asked("A", "-5.00"))
    await promises.terms("A", automatic_promise=True)
    rules, at = books.core.rules, books.clock()
    await promises.serve("A", rules.day(at), charging="daily", month_kopecks=60_000)
    async with transaction(books.db) as tx:
        [kept] = (await accounts.lock(tx, [accounts.of_contract("A")])).values()
        policies = await policy_rows.load_all(tx, rules.day(at))
        assert await promise_jobs.before_block(tx, rules, policies, [kept.account_id], at)
    [made] = await promises.all_of("A")
    assert (made.amount_kopecks, made.until) == (500 + 4 * 2_000, END)


async def test_the_job_ends_each_of_many_once_and_leaves_those_at_work(
    books: Any, promises: Any
) -> None:
    numbers = [f"n{n}" for n in range(5)]
    await books.open(*(books.asked(number, "-300.00") for number in numbers))
    for number in numbers:
        await promises.grant(number, 40_000)
    await promises.move("t1", "n1", 31_000)
    books.clock.advance(END - books.clock())
    if books.db.postgres:
        async with transaction(books.db) as tx:
            await accounts.lock(tx, [accounts.of_contract("n0")])
            await promises.step(limit=2)
        assert (await promises.all_of("n0"))[0].status == "active"
    await asyncio.gather(promises.step(limit=2), promises.step(limit=2))
    statuses = {number: (await promises.all_of(number))[0].status for number in numbers}
    assert statuses == {**dict.fromkeys(numbers, "overdue"), "n1": "ended"}
    assert len(await books.said("promise.closed")) == 5
