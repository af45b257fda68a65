"""On which day a contract will be blocked, and why, if nothing is paid. Pure.

What is available only falls: by fees as the calendar has them, and by the end of a promise. Each
such step is taken in the order of the days, and `block_rules.verdict` is asked as the job will be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from heapq import merge
from itertools import chain
from typing import Final

from core_billing.block_rules import verdict
from core_billing.fee_calendar import Plan
from core_billing.policy_values import BlockCalendar, BlockMode
from core_billing.position import Position, charges, month_end

HORIZON_DAYS: Final = 400
_DAY: Final = timedelta(days=1)


class Cause(StrEnum):
    """What will leave a contract without money, or why it will not be blocked."""

    FEE = "fee"
    PROMISE_END = "promise_end"
    DEBT = "debt"
    """It has less than nothing already."""
    BLOCKED = "blocked"
    """It is blocked already."""
    CLOSED = "closed"
    NEVER = "never"
    """Its rule is never to be blocked."""
    EXEMPT = "exempt"
    """Its tariffs cut nobody off."""
    DISABLED = "disabled"
    """Blocking is switched off for everybody."""
    NO_SERVICES = "no_services"
    ENOUGH_UNTIL = "enough_until"
    """There is enough through the last day that was looked at."""
    WITHIN_RULE = "within_rule"
    """It lacks money, but not as much or as long as its rule takes to block."""


@dataclass(frozen=True, slots=True)
class Step:
    """What lowers the available sum on a day."""

    day: date
    cause: Cause
    kopecks: int
    service_id: int = 0
    label: str = ""
    tariff: str = ""


@dataclass(frozen=True, slots=True)
class Level:
    """What is available from one day through another, once the day's fees are taken."""

    since: date
    until: date
    available_kopecks: int
    step: Step | None
    """The step that has taken it below zero; none where it is not, or has been from the first."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """When a contract will be blocked if it pays nothing."""

    blocks_on: date | None
    cause: Cause
    step: Step | None
    """The step that takes the available sum below zero, if there is one."""
    short_on: date | None
    """The first day with less than nothing available; a past one where that is so already."""
    lacks_kopecks: int
    """What lacks on the day it is blocked, else on the first day with less than nothing."""
    seen_until: date


def foresee(
    position: Position, calendar: BlockCalendar, today: date, days: int = HORIZON_DAYS
) -> Forecast:
    """Return when a contract will be blocked if nothing is paid, looking so many days ahead.

    A fee of an earlier day that has not been charged yet falls due today.
    """
    last = today + timedelta(days=days)
    course = (one for one in levels(position, today, last) if one.available_kopecks < 0)
    short = None if _is_rich(position, last) else next(course, None)
    spared = _spared(position, calendar)
    if short is None:
        idle = Cause.ENOUGH_UNTIL if _is_charged(position, last) else Cause.NO_SERVICES
        return Forecast(None, spared or idle, None, None, 0, last)
    since = short.since if position.available_kopecks >= 0 else position.short_since or today
    lacks = -short.available_kopecks
    if spared is not None:
        return Forecast(None, spared, short.step, since, lacks, last)
    found = _first_block(position, calendar, since, chain([short], course))
    if found is None:
        return Forecast(None, Cause.WITHIN_RULE, short.step, since, lacks, last)
    cause = Cause.DEBT if short.step is None else short.step.cause
    return Forecast(found[0], cause, short.step, since, -found[1].available_kopecks, last)


def levels(position: Position, today: date, last: date) -> Iterator[Level]:
    """Return what is available from today through a last day, a level after the other."""
    day, available = today, position.available_kopecks
    below: Step | None = None
    for step in steps(position, today, last):
        if step.day > day:
            yield Level(day, step.day - _DAY, available, below)
            day = step.day
        if 0 <= available < step.kopecks:
            below = step
        available -= step.kopecks
    yield Level(day, last, available, below)


def steps(position: Position, today: date, last: date) -> Iterator[Step]:
    """Return what lowers the available sum through a last day, in order; what is overdue, today."""
    fees = (
        Step(
            *(max(today, one.start), Cause.FEE, one.kopecks),
            *(one.service_id, one.label, one.tariff),
        )
        for one in charges(position, last)
    )
    return merge(fees, _promise(position, today, last), key=lambda step: step.day)


def needed(position: Position, foreseen: Forecast, today: date) -> tuple[int, date]:
    """Return what must be paid now so that nothing lacks, and through which day that lasts.

    That is the end of the next month, or of the month it is blocked in where that is later.
    """
    until = max(month_end(today, 1), month_end(foreseen.blocks_on or today))
    if not position.open or _is_rich(position, until):
        return 0, until
    falls = sum(step.kopecks for step in steps(position, today, until))
    return max(0, falls - position.available_kopecks), until


def _is_rich(position: Position, last: date) -> bool:
    """Say whether it has more than any calendar could charge through a day: spares the walk."""
    own = position.available_kopecks - position.promised_kopecks
    return own >= sum(_ceiling(plan, last) for plan in position.plans)


def _ceiling(plan: Plan, last: date) -> int:
    """Return no less than what a service is charged through a day: its dearest price a month."""
    begins = plan.charged_through + _DAY
    months = (last.year - begins.year) * 12 + last.month - begins.month + 1
    dearest = max(stretch.month_kopecks for stretch in plan.stretches)
    # A price that changes within a month may round a kopeck more for each of its days.
    return max(0, months) * (dearest + 31)


def _promise(position: Position, today: date, last: date) -> Iterator[Step]:
    ends = position.promise_ends
    if ends is not None and position.promised_kopecks and max(ends, today) <= last:
        yield Step(max(ends, today), Cause.PROMISE_END, position.promised_kopecks)


def _spared(position: Position, calendar: BlockCalendar) -> Cause | None:
    """Return why there is no day to look for; none where there is."""
    if not position.open:
        return Cause.CLOSED
    if position.blocked:
        return Cause.BLOCKED
    if position.rule.mode is BlockMode.NEVER:
        return Cause.NEVER
    if position.exempt:
        return Cause.EXEMPT
    return None if calendar.enabled else Cause.DISABLED


def _is_charged(position: Position, last: date) -> bool:
    return next(charges(position, last), None) is not None


def _first_block(
    position: Position, calendar: BlockCalendar, since: date, course: Iterable[Level]
) -> tuple[date, Level] | None:
    """Return the first day on which it is cut off, and what is available then."""
    for level in course:
        day = level.since
        while day <= level.until:
            said = verdict(position.rule, calendar, level.available_kopecks, since, day)
            if said.block:
                return day, level
            if said.since is None:  # only a further fall can change that
                break
            day = max(day + _DAY, said.since)
    return None
