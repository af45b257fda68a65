"""Corrections: nothing is changed, everything is reversed and posted anew."""

import asyncio
from typing import Any

import pytest

from core_billing import contracts, corrections
from shared.db import transaction
from shared.errors import Conflict, Invalid, NotFound

CLEARING, SUSPENSE = "clearing:yookassa:100500", "suspense:yookassa:100500"
P1 = ("payment:yookassa:100500", "p1")


async def correct(books: Any, revision: int, *shares: tuple[str | None, int], of: Any = P1) -> Any:
    """Correct a payment."""
    async with transaction(books.db) as tx:
        return await corrections.correct(tx, of, revision, shares, books.clock())


async def test_a_payment_moves_to_another_contract(books: Any) -> None:
    await books.open("A", "B")
    await books.post(books.paid("p1", 100, ("A", 100), method="sbp", order_id="o"))
    receipt = await correct(books, 1, ("B", 100))
    assert [(c.number, c.amount_kopecks, c.balance_kopecks) for c in receipt.credits] == [
        ("B", 100, 100)
    ]
    assert receipt.suspense_kopecks == 0
    assert await books.balances() == {"A": 0, "B": 100}
    assert await books.lines() == [
        ("p1", 1, 1, CLEARING, "contract:A", 100, None, 100),
        ("p1", 2, -1, "contract:A", CLEARING, 100, 0, None),
        ("p1", 2, 1, CLEARING, "contract:B", 100, None, 100),
    ]
    again = await books.post(books.paid("p1", 100, ("A", 100)))
    assert (again[0].outcome.value, again[0].credits[0].number) == ("repeat", "A")
    assert await books.balances() == {"A": 0, "B": 100}


async def test_money_leaves_suspense_and_goes_back(books: Any) -> None:
    await books.open("A", "B")
    await books.post(books.paid("p1", 100, ("nobody", 100)))
    await correct(books, 1, ("A", 60), ("B", 40))
    assert await books.balances() == {"A": 60, "B": 40}
    receipt = await correct(books, 2, ("A", 70), (None, 30))
    assert (receipt.suspense_kopecks, receipt.suspense_reason) == (30, "moved_by_hand")
    assert await books.balances() == {"A": 70, "B": 0}
    assert [line[1:6] for line in await books.lines()] == [
        (1, 1, CLEARING, SUSPENSE, 100),
        (2, -1, SUSPENSE, CLEARING, 100),
        (2, 1, CLEARING, "contract:A", 60),
        (2, 2, CLEARING, "contract:B", 40),
        (3, -2, "contract:B", CLEARING, 40),
        (3, -1, "contract:A", CLEARING, 60),
        (3, 1, CLEARING, "contract:A", 70),
        (3, 2, CLEARING, SUSPENSE, 30),
    ]
    assert (await books.proof()).faults == []


async def test_an_opening_is_corrected_and_annulled(books: Any) -> None:
    await books.open(books.asked("A", "-1200.00"))
    opening = ("opening", "A")
    await correct(books, 1, ("A", 5_000), of=opening)
    assert await books.balances() == {"A": 5_000}
    await correct(books, 2, of=opening)
    assert await books.balances() == {"A": 0}
    with pytest.raises(Invalid, match="shares"):
        await correct(books, 3, of=opening)
    await correct(books, 3, ("A", -7), of=opening)
    assert await books.balances() == {"A": -7}
    assert [line[1:3] + line[5:] for line in await books.lines()] == [
        (1, 1, 120_000, -120_000, None),
        (2, -1, 120_000, None, 0),
        (2, 1, 5_000, None, 5_000),
        (3, -1, 5_000, 0, None),
        (4, 1, 7, -7, None),
    ]
    assert (await books.proof()).faults == []


async def test_what_cannot_be_corrected_changes_nothing(books: Any) -> None:
    await books.open("A", "B")
    await books.post(books.paid("p1", 100, ("A", 100)))
    lines = await books.lines()
    for error, revision, shares, of in (
        (NotFound, 1, [("B", 100)], ("payment:yookassa:100500", "p2")),
        (NotFound, 1, [("B", 100)], ("payment:other", "p1")),
        (Conflict, 2, [("B", 100)], P1),
        (Conflict, 0, [("B", 100)], P1),
        (Invalid, 1, [("nobody", 100)], P1),
        (Invalid, 1, [("B", 99)], P1),
        (Invalid, 1, [("B", 101)], P1),
        (Invalid, 1, [], P1),
        (Invalid, 1, [("B", 100), ("A", 0)], P1),
    ):
        with pytest.raises(error):
            await correct(books, revision, *shares, of=of)
    assert await books.lines() == lines
    assert await books.balances() == {"A": 100, "B": 0}


async def test_a_closed_contract_gives_back_and_takes_nothing(books: Any) -> None:
    await books.open("A", "B")
    await books.post(books.paid("p1", 100, ("A", 100)))
    async with transaction(books.db) as tx:
        await contracts.set_open(tx, books.core.rules, "A", False, books.clock(), "")
    await correct(books, 1, ("B", 100))
    with pytest.raises(Invalid, match="contract"):
        await correct(books, 2, ("A", 100))
    assert await books.balances() == {"A": 0, "B": 100}


async def test_two_corrections_at_once_make_one(books: Any) -> None:
    await books.open("A", "B", "C")
    await books.post(books.paid("p1", 100, ("A", 100)))
    targets = ["B", "C", "B", "C"]
    results = await asyncio.gather(
        *(correct(books, 1, (number, 100)) for number in targets), return_exceptions=True
    )
    refused = [r for r in results if isinstance(r, Exception)]
    assert len(refused) == 3
    assert all(isinstance(r, Conflict) for r in refused), refused
    balances = await books.balances()
    assert balances["A"] == 0
    assert sorted(balances.values()) == [0, 0, 100]
    assert (await books.proof()).faults == []
