"""The ledger against a model of twenty lines: random payments, in batches, singly, corrected.

After every step each balance, each outcome and the whole proof must be what the model says.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from core_billing import contracts, corrections, single
from core_billing.ledger import Outcome, Payment
from shared.db import transaction
from shared.errors import Conflict, Invalid, NotFound

NUMBERS = ("A", "B", "C")
UNKNOWN = "nobody"
KOPECKS = st.integers(1, 10**12)
IDS = st.sampled_from([f"p{n}" for n in range(12)])


@dataclass
class Model:
    """What the books should hold."""

    prefix: str
    open: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(NUMBERS, True))
    balances: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NUMBERS, 0))
    payments: dict[str, tuple[int, int, dict[str | None, int]]] = field(default_factory=dict)
    """Id → amount, revision, and who holds how much of it (None is suspense)."""

    def post(self, given: Payment) -> Outcome:
        """Take a payment as the ledger should."""
        known = self.payments.get(given.external_id)
        if known is not None:
            return Outcome.REPEAT if known[0] == given.amount_kopecks else Outcome.CONFLICT
        shares: dict[str | None, int] = {}
        total = sum(kopecks for _, kopecks in given.allocations)
        if given.suspense is not None or total != given.amount_kopecks:
            shares[None] = given.amount_kopecks
        else:
            for number, kopecks in given.allocations:
                name = number.removeprefix(self.prefix)
                holder = name if self.open.get(name, False) else None
                shares[holder] = shares.get(holder, 0) + kopecks
        self._hold(given.external_id, given.amount_kopecks, 1, shares)
        return Outcome.SUSPENSE if None in shares else Outcome.POSTED

    def correct(self, external_id: str, shares: dict[str | None, int]) -> None:
        """Put a payment elsewhere."""
        amount, revision, before = self.payments[external_id]
        for holder, kopecks in before.items():
            if holder is not None:
                self.balances[holder] -= kopecks
        self._hold(external_id, amount, revision + 1, shares)

    def _hold(self, key: str, amount: int, revision: int, shares: dict[str | None, int]) -> None:
        self.payments[key] = amount, revision, shares
        for holder, kopecks in shares.items():
            if holder is not None:
                self.balances[holder] += kopecks


@st.composite
def given_payments(draw: st.DrawFn) -> tuple[str, int, tuple[tuple[str, int], ...], str | None]:
    """Draw an id, an amount, shares that mostly fit, and rarely a reason for suspense."""
    holders = draw(st.lists(st.sampled_from([*NUMBERS, UNKNOWN]), min_size=0, max_size=4))
    shares = tuple((holder, draw(KOPECKS)) for holder in holders)
    fitting = sum(kopecks for _, kopecks in shares)
    off = draw(st.sampled_from([0, 0, 0, 0, 1, -1]))
    amount = max(1, fitting + off)
    return draw(IDS), amount, shares, draw(st.sampled_from([None, None, None, "another_amount"]))


class Ledger(RuleBasedStateMachine):
    """Random histories of one operator's books."""

    books: Any
    runner: asyncio.Runner
    count = 0

    @initialize()
    def begin(self) -> None:
        """Open contracts that no other history uses."""
        type(self).count += 1
        self.prefix = f"{type(self).count}-"
        self.model = Model(self.prefix)
        self.run(self.books.open(*(self.prefix + number for number in NUMBERS)))

    def run(self, work: Any) -> Any:
        """Run a coroutine to its end."""
        return self.runner.run(work)

    def payment(self, drawn: Any) -> Payment:
        """Return what was drawn as a payment of this history."""
        external_id, amount, shares, suspense = drawn
        named = tuple((self.prefix + number, kopecks) for number, kopecks in shares)
        return self.books.paid(
            external_id, amount, *named, suspense=suspense, provider=f"x:{self.prefix}"
        )

    @rule(batch=st.lists(given_payments(), max_size=8))
    def post_a_batch(self, batch: Any) -> None:
        """Give several payments at once."""
        given = [self.payment(drawn) for drawn in batch]
        receipts = self.run(self.books.post(*given))
        assert [r.outcome for r in receipts] == [self.model.post(one) for one in given]

    @rule(drawn=given_payments(), driver=st.booleans())
    def post_one(self, drawn: Any, driver: bool) -> None:
        """Give one payment by the shortest way."""
        given = self.payment(drawn)

        async def alone() -> Outcome:
            async with single.posting_one_by_one(self.books.db, driver=driver) as post:
                return (await post(given, self.books.clock())).outcome

        assert self.run(alone()) is self.model.post(given)

    @rule(number=st.sampled_from(NUMBERS), is_open=st.booleans())
    def close_or_open(self, number: str, is_open: bool) -> None:
        """Close or reopen a contract."""
        self.model.open[number] = is_open

        async def change() -> None:
            async with transaction(self.books.db) as tx:
                rules, at = self.books.core.rules, self.books.clock()
                await contracts.set_open(tx, rules, self.prefix + number, is_open, at, "")

        self.run(change())

    @rule(
        external_id=IDS,
        holders=st.lists(st.sampled_from([*NUMBERS, None, UNKNOWN]), unique=True, max_size=3),
        stale=st.sampled_from([0, 0, 0, 1]),
    )
    def correct(self, external_id: str, holders: list[str | None], stale: int) -> None:
        """Move a payment to other contracts, or to suspense."""
        known = self.model.payments.get(external_id)
        amount, revision, _ = known or (len(holders), 1, {})
        if amount < len(holders):
            return
        rest = amount - len(holders) + 1
        shares = {holder: 1 if n else rest for n, holder in enumerate(holders)}

        async def change() -> None:
            named = [
                (None if holder is None else self.prefix + holder, kopecks)
                for holder, kopecks in shares.items()
            ]
            reference = (f"payment:x:{self.prefix}", external_id)
            async with transaction(self.books.db) as tx:
                await corrections.correct(
                    tx, reference, revision + stale, named, self.books.clock()
                )

        allowed = all(h is None or self.model.open.get(h, False) for h in holders)
        if known is None:
            self.refused(NotFound, change())
        elif stale:
            self.refused(Conflict, change())
        elif not (allowed and holders):
            self.refused(Invalid, change())
        else:
            self.run(change())
            self.model.correct(external_id, shares)

    def refused(self, error: type[Exception], work: Any) -> None:
        """Run what must be refused."""
        with pytest.raises(error):
            self.run(work)

    @invariant()
    def the_books_agree(self) -> None:
        """Compare every balance with the model, and prove the books."""
        if not hasattr(self, "model"):
            return
        kept = self.run(self.books.balances())
        assert {n: kept[self.prefix + n] for n in NUMBERS} == self.model.balances
        report = self.run(self.books.proof())
        assert report.faults == []
        assert report.debits_kopecks == report.credits_kopecks


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """A loop of the test's own: hypothesis calls functions, not coroutines."""
    with asyncio.Runner() as made:
        yield made


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_any_history_keeps_the_books(books: Any, runner: asyncio.Runner) -> None:
    Ledger.books, Ledger.runner = books, runner
    few = settings(
        max_examples=25,
        stateful_step_count=15,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Ledger, settings=few)
    runner.run(books.db.close())
