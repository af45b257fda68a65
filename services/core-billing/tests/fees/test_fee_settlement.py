"""Which payments settle a fee: against a queue of coins, and in the books."""

from collections import deque
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core_billing import corrections, refunds
from core_billing.drafts import Payment
from core_billing.fee_settlement import Portion, spent
from shared.db import transaction

ON_SQLITE = pytest.mark.parametrize("db", ["sqlite"], indirect=True)


class Purse:
    """Money that is spent first in, first out, and a debt that the next money pays first."""

    def __init__(self) -> None:
        self.coins: deque[tuple[str, int]] = deque()
        self.debt = 0

    @property
    def balance(self) -> int:
        return sum(kopecks for _, kopecks in self.coins) - self.debt

    def credit(self, name: str, kopecks: int) -> None:
        paid = min(self.debt, kopecks)
        self.debt -= paid
        if kopecks > paid:
            self.coins.append((name, kopecks - paid))

    def fee(self, kopecks: int) -> list[tuple[str, int]]:
        taken = []
        while kopecks and self.coins:
            name, there = self.coins.popleft()
            part = min(there, kopecks)
            taken.append((name, part))
            kopecks -= part
            if there > part:
                self.coins.appendleft((name, there - part))
        self.debt += kopecks
        return taken


MOVES = st.lists(st.tuples(st.booleans(), st.integers(1, 30)), max_size=25)


@settings(max_examples=150)
@given(MOVES)
def test_walking_back_finds_what_a_queue_of_coins_would_spend(moves: Any) -> None:
    purse, money = Purse(), []
    for number, (is_credit, kopecks) in enumerate(moves):
        if is_credit:
            purse.credit(str(number), kopecks)
            money.append(Portion(("payment:p", str(number)), kopecks))
            continue
        found = spent(money[::-1], purse.balance, kopecks)
        named = [(one.payment[1], one.kopecks) for one in found]
        assert named == purse.fee(kopecks)


@settings(max_examples=100)
@given(MOVES, st.integers(0, 8))
def test_what_is_not_walked_is_spent_before_what_is(moves: Any, walked: int) -> None:
    purse, money = Purse(), []
    for number, (is_credit, kopecks) in enumerate(moves):
        if is_credit:
            purse.credit(str(number), kopecks)
            money.append(Portion(("payment:p", str(number)), kopecks))
            continue
        newest = money[::-1][:walked]
        known = {one.payment[1] for one in newest}
        found = spent(newest, purse.balance, kopecks)
        named = [(one.payment[1], one.kopecks) for one in found]
        assert named == [(name, part) for name, part in purse.fee(kopecks) if name in known]


@ON_SQLITE
async def test_the_oldest_payments_settle_and_other_money_is_spent_silently(
    books: Any, fees: Any
) -> None:
    await books.open(books.asked("1", "100.00"))
    await books.arrive(books.paid("p1", 20_000, ("1", 20_000)))
    await books.arrive(books.paid("p2", 50_000, ("1", 50_000)))
    await fees.tariff("Net", 40_000)
    await fees.begin("1", "Net")
    await fees.charge()
    await fees.charge(date(2026, 12, 1))
    await books.arrive(books.paid("p3", 20_000, ("1", 20_000)))
    await fees.charge(date(2027, 1, 1))
    assert await fees.settled() == [
        (40_000, [("p1", 20_000), ("p2", 10_000)]),
        (40_000, [("p2", 40_000)]),
        (40_000, [("p3", 20_000)]),
    ]


@ON_SQLITE
async def test_two_fees_of_one_batch_take_one_after_the_other(books: Any, fees: Any) -> None:
    await books.open("1", "2")
    await books.arrive(
        books.paid("p1", 50_000, ("1", 30_000), ("2", 20_000)),
        books.paid("p2", 10_000, ("1", 10_000)),
    )
    await fees.tariff("Net", 25_000)
    for number in ("1", "1", "2"):
        await fees.begin(number, "Net")
    await fees.charge()
    assert await fees.settled() == [
        (25_000, [("p1", 25_000)]),
        (25_000, [("p1", 5_000), ("p2", 10_000)]),
        (25_000, [("p1", 20_000)]),
    ]
    events = await books.said("fee.charged")
    assert [event["data"]["contract"] for event in events] == ["1", "1", "2"]
    assert events[0]["data"]["fee_id"].startswith("internet:")


async def test_what_was_refunded_or_moved_away_settles_nothing(books: Any, fees: Any) -> None:
    await books.open("1", "2")
    for name in ("p1", "p2", "p3"):
        await books.arrive(books.paid(name, 20_000, ("1", 20_000)))
    of = "payment:yookassa:100500"
    async with transaction(books.db) as tx:
        at = books.clock()
        await refunds.request_refund(tx, books.core.rules, (of, "p1"), 15_000, "asked", at)
        await corrections.correct(tx, (of, "p2"), 1, [("2", 20_000)], at)
    await fees.tariff("Net", 20_000)
    await fees.begin("1", "Net")
    await fees.begin("2", "Net")
    await fees.charge()
    assert await fees.settled() == [
        (20_000, [("p1", 5_000), ("p3", 15_000)]),
        (20_000, [("p2", 20_000)]),
    ]


@ON_SQLITE
async def test_a_hundred_small_payments_are_named_as_far_as_an_event_can(
    books: Any, fees: Any
) -> None:
    await books.open("1")
    await books.arrive(*(books.paid(f"p{n}", 100, ("1", 100)) for n in range(100)))
    await fees.tariff("Net", 9_900)
    await fees.begin("1", "Net")
    await fees.charge()
    [(_, named)] = await fees.settled()
    # Of a hundred the newest sixty are looked at, and of those the first fifty named.
    assert named == [(f"p{n}", 100) for n in range(40, 90)]


@ON_SQLITE
async def test_cash_settles_without_being_named(books: Any, fees: Any) -> None:
    await books.open("1")
    cash = Payment("cash:anna", "r-1", 5_000, (("1", 5_000),), books.clock())
    await books.arrive(cash, books.paid("p1", 20_000, ("1", 20_000)))
    await fees.tariff("Net", 10_000)
    await fees.begin("1", "Net")
    await fees.charge()
    assert await fees.settled() == [(10_000, [("p1", 5_000)])]
