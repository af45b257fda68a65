"""A contract as core-billing knows it in a year that is played."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from autopay.schedule import day_of, month_after
from shared.clock import MOSCOW
from shared.events_billing import NeededLine
from year.people import Person

DAYS_AHEAD = 10
"""For how many days of a daily tariff money is said to be needed."""


@dataclass(slots=True)
class Account:
    """A contract as core knows it."""

    person: Person
    balance: int
    threshold: int | None = None
    fee_days: int | None = None
    heard: dict[str, int] = field(default_factory=dict)
    """The revision of the newest watch of each kind."""
    low: bool = False
    crossing: int = 0
    fee_said: date | None = None
    blocked_at: datetime | None = None
    access: int = 0
    moves: int = 0

    @property
    def fee(self) -> int:
        """Return what the next fee comes to."""
        return self.person.tariff_kopecks // (30 if self.person.daily else 1)

    @property
    def whole_fee(self) -> int:
        """Return what is to be there: a month's fee, or that of some days."""
        return self.fee * (DAYS_AHEAD if self.person.daily else 1)

    @property
    def needed(self) -> int:
        """Return what is missing."""
        return max(0, self.whole_fee - self.balance)

    def lines(self) -> tuple[NeededLine, ...]:
        """Return how the needed sum comes about."""
        if not self.needed:
            return ()
        return (
            NeededLine(ru="Абонентская плата", en="Fee", kopecks=self.whole_fee),
            NeededLine(ru="На счёте", en="On the account", kopecks=-self.balance),
        )

    def blocks_on(self, at: datetime) -> date | None:
        """Return the day on which it would be blocked; none where the next fee is there."""
        today = day_of(at, MOSCOW)
        if self.blocked_at is not None:
            return today
        if self.person.daily:
            return today + timedelta(days=1 + max(0, self.balance) // self.fee)
        return month_after(today) if self.balance < self.fee else None
