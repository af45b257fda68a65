"""The position of a contract: what it has, what it owes and what it will be charged.

Forecasts and recommended payments are made from it. Pure; `outlook` reads it from the database.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from heapq import merge

from core_billing import fee_calendar
from core_billing.fee_calendar import Charge, Plan
from core_billing.policy_values import BlockRule


@dataclass(frozen=True, slots=True)
class Position:
    """A contract as it stands, amounts in kopecks."""

    contract_id: int
    number: str
    group: str
    open: bool
    balance_kopecks: int
    credit_limit_kopecks: int
    rule: BlockRule
    """When it is cut off: its own rule, else its group's, else everybody's."""
    exempt: bool = False
    """Whether its tariffs cut nobody off."""
    plans: tuple[Plan, ...] = ()
    promised_kopecks: int = 0
    """How far an active promise lets it go below the limit."""
    promise_left_kopecks: int = 0
    """What payments have not yet repaid of that promise."""
    promise_ends: date | None = None
    """The first day that begins without the promise."""
    subordinate_debt_kopecks: int = 0
    """What the contracts below it owe: money that comes to this one goes there."""
    blocked: bool = False
    short_since: date | None = None

    @property
    def available_kopecks(self) -> int:
        """Return what may still be spent: balance, credit limit and active promise together."""
        return self.balance_kopecks + self.credit_limit_kopecks + self.promised_kopecks


def charges(position: Position, until: date) -> Iterator[Charge]:
    """Return what its services will be charged until a day, in the order of the days."""
    if not position.open:
        return iter(())
    each = (fee_calendar.charges(plan, until) for plan in position.plans)
    return merge(*each, key=lambda charge: (charge.start, charge.service_id))


def month_end(day: date, months: int = 0) -> date:
    """Return the last day of the month that comes so many months after a day's own."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, calendar.monthrange(year, month + 1)[1])
