"""The ledger against a small model: random payments, in batches, singly, corrected, refunded.

After every step each balance, each outcome and the whole proof must be what the model says.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

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

from core_billing import contracts, corrections, refund_booking, refunds, single
from core_billing.holdings import pro_rata
from core_billing.ledger import Outcome, Payment
from core_billing.refund_notices import Notice
from shared.db import transaction
from shared.errors import Conflict, Invalid, NotFound

NUMBERS = ("A", "B", "C")
UNKNOWN = "nobody"
KOPECKS = st.integers(1, 10**12)
IDS = st.sampled_from([f"p{n}" for n in range(12)])
SENT = st.sampled_from([f"r{n}" for n in range(8)])
WHICH = st.integers(0, 30)
PERCENT = st.sampled_from([33, 1, 10, 50, 100, 120, 0])


@dataclass
class Model:
    """What the books should hold."""

    prefix: str
    open: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(NUMBERS, True))
    balances: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NUMBERS, 0))
    payments: dict[str, tuple[int, int, dict[str | None, int]]] = field(default_factory=dict)
    """Id → amount, revision, and who holds how much of it (None is suspense)."""
    rests: dict[str, dict[str | None, int]] = field(default_factory=dict)
    """Id → what refunds have left of it; only of payments that have been refunded."""
    asked: dict[str, tuple[str, dict[str | None, int]]] = field(default_factory=dict)
    """Refunds under way → payment and who gave how much."""
    sent: dict[str, tuple[str, int]] = field(default_factory=dict)
    """The provider's refund → payment and kopecks."""

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
        if None in shares:  # suspense takes what is left over, so it comes last
            shares[None] = shares.pop(None)
        self._hold(given.external_id, given.amount_kopecks, 1, shares)
        return Outcome.SUSPENSE if None in shares else Outcome.POSTED

    def correct(self, external_id: str, shares: dict[str | None, int]) -> None:
        """Put a payment elsewhere."""
        amount, revision, before = self.payments[external_id]
        self.rests.pop(external_id, None)
        for holder, kopecks in before.items():
            if holder is not None:
                self.balances[holder] -= kopecks
        self._hold(external_id, amount, revision + 1, shares)

    def take(self, external_id: str, kopecks: int) -> dict[str | None, int]:
        """Take a refund from those who hold a payment's money; above the rest, from all."""
        _, _, shares = self.payments[external_id]
        left = {holder: max(0, rest) for holder, rest in self.left(external_id).items()}
        above = kopecks - sum(left.values())
        split = pro_rata(kopecks, left) if above <= 0 else left
        more = pro_rata(above, shares) if above > 0 else {}
        split = {holder: split.get(holder, 0) + more.get(holder, 0) for holder in shares}
        for holder, taken in split.items():
            self._give(external_id, holder, -taken)
        return split

    def left(self, external_id: str) -> dict[str | None, int]:
        """Return what refunds have left of a payment."""
        return self.rests.setdefault(external_id, dict(self.payments[external_id][2]))

    def is_refunded(self, external_id: str) -> bool:
        """Say whether a refund has been sent or is under way."""
        return external_id in {key for key, _ in (*self.asked.values(), *self.sent.values())}

    def give_back(self, refund_id: str) -> None:
        """Give back what was taken for a refund that was asked for."""
        external_id, split = self.asked.pop(refund_id)
        for holder, kopecks in split.items():
            self._give(external_id, holder, kopecks)

    def _give(self, external_id: str, holder: str | None, kopecks: int) -> None:
        self.rests[external_id][holder] += kopecks
        if holder is not None:
            self.balances[holder] += kopecks

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

    @initialize(batch=st.lists(given_payments(), min_size=2, max_size=6))
    def begin(self, batch: Any) -> None:
        """Open contracts that no other history uses, and take a few payments."""
        type(self).count += 1
        self.prefix = f"{type(self).count}-"
        self.model = Model(self.prefix)
        self.run(self.books.open(*(self.prefix + number for number in NUMBERS)))
        self.post_a_batch(batch)

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
        elif stale or self.model.is_refunded(external_id):
            self.refused(Conflict, change())
        elif not (allowed and holders):
            self.refused(Invalid, change())
        else:
            self.run(change())
            self.model.correct(external_id, shares)

    def some_payment(self, which: int) -> str:
        """Return the id of a payment that is known, or sometimes of one that is not."""
        return [*self.model.payments, "unheard"][which % (len(self.model.payments) + 1)]

    @rule(which=WHICH, percent=PERCENT, sent=SENT)
    def refund_unasked(self, which: int, percent: int, sent: str) -> None:
        """Hear of a refund that nobody here has asked for; a payment unknown is waited for."""
        external_id = self.some_payment(which)
        known = self.model.payments.get(external_id)
        kopecks = max(1, percent * (known or (100, 1, {}))[0] // 100)
        waits = self.hear(external_id, kopecks, sent)
        new = sent not in self.model.sent
        assert waits is (new and known is None)
        if new and known is not None:
            self.model.take(external_id, kopecks)
            self.model.sent[sent] = external_id, kopecks

    @rule(which=WHICH, percent=PERCENT)
    def ask_for_a_refund(self, which: int, percent: int) -> None:
        """Ask for a part of a payment, or for more than there is."""
        external_id = self.some_payment(which)
        known = self.model.payments.get(external_id)
        kopecks = percent * (known or (100, 1, {}))[0] // 100

        async def ask() -> str:
            async with transaction(self.books.db) as tx:
                rules, at = self.books.core.rules, self.books.clock()
                reference = (f"payment:x:{self.prefix}", external_id)
                return await refunds.request_refund(tx, rules, reference, kopecks, "", at)

        if known is None:
            return self.refused(NotFound, ask())
        rest = sum(max(0, left) for left in self.model.left(external_id).values())
        if not 0 < kopecks <= rest:
            return self.refused(Invalid, ask())
        refund_id = self.run(ask())
        self.model.asked[refund_id] = external_id, self.model.take(external_id, kopecks)
        return None

    @rule(which=WHICH, sent=st.none() | SENT)
    def decide_a_refund(self, which: int, sent: str | None) -> None:
        """Hear that a refund asked for was sent, or that it was not."""
        if not self.model.asked:
            return
        refund_id = list(self.model.asked)[which % len(self.model.asked)]
        external_id, split = self.model.asked[refund_id]
        kopecks = sum(split.values())
        assert not self.hear(external_id, kopecks, sent, refund_id)
        if sent is None:
            self.model.give_back(refund_id)
        elif sent not in self.model.sent:
            self.model.asked.pop(refund_id)
            self.model.sent[sent] = external_id, kopecks

    def hear(self, external_id: str, kopecks: int, sent: str | None, asked: str = "") -> bool:
        """Let a gateway's word in; return whether it has to wait."""
        at = self.books.clock()
        notice = Notice(
            event_id=uuid4(),
            correlation_id="",
            succeeded=sent is not None,
            provider=f"x:{self.prefix}",
            provider_payment_id=external_id,
            provider_refund_id=sent,
            refund_id=asked or None,
            amount_kopecks=kopecks,
            reason="",
            at=at,
        )

        async def apply() -> bool:
            async with transaction(self.books.db) as tx:
                return bool(await refund_booking.apply(tx, self.books.core.rules, [notice], at))

        return bool(self.run(apply()))

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
        max_examples=15,
        stateful_step_count=20,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Ledger, settings=few)
    runner.run(books.db.close())
