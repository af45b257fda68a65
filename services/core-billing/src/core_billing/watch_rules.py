"""When a watch says something: balances below a threshold, days before a block or a fee. Pure."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Final, NamedTuple

from core_billing.forecast import Cause, steps
from core_billing.position import Position

_DAY: Final = timedelta(days=1)


class State(NamedTuple):
    """What a watch remembers between two judgements."""

    armed: bool
    crossing: int
    """How often its bound has been crossed; the number of the last time."""


class Uncovered(NamedTuple):
    """A day of fees for which the money does not suffice."""

    day: date
    fee_kopecks: int
    """What falls due on that day alone."""


def judged(
    state: State, balance_kopecks: int, threshold_kopecks: int, margin_percent: int
) -> State:
    """Return the state after looking at a balance; the same one where nothing is to be said."""
    if state.armed and balance_kopecks < threshold_kopecks:
        return State(armed=False, crossing=state.crossing + 1)
    margin = abs(threshold_kopecks) * margin_percent // 100
    if not state.armed and balance_kopecks >= threshold_kopecks + margin:
        return State(armed=True, crossing=state.crossing)
    return state


def judged_days(state: State, days_left: int | None, days: int) -> State:
    """Return the state after looking at how many days are left before a block; None is for ever.

    A watch of three days says when three are left, and is armed again when there are five.
    """
    if state.armed and days_left is not None and days_left <= days:
        return State(armed=False, crossing=state.crossing + 1)
    if not state.armed and (days_left is None or days_left > days + 1):
        return State(armed=True, crossing=state.crossing)
    return state


def uncovered(position: Position, today: date, days: int) -> Uncovered | None:
    """Return the first day of fees, at most so many days away, that what is available won't pay.

    Credit and promise count as available. A blocked contract is not charged. A fee of an earlier
    day that has not been charged yet falls due today.
    """
    if not position.open or position.blocked:
        return None
    available = position.available_kopecks
    falls = steps(position, today, today + days * _DAY)
    for day, group in groupby(falls, key=attrgetter("day")):
        fallen = list(group)
        available -= sum(one.kopecks for one in fallen)
        fee = sum(one.kopecks for one in fallen if one.cause is Cause.FEE)
        if fee and available < 0:
            return Uncovered(day, fee)
    return None


def goes_on(position: Position, day: date) -> bool:
    """Say whether fees fall due on the day after a day of fees, too."""
    falls = steps(position, day, day + _DAY)
    return any(one.day > day and one.cause is Cause.FEE and one.kopecks for one in falls)


def is_news(said_for: date | None, day: date) -> bool:
    """Say whether a day of fees is to be told after the one that was told last.

    Where fees fall due every day, days that follow each other are one shortage.
    """
    return said_for is None or day > said_for + _DAY
