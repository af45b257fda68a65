"""A month's statement is told once of each open contract, to the kopeck, however often killed."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core_billing import contracts, statement, statement_job, sweeps
from core_billing.rules import Rules
from core_billing.statement_job import period
from shared.clock import MOSCOW
from shared.db import reading, transaction

DEC_1 = date(2026, 12, 1)


async def ready(told: Any, step: Any, limit: int = 500) -> list[tuple[str, str]]:
    """Let the job work until it rests; return what was said: contract, month."""
    while await step(limit):
        pass
    return [(one["contract"], one["month"]) for one in await told.said("statement.ready")]


async def test_the_sums_are_those_of_the_statement(told: Any) -> None:
    books = told.books
    await books.open(books.asked("A", "10.00"), "still", books.asked("B", "-5.00"), "closed")
    await told.sell("A", 65_000)
    await told.pay("A", 70_000)
    told.until(date(2026, 11, 30), 24)
    await told.pay("A", 1)
    await told.pay("B", 300)
    async with transaction(books.db) as tx:
        await contracts.set_open(tx, books.core.rules, "closed", False, books.clock(), "")
    await books.open("later")
    told.until(DEC_1, 9)
    step = statement_job.stepping(books.core, 1, 9)
    months = [("A", "2026-11"), ("still", "2026-11"), ("B", "2026-11")]
    assert await ready(told, step, 1) == months
    said = {one["contract"]: one for one in await told.said("statement.ready")}
    begins, ends = books.core.rules.start(date(2026, 11, 1)), books.core.rules.start(DEC_1)
    async with reading(books.db) as tx:
        for number, one in said.items():
            found = await contracts.find(tx, number)
            assert found is not None
            sums = await statement.balances(tx, await statement.span(tx, found, begins, ends))
            assert (
                *(one["opening_kopecks"], one["received_kopecks"]),
                *(one["charged_kopecks"], one["closing_kopecks"]),
            ) == (
                *(sums.opening_kopecks, sums.credited_kopecks),
                *(sums.debited_kopecks, sums.closing_kopecks),
            )
    assert said["A"]["closing_kopecks"] == 1_000 + 70_000 - 65_000
    assert said["A"]["charged_kopecks"] == 65_000
    assert await ready(told, statement_job.stepping(books.core, 1, 9)) == months


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
async def test_each_contract_once_a_month_though_killed(told: Any, monkeypatch: Any) -> None:
    await told.books.open("A", "B", "C")
    step = statement_job.stepping(told.books.core, 1, 9)
    told.until(DEC_1, 8)
    assert await ready(told, step) == []
    told.until(DEC_1, 9)
    assert await step(1)

    async def killed(*_: Any, **__: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as broken:
        broken.setattr(sweeps, "advance", killed)
        with pytest.raises(SystemExit):
            await step(1)
    assert await told.said("statement.ready") != []
    told.until(date(2026, 12, 20))
    again = statement_job.stepping(told.books.core, 1, 9)
    assert await ready(told, again, 1) == [(n, "2026-11") for n in ("A", "B", "C")]
    told.until(date(2027, 1, 1), 9)
    assert (await ready(told, again))[3:] == [(n, "2026-12") for n in ("A", "B", "C")]


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
async def test_a_new_installation_leaves_out_a_month_long_over(told: Any) -> None:
    await told.books.open("A")
    told.until(date(2026, 12, 7))
    assert await ready(told, statement_job.stepping(told.books.core, 1, 9)) == []
    told.until(date(2027, 1, 1), 10)
    assert await ready(told, statement_job.stepping(told.books.core, 0, 9)) == []
    assert await ready(told, statement_job.stepping(told.books.core, 1, 9)) == [("A", "2026-12")]


@settings(max_examples=40)
@given(st.integers(0, 3000), st.integers(1, 28), st.integers(0, 23))
def test_months_follow_each_other(begun: int, day: int, hour: int) -> None:
    """Day by day over two months each period ends where the next one begins."""
    rules = Rules(None, 0, 0, None, zone=MOSCOW)  # type: ignore[arg-type]
    at = datetime(2024, 1, 1, 5, 59, tzinfo=UTC) + timedelta(days=begun)
    found = [period(rules, at + timedelta(days=n), day, hour) for n in range(70)]
    for one in found:
        assert one.ready_at.astimezone(MOSCOW).day == day
        assert one.begins < one.ends <= one.ready_at
        assert one.month == f"{one.begins.astimezone(MOSCOW):%Y-%m}"
    turns = [(a, b) for a, b in pairwise(found) if a.month != b.month]
    assert turns
    assert all(a.ends == b.begins for a, b in turns)
