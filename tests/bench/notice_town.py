"""A month of contracts whose money runs out and is paid again, as core would tell of it.

The watches are judged by core's own rule. What a subscriber does follows from a seed: some pay
before anybody could tell them, some after a day, too little, or never. Events come late, doubled
and out of order, as they may.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, NamedTuple

from core_billing.watch_rules import State, judged
from shared.events import (
    BalanceLow,
    BalanceRecovered,
    ContractChanged,
    Event,
    EventData,
    PaymentPosted,
    SubscriberChanged,
)
from shared.topology import NOTIFIER

START: Final = datetime(2026, 10, 31, 21, 0, tzinfo=UTC)
"""Midnight in Moscow."""
DAYS: Final = 30
THRESHOLD: Final = 10_000
MARGIN_PERCENT: Final = 10
ZONES: Final = (
    *("Europe/Moscow",) * 6,
    *("Asia/Yekaterinburg",) * 2,
    *("Asia/Vladivostok", "Europe/Kaliningrad", "Europe/Berlin"),
)
_DAY: Final = timedelta(days=1)
_CORE: Final = "core-billing"
_FEE_AT: Final = timedelta(minutes=5)

Kind = Literal["low", "recovered", "paid"]


class Happened(NamedTuple):
    """What core says of a contract: when, of which crossing, and the balance then."""

    at: datetime
    heard_at: datetime
    contract: int
    kind: Kind
    crossing: int
    balance: int
    amount: int = 0


@dataclass
class Crossing:
    """One fall below the threshold, as it truly was."""

    contract: int
    number: int
    at: datetime
    balance: int
    heard_at: datetime
    covered_at: datetime | None = None
    """When the balance first reached the threshold again."""
    sure_at: datetime | None = None
    """When the notifier first heard that it had."""
    told: list[datetime] = field(default_factory=list)
    reminded: list[datetime] = field(default_factory=list)


def number(contract: int) -> str:
    """Return how a contract is called."""
    return f"c-{contract}"


def zone(contract: int) -> str:
    """Return where a contract's subscriber lives."""
    return ZONES[contract * 7 % len(ZONES)]


def reachable(contract: int) -> bool:
    """Say whether a subscriber has given a telephone."""
    return contract % 50 != 0


class Month:
    """What happens to one contract in a month."""

    def __init__(self, contract: int, seed: int, days: int = DAYS) -> None:
        self._dice = random.Random(f"{seed}:{contract}")
        self._contract = contract
        self._days = days
        self._balance = self._dice.randrange(10_000, 90_000)
        self._state = State(armed=True, crossing=0)
        self.crossings: list[Crossing] = []
        self.happened: list[Happened] = []
        self._live(self._dice.choice((600, 1_000, 1_700, 2_500, 4_000)))

    def _live(self, fee: int) -> None:
        payments: list[tuple[datetime, int]] = []
        for day in range(self._days):
            midnight = START + day * _DAY
            while payments and payments[0][0] < midnight + _FEE_AT:
                self._pay(*payments.pop(0))
            at = midnight + _FEE_AT + timedelta(seconds=self._dice.randrange(600))
            if self._move(at, -fee):
                payments = sorted(payments + self._answer(at))
        for payment in payments:
            if payment[0] < START + self._days * _DAY:
                self._pay(*payment)

    def _answer(self, at: datetime) -> list[tuple[datetime, int]]:
        """Return what a subscriber pays who is running low."""
        what, dice = self._dice.random(), self._dice
        amount = dice.choice((30_000, 50_000, 65_000))
        if what < 0.15:
            return [(at + timedelta(minutes=dice.randrange(1, 400)), amount)]
        if what < 0.75:
            return [(at + timedelta(hours=dice.uniform(7, 90)), amount)]
        if what < 0.85:  # too little, and the rest days later
            first = at + timedelta(hours=dice.uniform(1, 20))
            return [(first, dice.randrange(100, 4_000)), (first + 4 * _DAY, amount)]
        return []

    def _pay(self, at: datetime, amount: int) -> None:
        self._balance += amount
        self._say(at, "paid", amount)
        self._judge(at)

    def _move(self, at: datetime, kopecks: int) -> bool:
        self._balance += kopecks
        return self._judge(at)

    def _judge(self, at: datetime) -> bool:
        """Let the watch look, and keep the truth; say whether the balance has just fallen."""
        before, self._state = (
            self._state,
            judged(self._state, self._balance, THRESHOLD, MARGIN_PERCENT),
        )
        if self._balance >= THRESHOLD and self.crossings:
            self.crossings[-1].covered_at = self.crossings[-1].covered_at or at
        if self._state == before:
            return False
        if self._state.armed:
            self._say(at, "recovered")
            return False
        heard_at = self._say(at, "low")
        fall = Crossing(self._contract, self._state.crossing, at, self._balance, heard_at)
        self.crossings.append(fall)
        return True

    def _say(self, at: datetime, kind: Kind, amount: int = 0) -> datetime:
        late = self._dice.random()
        delay = self._dice.expovariate(1 / 5) if late > 0.05 else self._dice.uniform(60, 12 * 3600)
        heard_at = at + timedelta(seconds=delay)
        said = Happened(
            *(at, heard_at, self._contract, kind),
            *(self._state.crossing, self._balance, amount),
        )
        self.happened.append(said)
        if late > 0.9:
            again = heard_at + timedelta(seconds=self._dice.uniform(1, 24 * 3600))
            self.happened.append(said._replace(heard_at=again))
        if kind != "low" and self._balance >= THRESHOLD and self.crossings:
            fall = self.crossings[-1]
            fall.sure_at = min(fall.sure_at or heard_at, heard_at)
        return heard_at


def event_of(said: Happened) -> Event:
    """Return what core says, as the notifier hears it."""
    contract, body, revision = number(said.contract), _body(said), f"{said.kind}:{said.crossing}"
    if said.kind == "paid":
        revision = f"paid:{said.at.timestamp()}"
    return _wrapped(body, contract, revision)


def _body(said: Happened) -> EventData:
    about = {"contract": number(said.contract), "occurred_at": said.at}
    if said.kind == "paid":
        payment = f"{said.contract}-{said.at.timestamp()}"
        money = {"balance_kopecks": said.balance, "available_kopecks": said.balance}
        return PaymentPosted.model_validate(
            about
            | money
            | {
                "payment_id": payment,
                "provider": "yookassa:1",
                "provider_payment_id": payment,
                "amount_kopecks": said.amount,
                "posted_at": said.at,
            }
        )
    crossing = about | {
        "watcher": NOTIFIER,
        "crossing": said.crossing,
        "balance_kopecks": said.balance,
    }
    if said.kind == "recovered":
        return BalanceRecovered.model_validate(crossing)
    needed = {"threshold_kopecks": THRESHOLD, "needed_kopecks": THRESHOLD - said.balance}
    # A known day: what may end before the morning waits for no morning.
    block = {"blocks_on": (said.at + 5 * _DAY).date().isoformat()}
    return BalanceLow.model_validate(crossing | needed | block)


def people(contracts: int) -> Iterator[Event]:
    """Yield the directory: whose each contract is, and how they are reached."""
    for contract in range(contracts):
        this, who = number(contract), f"s-{contract}"
        owner = ContractChanged(
            contract=this,
            occurred_at=START,
            revision=1,
            operator="",
            status="open",
            subscriber_id=who,
        )
        yield _wrapped(owner, this, "1")
        phone = f"+79{contract:09d}" if reachable(contract) else ""
        person = SubscriberChanged(
            occurred_at=START,
            revision=1,
            subscriber_id=who,
            name=f"Анна {contract}",
            phone=phone,
            timezone=zone(contract),
        )
        yield _wrapped(person, who, "1")


def _wrapped(body: EventData, subject: str, revision: str) -> Event:
    return body.event(_CORE, subject=subject, revision=revision, correlation_id="month")
