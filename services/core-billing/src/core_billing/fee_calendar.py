"""When which fee falls due, by the calendar alone. Pure."""

from __future__ import annotations

from bisect import bisect_right
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Final, Literal

_DAY: Final = timedelta(days=1)

Charging = Literal["monthly", "daily"]


@dataclass(frozen=True, slots=True)
class Stretch:
    """From a day on a service has this price for a whole month, until the next stretch."""

    since: date
    tariff: str
    """The tariff's name, for people."""
    month_kopecks: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A service of a contract as the calendar needs it."""

    service_id: int
    contract_id: int
    label: str
    """What it is, such as ``internet``: its income's account."""
    charging: Charging
    stretches: tuple[Stretch, ...]
    """In the order of their days; the first begins with the service or before."""
    charged_through: date
    """The last day that has been charged; the day before the service began where none has."""
    ends_on: date | None = None
    """The last day of the service, if it is known."""


@dataclass(frozen=True, slots=True)
class Charge:
    """A fee for a stretch of days."""

    service_id: int
    contract_id: int
    label: str
    tariff: str
    period: str
    """The month or day it pays for, such as ``2026-11`` or ``2026-11-22``."""
    start: date
    """The first day it pays for, on which it falls due."""
    end: date
    kopecks: int


def charges(plan: Plan, until: date) -> Iterator[Charge]:
    """Return what falls due from the day after `charged_through` until a day, in order.

    A month is charged on its first day, or on the first day of the service in it, for all its
    remaining days; a day is charged by itself, so that the days of a month sum to its price.
    """
    start = plan.charged_through + _DAY
    last = until if plan.ends_on is None else min(until, plan.ends_on)
    while start <= last:
        made = _month(plan, start) if plan.charging == "monthly" else _single(plan, start)
        yield made
        start = made.end + _DAY


def month_of(day: date) -> tuple[date, date]:
    """Return the first and the last day of a day's month."""
    length = monthrange(day.year, day.month)[1]
    return day.replace(day=1), day.replace(day=length)


def stretch_on(plan: Plan, day: date) -> Stretch:
    """Return the stretch that a day lies in."""
    place = bisect_right(plan.stretches, day, key=lambda each: each.since)
    return plan.stretches[max(0, place - 1)]


def _month(plan: Plan, start: date) -> Charge:
    """Charge the rest of a month, up to the end of the service; rounded once, half up."""
    end = month_of(start)[1]
    length = end.day
    if plan.ends_on is not None:
        end = min(end, plan.ends_on)
    turns = [each.since for each in plan.stretches if start < each.since <= end]
    bounds = [start, *turns, end + _DAY]
    spread = sum(
        stretch_on(plan, since).month_kopecks * (until - since).days
        for since, until in pairwise(bounds)
    )
    return _charge(plan, f"{start:%Y-%m}", start, end, (2 * spread + length) // (2 * length))


def _single(plan: Plan, day: date) -> Charge:
    """Charge a day; what is rounded away on one day is made good on a later one of the month."""
    price = stretch_on(plan, day).month_kopecks
    length = month_of(day)[1].day
    kopecks = price * day.day // length - price * (day.day - 1) // length
    return _charge(plan, day.isoformat(), day, day, kopecks)


def _charge(plan: Plan, period: str, start: date, end: date, kopecks: int) -> Charge:
    return Charge(
        service_id=plan.service_id,
        contract_id=plan.contract_id,
        label=plan.label,
        tariff=stretch_on(plan, start).tariff,
        period=period,
        start=start,
        end=end,
        kopecks=kopecks,
    )
