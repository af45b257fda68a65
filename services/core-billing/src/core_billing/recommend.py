"""How much a subscriber is advised to pay, and why: line by line, to the kopeck. Pure.

A promise is no money: the debt is recommended in full, and at least what repays the promise. The
credit limit is none either. Money that comes to a main contract covers the debts below it first,
so they are part of what is owed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import groupby
from typing import Final

from core_billing.fee_calendar import Charge
from core_billing.policy_values import Mode, Recommended
from core_billing.position import Position, charges, month_end
from shared.errors import Text


class Kind(StrEnum):
    """What a line of the explanation is about."""

    DEBT = "debt"
    SUBORDINATES = "subordinates"
    FEE = "fee"
    BALANCE = "balance"
    PROMISE = "promise"
    FIXED = "fixed"
    SURPLUS = "surplus"
    MINIMUM = "minimum"
    ROUNDING = "rounding"


@dataclass(frozen=True, slots=True)
class Line:
    """A part of the recommended payment; that of the balance is negative."""

    kind: Kind
    what: Text
    kopecks: int


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A recommended payment; its lines sum to it exactly. Zero where nothing is due."""

    kopecks: int
    lines: tuple[Line, ...]
    minimum_kopecks: int
    covers_until: date | None
    """The last day whose fees it pays; none where it pays what is owed and no more."""


_TEXTS: Final = {
    Kind.DEBT: Text("Debt", "Долг"),
    Kind.SUBORDINATES: Text("Debts of subordinate contracts", "Долги подчинённых договоров"),
    Kind.BALANCE: Text("Balance of the contract", "Остаток на договоре"),
    Kind.PROMISE: Text("To repay the promised payment", "До погашения обещанного платежа"),
    Kind.FIXED: Text("To the fixed payment", "До фиксированного платежа"),
    Kind.SURPLUS: Text("Surplus", "Запас"),
    Kind.MINIMUM: Text("To the minimum payment", "До минимального платежа"),
    Kind.ROUNDING: Text("Rounding up", "Округление"),
}


def recommend(position: Position, setting: Recommended, today: date) -> Recommendation:
    """Return the recommended payment on a day, by the mode of the setting.

    Nothing is recommended for a closed contract: it is credited no more. What the surplus, the
    minimum and the rounding add to a sum, each says in a line of its own; a fixed payment has no
    surplus.
    """
    until = covered_until(setting, today)
    minimum = setting.minimum.kopecks
    if not position.open:
        return Recommendation(0, (), minimum, until)
    fees = list(_fees(position, until))
    # What lies on a main contract stays there: only a new payment is handed on.
    used = min(max(0, position.balance_kopecks), _sum(fees))
    lines = [*_owed(position), *fees, *_line(Kind.BALANCE, -used)]
    lines += _line(Kind.PROMISE, max(0, position.promise_left_kopecks - _sum(lines)))
    if setting.mode is Mode.FIXED:
        lines += _line(Kind.FIXED, max(0, setting.fixed.kopecks - _sum(lines)))
    elif _sum(lines) > 0:
        lines += _line(Kind.SURPLUS, setting.surplus.kopecks)
    if 0 < _sum(lines) < minimum:
        lines += _line(Kind.MINIMUM, minimum - _sum(lines))
    lines += _line(Kind.ROUNDING, -_sum(lines) % setting.round_up_to.kopecks)
    return Recommendation(_sum(lines), tuple(lines), minimum, until)


def for_fees(position: Position, until: date) -> tuple[Line, ...]:
    """Return, line by line, what must be paid so that nothing is owed after the fees through a day.

    A credit limit is not spent on it, nor a promise; nothing is added.
    """
    fees = list(_fees(position, until))
    used = min(max(0, position.balance_kopecks), _sum(fees))
    return (*_owed(position), *fees, *_line(Kind.BALANCE, -used))


def covered_until(setting: Recommended, today: date) -> date | None:
    """Return the last day whose fees the setting's mode covers; none where it covers debts only."""
    months = {Mode.TO_PERIOD_END: 0, Mode.NEXT_PERIOD: 1, Mode.N_PERIODS: setting.periods}
    ahead = months.get(setting.mode)
    return None if ahead is None else month_end(today, ahead)


def _owed(position: Position) -> Iterator[Line]:
    yield from _line(Kind.DEBT, max(0, -position.balance_kopecks))
    yield from _line(Kind.SUBORDINATES, position.subordinate_debt_kopecks)


def _fees(position: Position, until: date | None) -> Iterator[Line]:
    """Return a line for each tariff of each service: a planned change makes two of one."""
    if until is None:
        return
    due = sorted(charges(position, until), key=_tariff)
    for (_, tariff), group in groupby(due, key=_tariff):
        yield from _fee(tariff, list(group))


def _tariff(charge: Charge) -> tuple[int, str]:
    return charge.service_id, charge.tariff


def _fee(tariff: str, due: Sequence[Charge]) -> Iterator[Line]:
    first, last = due[0].start, due[-1].end
    what = Text(f"{tariff}, {first} to {last}", f"{tariff}, {first:%d.%m.%Y}–{last:%d.%m.%Y}")
    kopecks = sum(charge.kopecks for charge in due)
    if kopecks:
        yield Line(Kind.FEE, what, kopecks)


def _line(kind: Kind, kopecks: int) -> Iterator[Line]:
    """Return a line, or none for nothing."""
    if kopecks:
        yield Line(kind, _TEXTS[kind], kopecks)


def _sum(lines: Iterable[Line]) -> int:
    return sum(line.kopecks for line in lines)
