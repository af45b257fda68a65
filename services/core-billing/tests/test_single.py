"""One payment in one statement is the same as one payment in a batch, to the last column."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from core_billing import contracts, single
from core_billing.accounts import account, source
from core_billing.ledger import Outcome, Payment, Receipt
from core_billing.postings import payment, posting
from shared.db import reading, transaction

only_postgres = pytest.mark.parametrize(
    "db",
    [pytest.param("postgres", marks=(pytest.mark.connected, pytest.mark.postgres))],
    indirect=True,
)
HOLDERS = ("A", "B", "closed", "nobody")
SHARES = st.lists(st.tuples(st.sampled_from(HOLDERS), st.integers(1, 10**12)), max_size=3)


@st.composite
def one_payment(draw: st.DrawFn) -> dict[str, Any]:
    """Draw what a provider may say; most of it is for one contract."""
    shares = draw(st.one_of(SHARES.filter(lambda found: len(found) == 1), SHARES))
    off = draw(st.sampled_from([0, 0, 0, 1]))
    return {
        "external_id": draw(st.sampled_from(["p1", "p2", "p3", "p4", "p5"])),
        "kopecks": max(1, sum(kopecks for _, kopecks in shares) + off),
        "shares": shares,
        "method": draw(st.sampled_from(["", "sbp"])),
        "order_id": draw(st.sampled_from([None, "o1"])),
        "category": draw(st.sampled_from([0, 3])),
        "suspense": draw(st.sampled_from([None, None, None, "another_amount"])),
        "provider": draw(st.sampled_from(["x:1", "x:2"])),
    }


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """A loop of the test's own: hypothesis calls functions, not coroutines."""
    with asyncio.Runner() as made:
        yield made


def named(books: Any, drawn: dict[str, Any], prefix: str) -> Payment:
    """Return the drawn payment for the contracts and the provider of one of the worlds."""
    said = dict(drawn)
    shares = [(prefix + number, kopecks) for number, kopecks in said.pop("shares")]
    external_id, kopecks = said.pop("external_id"), said.pop("kopecks")
    provider = f"{said.pop('provider')}:{prefix}"
    return books.paid(external_id, kopecks, *shares, provider=provider, **said)


def told(receipt: Receipt, prefix: str) -> tuple[Any, ...]:
    """Return a receipt without what must differ between the worlds."""
    credited = [(c.number.removeprefix(prefix), *c[2:]) for c in receipt.credits]
    held = receipt.suspense_kopecks, receipt.suspense_reason
    return receipt.outcome, receipt.amount_kopecks, credited, *held


async def rows(books: Any, prefix: str) -> list[tuple[Any, ...]]:
    """Return every column of a world's payments and postings, accounts by name."""
    debit, credit = account.alias(), account.alias()
    # Payments of one batch have moments of their own, see `drafts.in_turn`.
    apart = ("id", "payment_id", "registered_at")
    columns = [c for c in (*payment.c, *posting.c) if c.name not in apart]
    ours = [c for c in columns if c.name not in ("source_id", "debit_id", "credit_id")]
    statement = (
        select(source.c.name, debit.c.name, credit.c.name, *ours)
        .join(posting, posting.c.payment_id == payment.c.id)
        .join(source, source.c.id == payment.c.source_id)
        .join(debit, debit.c.id == posting.c.debit_id)
        .join(credit, credit.c.id == posting.c.credit_id)
        .where(source.c.name.like(f"%:{prefix}"))
        .order_by(payment.c.id, posting.c.line)
    )
    async with reading(books.db) as tx:
        found = (await tx.execute(statement)).all()
    return [tuple(v.replace(prefix, "") if isinstance(v, str) else v for v in row) for row in found]


async def world(books: Any, prefix: str) -> None:
    """Open the contracts of one of the worlds."""
    limits = {"A": "0.00", "B": "500.00", "closed": "1.00"}
    await books.open(*(books.asked(prefix + n, credit_limit=limit) for n, limit in limits.items()))
    async with transaction(books.db) as tx:
        rules, at = books.core.rules, books.clock()
        await contracts.set_open(tx, rules, f"{prefix}closed", False, at, "")


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("driver", [False, True])
def test_single_equals_batch(books: Any, runner: asyncio.Runner, driver: bool) -> None:
    count = 0

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(history=st.lists(one_payment(), min_size=1, max_size=8))
    def same(history: list[dict[str, Any]]) -> None:
        nonlocal count
        count += 1
        runner.run(compare(history, f"s{count}.", f"b{count}."))

    async def compare(history: list[dict[str, Any]], alone: str, batched: str) -> None:
        for prefix in (alone, batched):
            await world(books, prefix)
        async with single.posting_one_by_one(books.db, driver=driver) as post:
            singly = [await post(named(books, one, alone), books.clock()) for one in history]
        together = await books.post(*(named(books, one, batched) for one in history))
        assert [told(r, alone) for r in singly] == [told(r, batched) for r in together]
        assert await rows(books, alone) == await rows(books, batched)
        kept = await books.balances()
        for number in ("A", "B", "closed"):
            assert kept[alone + number] == kept[batched + number]

    same()
    assert runner.run(books.proof()).faults == []
    runner.run(books.db.close())


@only_postgres
@pytest.mark.parametrize("driver", [False, True])
async def test_the_statement_itself_is_used(books: Any, driver: bool, monkeypatch: Any) -> None:
    """A payment to one contract of a known source needs no transaction of ours."""
    await books.open("A")
    await books.post(books.paid("p0", 1, ("A", 1)))
    monkeypatch.setattr(single.ledger, "post", None)
    async with single.posting_one_by_one(books.db, driver=driver) as post:
        credited = await post(books.paid("p1", 5, ("A", 5)), books.clock())
        held = await post(books.paid("p2", 7, ("nobody", 7)), books.clock())
    assert (credited.outcome, credited.credits[0].balance_kopecks) == (Outcome.POSTED, 6)
    assert (held.outcome, held.suspense_kopecks) == (Outcome.SUSPENSE, 7)


async def test_singly_and_in_batches_at_once(books: Any) -> None:
    """Eight at once post the same hundred payments to three contracts: each once."""
    await books.open("A", "B", "C")
    given = [books.paid(f"p{n}", n + 1, ("ABC"[n % 3], n + 1)) for n in range(100)]

    async def singly(order: int) -> list[Receipt]:
        async with single.posting_one_by_one(books.db, driver=order % 2 == 0) as post:
            return [await post(one, books.clock()) for one in given[:: 1 - 2 * (order % 2)]]

    async def in_batches(order: int) -> list[Receipt]:
        turned = given[order * 10 :] + given[: order * 10]
        for attempt in range(20):
            try:
                return [r for n in range(0, 100, 25) for r in await books.post(*turned[n : n + 25])]
            except Exception as error:
                if not single.is_repeatable(error) or attempt == 19:
                    raise
        raise AssertionError

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(singly(n)) for n in range(4)]
        tasks += [group.create_task(in_batches(n)) for n in range(3)]
    new = [r for task in tasks for r in task.result() if r.outcome is Outcome.POSTED]
    assert len({r.payment_id for r in new}) == 100
    assert await books.balances() == {
        name: sum(n + 1 for n in range(100) if n % 3 == place) for place, name in enumerate("ABC")
    }
    assert len(await books.lines()) == 100
    assert (await books.proof()).faults == []
