"""Who is cut off by which rule, and that money lets them in at once, whoever comes first."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from core_billing import block_job, terms
from core_billing.accounts import account, balance
from core_billing.block_rows import block
from core_billing.policies import BLOCK, BLOCK_CALENDAR
from shared.db import reading, transaction
from shared.events import PaymentSucceeded
from shared.metrics import ALARMS

HERE = pytest.mark.parametrize("db", ["sqlite"], indirect=True)


async def test_who_owes_is_cut_off_and_let_in_with_the_money(books: Any, desk: Any) -> None:
    await books.open(
        books.asked("A", "-0.01"),
        books.asked("B", "0.00"),
        books.asked("C", "-10.00", credit_limit="10.00"),
        books.asked("D", "-10.00", credit_limit="9.99"),
    )
    await desk.step()
    assert await desk.told() == [
        ("A", "blocked", 1, "below_zero"),
        ("D", "blocked", 1, "below_zero"),
    ]
    await desk.step()
    assert await desk.blocked() == {"A", "D"}
    await desk.take(
        desk.heard(PaymentSucceeded, "p1", books.clock(), ("A", 1), paid_at=books.clock())
    )
    assert await desk.blocked() == {"D"}
    events = await books.said("payment.posted", "contract.unblocked")
    assert [e["type"] for e in events] == ["payment.posted", "contract.unblocked"]
    assert {e["correlationid"] for e in events} == {"c-1"}
    assert (await desk.told())[-1] == ("A", "unblocked", 2, "covered")
    async with reading(books.db) as tx:
        tied = select(account.c.name).join(balance, balance.c.account_id == account.c.id)
        names = (await tx.execute(tied.where(balance.c.tied))).scalars()
        assert list(names) == ["contract:D"]


@HERE
async def test_part_of_the_debt_does_not_let_in(books: Any, desk: Any) -> None:
    await desk.rule(BLOCK, mode="above_sum", sum="5.00")
    await books.open(books.asked("A", "-5.01"), books.asked("B", "-5.00"))
    await desk.step()
    assert await desk.blocked() == {"A"}
    await books.arrive(books.paid("p1", 500, ("A", 500)))
    assert await desk.blocked() == {"A"}
    await books.arrive(books.paid("p2", 1, ("A", 1)))
    assert await desk.blocked() == set()
    assert [one[2] for one in await desk.told()] == [1, 2]


@HERE
async def test_rules_of_the_contract_its_group_and_the_calendar(books: Any, desk: Any) -> None:
    await desk.rule(BLOCK, "group:patient", mode="after_days", days=2)
    await desk.rule(BLOCK_CALENDAR, minimum_debt="2.00", dates=["2026-11-24"])
    opened = await books.open(
        *(books.asked(name, "-9.00") for name in ("never", "patient", "plain")),
        books.asked("little", "-1.99"),
    )
    ids = {one.number: one.id for one in await books.contracts()}
    row = {"revision": 1, "changed_by": "x", "charging": "advance", "priority": 1}
    row |= {"automatic_promise": False}
    async with transaction(books.db) as tx:
        for name, group, rule in (
            ("never", "default", {"mode": "never"}),
            ("patient", "patient", None),
        ):
            own = {"contract_id": ids[name], "group_name": group, "block_rule": rule, **row}
            await tx.execute(insert(terms.terms).values(**own))
    assert len(opened) == 4
    await desk.step()
    assert await desk.blocked() == {"plain"}
    # Monday 23: a day; Tuesday 24 would be the second, but nobody is cut off then.
    for _ in range(2):
        await desk.step(after=timedelta(days=1))
        assert await desk.blocked() == {"plain"}
    await desk.step(after=timedelta(days=1))
    assert await desk.blocked() == {"plain", "patient"}
    assert (await desk.told())[-1] == ("patient", "blocked", 1, "after_days")
    async with transaction(books.db) as tx:
        await tx.execute(
            update(terms.terms)
            .where(terms.terms.c.contract_id == ids["patient"])
            .values(block_rule={"mode": "never"})
        )
    await desk.step(after=timedelta(minutes=1))
    assert (await desk.told())[-1] == ("patient", "unblocked", 2, "exempt")


@HERE
async def test_closed_contracts_are_left_alone(books: Any, desk: Any) -> None:
    await books.open(books.asked("A", "-5.00"))
    async with transaction(books.db) as tx:
        await tx.execute(update(balance).values(open=False))
    await desk.step()
    assert await desk.told() == []


@HERE
async def test_days_are_counted_anew_after_money(books: Any, desk: Any) -> None:
    await desk.rule(BLOCK, mode="after_days", days=2)
    await books.open(books.asked("A", "-5.00"))
    await desk.step()
    await books.arrive(books.paid("p1", 500, ("A", 500)))
    await desk.step(after=timedelta(days=1))
    async with transaction(books.db) as tx:
        await tx.execute(update(balance).values(kopecks=-1))
    await desk.step()
    await desk.step(after=timedelta(days=1))
    assert await desk.blocked() == set()
    await desk.step(after=timedelta(days=1))
    assert await desk.blocked() == {"A"}


@HERE
async def test_a_debt_that_is_paid_is_forgotten_with_the_money(books: Any, desk: Any) -> None:
    await desk.rule(BLOCK, mode="after_days", days=2)
    await books.open(books.asked("A", "-5.00"))
    await desk.step()
    await books.arrive(books.paid("p1", 499, ("A", 499)))
    assert [one.number for one in await desk.short()] == ["A"]
    books.clock.advance(timedelta(days=1, hours=23))
    await books.arrive(books.paid("p2", 1, ("A", 1)))
    # A fee comes before the job looks again.
    async with transaction(books.db) as tx:
        await tx.execute(update(balance).where(~balance.c.tied).values(kopecks=-1))
    await desk.step(after=timedelta(hours=2))
    assert await desk.blocked() == set()
    [one] = await desk.short()
    assert (one.balance_kopecks, one.state.short_since) == (-1, books.clock())


async def test_two_replicas_say_it_once(books: Any, desk: Any) -> None:
    await books.open(*(books.asked(f"N{n}", "-5.00") for n in range(20)))
    await desk.take(desk.alive(books.clock()))
    await block_job.step(desk.gate)
    await desk.pump()
    await asyncio.gather(*(block_job.step(desk.gate) for _ in range(4)))
    await block_job.step(desk.gate)
    assert len(await desk.blocked()) == 20
    assert [one[1:3] for one in await desk.told()] == [("blocked", 1)] * 20


async def test_money_that_comes_while_it_is_decided_wins(books: Any, desk: Any) -> None:
    """Payments and the job race for the same contracts; who has money is never left blocked."""
    numbers = [f"N{n}" for n in range(8)]
    await books.open(*(books.asked(number, "-1.00") for number in numbers))
    await desk.take(desk.alive(books.clock()))
    await block_job.step(desk.gate)
    await desk.pump()

    async def pay(number: str) -> None:
        for n in range(3):
            await books.arrive(books.paid(f"{number}-{n}", 50, (number, 50)))

    async def cut() -> None:
        for _ in range(6):
            await block_job.step(desk.gate)

    await asyncio.gather(cut(), cut(), *map(pay, numbers))
    assert set((await books.balances()).values()) >= {50}
    assert await desk.blocked() == set()
    for number in numbers:
        mine = [one for one in await desk.told() if one[0] == number]
        assert [one[2] for one in mine] == list(range(1, len(mine) + 1))
        assert [one[1] for one in mine] == ["blocked", "unblocked"] * (len(mine) // 2)


@HERE
async def test_one_that_cannot_be_judged_spares_nobody_else(books: Any, desk: Any) -> None:
    await books.open(*(books.asked(f"N{n}", "-5.00") for n in range(5)))
    ids = {one.number: one.id for one in await books.contracts()}
    row = {"revision": 1, "changed_by": "x", "charging": "advance", "priority": 1}
    row |= {"automatic_promise": False, "group_name": "default"}
    async with transaction(books.db) as tx:
        own = {"contract_id": ids["N2"], "block_rule": {"mode": "never heard of"}, **row}
        await tx.execute(insert(terms.terms).values(**own))
    failed = ALARMS.labels("block_failed")
    before = failed._value.get()
    await desk.step()
    assert await desk.blocked() == {"N0", "N1", "N3", "N4"}
    assert failed._value.get() == before + 2
    async with transaction(books.db) as tx:
        await tx.execute(update(balance).where(balance.c.account_id != ids["N2"]).values(kopecks=0))
        stuck = {"contract_id": ids["N2"], "blocked": True, "revision": 1, "reason": "below_zero"}
        await tx.execute(insert(block).values(stuck))
    await desk.step(after=timedelta(minutes=1))
    assert await desk.blocked() == {"N2"}
