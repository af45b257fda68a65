"""How often a method may be tried at most, and when it is free again. Pure.

No provider publishes a limit for repeated charges. The schemes do for merchants: Mastercard ten
failed tries in 24 hours, Visa fifteen in 30 days; both are kept for every method, whatever is set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from autopay.mandate import MethodName
from autopay.reasons import TECHNICAL, WAYS, Way, reached, way
from autopay.schedule import day_of, moment, month_of
from shared.events_gateway import FailureClass

SCHEME_DAY: Final = timedelta(hours=24)
SCHEME_DAY_MAX: Final = 10
SCHEME_MONTH: Final = timedelta(days=30)
SCHEME_MONTH_MAX: Final = 15
WINDOW: Final = timedelta(days=32)
"""How far back failed tries have to be known."""

_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)
_ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Rules:
    """The retry calendar of an installation: `AUTOPAY_RETRY_...`."""

    morning: time = time(10)
    """When on another day it is tried again, in the subscriber's zone."""
    paydays: tuple[int, ...] = (5, 10, 15, 20, 25, 31)
    """Days of the month on which wages are paid; of a shorter month its last day.

    In Russia wages come at least every half month, by the 15th day after the period they are for,
    and before a weekend where the day is one (Labour Code, article 136).
    """
    day_max: int = 1
    """Declined tries of a method in a day; those on which nobody has decided do not count."""
    month_max: int = 5
    """Failed tries of a method in a calendar month, and for one need of money."""
    within: timedelta = timedelta(days=21)
    """How long after its first charge one need of money is tried."""
    reserve_after: int = 2
    """After so many failed tries of a method the reserve is tried."""
    soon: tuple[timedelta, ...] = (15 * _MINUTE, _HOUR, 4 * _HOUR)
    hours: tuple[timedelta, ...] = (2 * _HOUR, 6 * _HOUR)
    pauses: tuple[timedelta, ...] = (_HOUR, 3 * _HOUR, 12 * _HOUR, 24 * _HOUR)
    """How long an account waits whose shop is at fault: each time longer, the last repeats."""
    ways: Mapping[str, Way] = field(default_factory=lambda: WAYS, hash=False)


@dataclass(frozen=True, slots=True)
class Try:
    """A charge that has come to nothing."""

    at: datetime
    """When it was asked for."""
    method: MethodName
    reason: str
    failure: FailureClass

    @property
    def counts(self) -> bool:
        """Say whether it counts as a try: what the shop has held back or dropped does not."""
        return reached(self.failure)

    def way(self, rules: Rules) -> Way:
        """Return how it is gone on with."""
        return way(rules.ways, self.reason, self.failure)


def free_at(
    tries: Sequence[Try], method: MethodName, rules: Rules, at: datetime, zone: ZoneInfo
) -> datetime:
    """Return the first moment from `at` on at which no limit forbids to try a method.

    A try that lies in the future, as after a clock was put back, counts for every moment before it.
    """
    counted = [one for one in tries if one.method == method and one.counts]
    moments = sorted(one.at for one in counted)
    declined = sorted(one.at for one in counted if one.way(rules) not in TECHNICAL)
    # Each round passes over a try at least, and none is met twice by the same limit.
    for _ in range(4 * len(moments) + 1):
        later = max(
            _after_month(moments, rules, at, zone),
            _after_day(declined, rules, at, zone),
            _after_span(moments, SCHEME_DAY, SCHEME_DAY_MAX, at),
            _after_span(moments, SCHEME_MONTH, SCHEME_MONTH_MAX, at),
        )
        if later == at:
            break
        at = later
    return at


def morning_after(at: datetime, rules: Rules, zone: ZoneInfo) -> datetime:
    """Return the time of trying again on the day after a moment's own."""
    return moment(day_of(at, zone) + _ONE_DAY, rules.morning, zone)


def _after_month(
    moments: Sequence[datetime], rules: Rules, at: datetime, zone: ZoneInfo
) -> datetime:
    begins, ends = month_of(at, zone)
    if sum(one >= begins for one in moments) < rules.month_max:
        return at
    return moment(day_of(ends, zone), rules.morning, zone)


def _after_day(
    declined: Sequence[datetime], rules: Rules, at: datetime, zone: ZoneInfo
) -> datetime:
    today = day_of(at, zone)
    if sum(day_of(one, zone) >= today for one in declined) < rules.day_max:
        return at
    return morning_after(at, rules, zone)


def _after_span(moments: Sequence[datetime], span: timedelta, most: int, at: datetime) -> datetime:
    recent = [one for one in moments if one > at - span]
    return at if len(recent) < most else recent[-most] + span
