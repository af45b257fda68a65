"""Whether a contract is to be cut off on a day: the one decision of jobs and forecasts. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from core_billing.policy_values import BlockCalendar, BlockMode, BlockRule
from shared.errors import Text


class Reason(StrEnum):
    """Why a contract is cut off, or why it is not."""

    BELOW_ZERO = "below_zero"
    AFTER_DAYS = "after_days"
    ABOVE_SUM = "above_sum"
    ENOUGH = "enough"
    NEVER = "never"
    MINIMUM_DEBT = "minimum_debt"
    DAYS_LEFT = "days_left"
    WITHIN_SUM = "within_sum"
    DISABLED = "disabled"
    EXCLUDED_DAY = "excluded_day"


TEXTS: Final[Mapping[Reason, Text]] = {
    Reason.BELOW_ZERO: Text("less than nothing is available", "доступный остаток меньше нуля"),
    Reason.AFTER_DAYS: Text(
        "the days allowed below zero are over", "дни, отпущенные на оплату долга, прошли"
    ),
    Reason.ABOVE_SUM: Text("the debt is above the sum allowed", "долг больше допустимой суммы"),
    Reason.ENOUGH: Text("there is money available", "денег достаточно"),
    Reason.NEVER: Text("this contract is never blocked", "договор не блокируется за долг"),
    Reason.MINIMUM_DEBT: Text("the debt is too small", "долг меньше того, за который блокируют"),
    Reason.DAYS_LEFT: Text(
        "the days allowed below zero are not over", "дни, отпущенные на оплату долга, не прошли"
    ),
    Reason.WITHIN_SUM: Text("the debt is within the sum allowed", "долг в пределах допустимого"),
    Reason.DISABLED: Text("blocking is switched off", "блокировка выключена"),
    Reason.EXCLUDED_DAY: Text("nobody is blocked on this day", "в этот день никого не блокируют"),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a contract is to be cut off on a day, and why or why not."""

    block: bool
    reason: Reason
    since: date | None = None
    """The first day on which its rule cuts it off if it pays nothing; none where it never does."""


def verdict(
    rule: BlockRule,
    calendar: BlockCalendar,
    available_kopecks: int,
    short_since: date | None,
    today: date,
) -> Verdict:
    """Say whether a contract is to be cut off today.

    `short_since` is the first day on which less than nothing was available; today where nobody
    has noted one. It counts as the first of the days of `after_days`: short since 1 September
    with seven days, it is cut off when 8 September starts. A day that the calendar excludes only
    postpones.
    """
    lacks = -available_kopecks
    if rule.mode is BlockMode.NEVER:
        return Verdict(False, Reason.NEVER)
    if lacks <= 0:
        return Verdict(False, Reason.ENOUGH)
    if lacks < calendar.minimum_debt.kopecks:
        return Verdict(False, Reason.MINIMUM_DEBT)
    ruled = _ruled(rule, lacks, short_since or today, today)
    if not ruled.block:
        return ruled
    if not calendar.enabled:
        return Verdict(False, Reason.DISABLED, ruled.since)
    if is_excluded(calendar, today):
        return Verdict(False, Reason.EXCLUDED_DAY, ruled.since)
    return ruled


def is_excluded(calendar: BlockCalendar, day: date) -> bool:
    """Say whether nobody is cut off on a day."""
    return (
        day.isoweekday() in calendar.weekdays
        or day in calendar.dates
        or f"{day:%m-%d}" in calendar.yearly
    )


def _ruled(rule: BlockRule, lacks: int, short_since: date, today: date) -> Verdict:
    """Return what the rule alone says of a contract that lacks something."""
    if rule.mode is BlockMode.AFTER_DAYS:
        since = short_since + timedelta(days=rule.days)
        over = today >= since
        return Verdict(over, Reason.AFTER_DAYS if over else Reason.DAYS_LEFT, since)
    if rule.mode is BlockMode.ABOVE_SUM:
        if lacks > rule.sum.kopecks:
            return Verdict(True, Reason.ABOVE_SUM, short_since)
        return Verdict(False, Reason.WITHIN_SUM)
    return Verdict(True, Reason.BELOW_ZERO, short_since)
