"""A contract and its promises against a small model, through random histories.

After every step: what is available obeys its definition, at most one promise is open, and each
is closed exactly when it is paid, taken back, or nothing is owed after its end.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
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

from shared.errors import SaldoError

FEE, LEAST, MOST = 1_000, 10_000, 100_000
KOPECKS = st.integers(1, 60_000)
DAYS = timedelta(days=3)


@dataclass
class Owed:
    """A promise as it should stand."""

    amount: int
    until: datetime
    paid: int = 0
    status: str = "active"


@dataclass
class Model:
    """A contract as it should stand."""

    balance: int
    limit: int
    promises: list[Owed] = field(default_factory=list)

    @property
    def open(self) -> Owed | None:
        """The promise that is not closed."""
        found = [one for one in self.promises if one.status in ("active", "overdue")]
        assert len(found) <= 1
        return found[0] if found else None

    @property
    def available(self) -> int:
        """What may still be spent."""
        active = self.open is not None and self.open.status == "active"
        return self.balance + self.limit + (self.open.amount if active and self.open else 0)

    def move(self, kopecks: int, real: bool) -> None:
        """Let money come or go; only what comes from outside repays."""
        self.balance += kopecks
        one = self.open
        if one is None:
            return
        if real:
            one.paid = min(one.amount, one.paid + kopecks)
        fine = one.status == "overdue" and self.balance + self.limit >= 0
        if one.paid == one.amount or (fine and real):
            one.status = "repaid"
        elif fine:
            one.status = "ended"

    def at(self, moment: datetime) -> None:
        """Let a promise end."""
        one = self.open
        if one is not None and one.status == "active" and one.until <= moment:
            one.status = "ended" if self.balance + self.limit >= 0 else "overdue"


class Life(RuleBasedStateMachine):
    """Random histories of one contract."""

    promises: Any
    runner: asyncio.Runner
    count = 0

    @initialize(balance=st.integers(-60_000, 20_000), limit=st.sampled_from([0, 0, 5_000]))
    def begin(self, balance: int, limit: int) -> None:
        """Open a contract that no other history uses."""
        type(self).count += 1
        self.number, self.moved = f"c{type(self).count}", 0
        self.books = self.promises.books
        self.model = Model(balance, limit)
        self.run(
            self.books.open(
                self.books.asked(self.number, rubles(balance), credit_limit=rubles(limit))
            )
        )

    def run(self, work: Any) -> Any:
        """Run a coroutine to its end."""
        return self.runner.run(work)

    @rule(amount=st.integers(LEAST - 1, MOST + 1), least=st.booleans(), waive=st.booleans())
    def grant(self, amount: int, least: bool, waive: bool) -> None:
        """Promise something, or just what is missing."""
        fee = 0 if waive else FEE
        missing = fee - self.model.available
        if least and self.model.open is None:
            amount = max(LEAST, missing)
        asked = self.promises.grant(self.number, amount, waive_fee=waive)
        if self.model.open or not LEAST <= amount <= MOST or amount < missing:
            with pytest.raises(SaldoError):
                self.run(asked)
            return
        made = self.run(asked)
        day = self.books.core.rules.day(self.books.clock()) + DAYS
        until = self.books.core.rules.start(day + timedelta(days=1))
        assert made.until == until
        self.model.balance -= fee
        self.model.promises.append(Owed(amount, until))

    @rule(kopecks=KOPECKS, times=st.integers(1, 3))
    def pay(self, kopecks: int, times: int) -> None:
        """Let a payment come, and say it again."""
        self.moved += 1
        given = self.books.paid(f"{self.number}-{self.moved}", kopecks, (self.number, kopecks))
        self.run(self.books.arrive(*[given] * times))
        self.model.move(kopecks, real=True)

    @rule(kopecks=st.integers(-60_000, 30_000).filter(bool))
    def move(self, kopecks: int) -> None:
        """Let a fee be taken, or money come from another contract."""
        self.moved += 1
        self.run(self.promises.move(f"{self.number}-{self.moved}", self.number, kopecks))
        self.model.move(kopecks, real=False)

    @rule(hours=st.sampled_from([1, 24, 100]))
    def wait(self, hours: int) -> None:
        """Let time pass, and the job run."""
        self.books.clock.advance(timedelta(hours=hours))
        self.run(self.promises.step())
        self.model.at(self.books.clock())

    @rule(stale=st.booleans())
    def cancel(self, stale: bool) -> None:
        """Take the newest promise back."""
        if not self.model.promises:
            return
        [newest, *_] = self.run(self.promises.all_of(self.number))
        asked = self.promises.cancel(newest, newest.revision - 1 if stale else newest.revision)
        if stale or self.model.open is None:
            with pytest.raises(SaldoError):
                self.run(asked)
            return
        self.run(asked)
        self.model.open.status = "canceled"

    @invariant()
    def it_stands_as_the_model_says(self) -> None:
        """Compare everything."""
        if not hasattr(self, "model"):
            return
        now = self.run(self.promises.now(self.number))
        assert now.balance_kopecks == self.model.balance
        assert now.available_kopecks == self.model.available
        kept = self.run(self.promises.all_of(self.number))[::-1]
        assert [(p.amount_kopecks, p.paid_kopecks, p.until, p.status) for p in kept] == [
            (one.amount, one.paid, one.until, one.status) for one in self.model.promises
        ]
        assert self.run(self.promises.tied(self.number)) is (self.model.open is not None)
        revisions = [one.revision for one in kept]
        assert revisions == sorted(set(revisions))


def rubles(kopecks: int) -> str:
    """Return kopecks as an amount of the API."""
    sign, rest = "-" if kopecks < 0 else "", abs(kopecks)
    return f"{sign}{rest // 100}.{rest % 100:02}"


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """A loop of the test's own: hypothesis calls functions, not coroutines."""
    with asyncio.Runner() as made:
        yield made


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
def test_any_history_keeps_the_promises(unruled: Any, runner: asyncio.Runner) -> None:
    Life.promises, Life.runner = unruled, runner
    runner.run(Life.promises.rule(fee=rubles(FEE)))
    few = settings(
        max_examples=10,
        stateful_step_count=12,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Life, settings=few)
    runner.run(unruled.books.db.close())
