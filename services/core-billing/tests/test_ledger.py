"""The ledger by example: what is posted where, and what is never posted twice."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from core_billing import contracts, ledger
from core_billing.ledger import Outcome
from core_billing.postings import payment
from shared.db import reading, transaction

CLEARING = "clearing:yookassa:100500"
SUSPENSE = "suspense:yookassa:100500"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


async def test_a_payment_credits_its_contract(books: Any) -> None:
    await books.open("A", "B")
    [receipt] = await books.post(books.paid("p1", 65_000, ("A", 65_000)))
    assert receipt.outcome is Outcome.POSTED
    assert [(c.number, c.amount_kopecks, c.balance_kopecks) for c in receipt.credits] == [
        ("A", 65_000, 65_000)
    ]
    assert (receipt.amount_kopecks, receipt.suspense_kopecks, receipt.suspense_reason) == (
        65_000,
        0,
        None,
    )
    assert await books.balances() == {"A": 65_000, "B": 0}
    assert await books.lines() == [("p1", 1, 1, CLEARING, "contract:A", 65_000, None, 65_000)]


async def test_what_the_provider_said_stands_in_the_payment(books: Any) -> None:
    await books.open("A")
    moscow = datetime(2026, 11, 22, 14, 30).astimezone()
    given = books.paid(
        "p1", 100, ("A", 100), method="sbp", order_id="o-1", category=7, paid_at=moscow
    )
    await books.post(given)
    async with reading(books.db) as tx:
        row = (await tx.execute(select(payment))).one()
    assert (row.amount_kopecks, row.revision, row.category) == (100, 1, 7)
    assert (row.method, row.order_id, row.suspense_reason) == ("sbp", "o-1", None)
    assert (row.paid_at, row.registered_at) == (moscow, NOW)


async def test_saying_a_payment_again_changes_nothing(books: Any) -> None:
    await books.open("A")
    first = await books.post(books.paid("p1", 65_000, ("A", 65_000)))
    await books.post(books.paid("p2", 1, ("A", 1)))
    lines = await books.lines()
    again = await books.post(books.paid("p1", 65_000, ("A", 65_000)))
    assert again[0].outcome is Outcome.REPEAT
    assert again[0].credits == first[0].credits
    assert again[0].payment_id == first[0].payment_id
    assert await books.lines() == lines
    assert await books.balances() == {"A": 65_001}


async def test_another_amount_under_a_known_reference_is_a_conflict(books: Any) -> None:
    await books.open("A")
    await books.post(books.paid("p1", 65_000, ("A", 65_000)))
    [receipt] = await books.post(books.paid("p1", 65_001, ("A", 65_001)))
    assert receipt.outcome is Outcome.CONFLICT
    assert receipt.amount_kopecks == 65_000
    assert await books.balances() == {"A": 65_000}
    assert len(await books.lines()) == 1


async def test_two_providers_may_use_the_same_id(books: Any) -> None:
    await books.open("A")
    receipts = await books.post(
        books.paid("p1", 100, ("A", 100)),
        books.paid("p1", 200, ("A", 200), provider="yookassa:100501"),
    )
    assert [r.outcome for r in receipts] == [Outcome.POSTED, Outcome.POSTED]
    assert await books.balances() == {"A": 300}
    again = await books.post(books.paid("p1", 200, ("A", 200), provider="yookassa:100501"))
    assert again[0].outcome is Outcome.REPEAT
    assert again[0].credits[0].balance_kopecks == 300
    assert (await books.lines())[1][3] == "clearing:yookassa:100501"


async def test_one_batch_knows_the_outcome_of_each(books: Any) -> None:
    await books.open("A", "B")
    await books.post(books.paid("known", 10, ("A", 10)))
    receipts = await books.post(
        books.paid("known", 10, ("A", 10)),
        books.paid("new", 20, ("B", 20)),
        books.paid("new", 20, ("B", 20)),
        books.paid("known", 11, ("A", 11)),
        books.paid("new", 21, ("B", 21)),
        books.paid("lost", 30, ("nobody", 30)),
        books.paid("last", 40, ("A", 40)),
    )
    assert [r.outcome.value for r in receipts] == [
        "repeat",
        "posted",
        "repeat",
        "conflict",
        "conflict",
        "suspense",
        "posted",
    ]
    assert receipts[1].credits == receipts[2].credits == receipts[4].credits
    assert receipts[5].payment_id < receipts[6].payment_id
    assert await books.balances() == {"A": 50, "B": 20}


async def test_balances_in_the_history_follow_each_other(books: Any) -> None:
    await books.open("A", "B")
    await books.post(books.paid("p0", 5, ("A", 5)))
    receipts = await books.post(
        books.paid("p1", 10, ("A", 10)),
        books.paid("p2", 7, ("B", 7)),
        books.paid("p3", 20, ("A", 13), ("B", 7)),
        books.paid("p4", 30, ("A", 30)),
    )
    after = [[c.balance_kopecks for c in r.credits] for r in receipts]
    assert after == [[15], [7], [28, 14], [58]]
    assert await books.balances() == {"A": 58, "B": 14}
    assert [line[7] for line in await books.lines()] == [5, 15, 7, 28, 14, 58]


async def test_an_empty_batch_is_nothing(books: Any) -> None:
    assert await books.post() == []


async def test_what_is_not_said_has_its_usual_value(books: Any) -> None:
    await books.post(books.paid("p1", 100))
    async with reading(books.db) as tx:
        row = (await tx.execute(select(payment))).one()
    assert (row.category, row.method, row.order_id) == (0, "", None)


async def test_new_payments_cost_no_search_for_old_ones(books: Any, monkeypatch: Any) -> None:
    await books.open("A")
    monkeypatch.setattr(ledger.postings, "lines_of", None)
    [receipt] = await books.post(books.paid("p1", 100, ("A", 100)))
    assert receipt.outcome is Outcome.POSTED


@pytest.mark.parametrize(
    ("shares", "more", "reason"),
    [
        ((("nobody", 100),), {}, "unknown_contract"),
        ((("C", 100),), {}, "closed_contract"),
        ((("A", 99),), {}, "allocations_differ"),
        ((("A", 100), ("B", 1)), {}, "allocations_differ"),
        ((), {}, "allocations_differ"),
        ((("A", 100),), {"suspense": "another_amount"}, "another_amount"),
        ((("A", 99),), {"suspense": "another_amount"}, "another_amount"),
    ],
)
async def test_money_that_fits_nowhere_is_held(
    books: Any, shares: Any, more: Any, reason: str
) -> None:
    await books.open("A", "B", "C")
    async with transaction(books.db) as tx:
        await contracts.set_open(tx, books.core.rules, "C", False, NOW, "")
    [receipt] = await books.post(books.paid("p1", 100, *shares, **more))
    assert receipt.outcome is Outcome.SUSPENSE
    assert (receipt.suspense_kopecks, receipt.suspense_reason) == (100, reason)
    assert receipt.credits == ()
    assert await books.lines() == [("p1", 1, 1, CLEARING, SUSPENSE, 100, None, None)]
    assert set((await books.balances()).values()) == {0}
    [again] = await books.post(books.paid("p1", 100, *shares, **more))
    assert again.outcome is Outcome.REPEAT
    assert (again.suspense_kopecks, again.suspense_reason) == (100, reason)


async def test_a_known_part_is_credited_while_the_other_is_held(books: Any) -> None:
    await books.open("A", "B")
    given = books.paid("p1", 100, ("nobody", 20), ("A", 30), ("B", 49), ("noone", 1))
    [receipt] = await books.post(given)
    assert receipt.outcome is Outcome.SUSPENSE
    assert [(c.number, c.amount_kopecks) for c in receipt.credits] == [("A", 30), ("B", 49)]
    assert (receipt.suspense_kopecks, receipt.suspense_reason) == (21, "unknown_contract")
    assert await books.balances() == {"A": 30, "B": 49}
    assert [line[2:6] for line in await books.lines()] == [
        (1, CLEARING, "contract:A", 30),
        (2, CLEARING, "contract:B", 49),
        (3, CLEARING, SUSPENSE, 21),
    ]
    [again] = await books.post(given)
    assert (again.credits, again.suspense_kopecks) == (receipt.credits, 21)


async def test_two_shares_of_one_contract_are_one_line(books: Any) -> None:
    await books.open("A", "B")
    given = books.paid("p1", 100, ("A", 30), ("B", 10), ("A", 60))
    [receipt] = await books.post(given)
    assert [(c.number, c.amount_kopecks) for c in receipt.credits] == [("A", 90), ("B", 10)]
    assert len(await books.lines()) == 2


async def test_a_reopened_contract_is_credited_again(books: Any) -> None:
    await books.open("A")
    for is_open in (False, True):
        async with transaction(books.db) as tx:
            await contracts.set_open(tx, books.core.rules, "A", is_open, NOW, "")
        await books.post(books.paid(f"p-{is_open}", 100, ("A", 100)))
    assert await books.balances() == {"A": 100}


async def test_a_negative_amount_is_taken_from_the_contract(books: Any) -> None:
    await books.open(books.asked("A", "-1200.00"), books.asked("B", "845.50"), "C")
    assert await books.balances() == {"A": -120_000, "B": 84_550, "C": 0}
    assert await books.lines() == [
        ("A", 1, 1, "contract:A", "adjustment:opening", 120_000, -120_000, None),
        ("B", 1, 1, "adjustment:opening", "contract:B", 84_550, None, 84_550),
    ]
    async with reading(books.db) as tx:
        known = await ledger.find(tx, {("opening", "A"), ("opening", "B"), ("opening", "C")})
    assert {key[1]: r.amount_kopecks for key, r in known.items()} == {"A": -120_000, "B": 84_550}


async def test_find_returns_the_first_revision_of_exactly_these(books: Any) -> None:
    await books.open("A")
    await books.post(
        books.paid("p1", 100, ("A", 100)), books.paid("p1", 200, ("A", 200), provider="other:1")
    )
    async with reading(books.db) as tx:
        found = await ledger.find(tx, {("payment:other:1", "p1"), ("payment:other:1", "p2")})
        assert await ledger.find(tx, set()) == {}
    assert list(found) == [("payment:other:1", "p1")]
    receipt = found["payment:other:1", "p1"]
    assert receipt.outcome is Outcome.REPEAT
    assert receipt.credits[0].balance_kopecks == 300


async def test_a_rolled_back_payment_never_was(books: Any) -> None:
    await books.open("A")
    with pytest.raises(RuntimeError):  # noqa: PT012 - the transaction is what is tested
        async with transaction(books.db) as tx:
            await ledger.post(tx, [books.paid("p1", 100, ("A", 100))], NOW)
            raise RuntimeError
    assert await books.balances() == {"A": 0}
    [receipt] = await books.post(books.paid("p1", 100, ("A", 100)))
    assert receipt.outcome is Outcome.POSTED


async def test_registered_later_than_paid(books: Any) -> None:
    await books.open("A")
    books.clock.advance(timedelta(days=2))
    await books.post(books.paid("p1", 100, ("A", 100)))
    async with reading(books.db) as tx:
        row = (await tx.execute(select(payment))).one()
    assert row.registered_at == NOW + timedelta(days=2)
