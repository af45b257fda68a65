"""When a charge that has failed is tried again, by which method, or what is asked for. Pure.

One need of money, such as a balance below its threshold, is tried for a while: by the method at
spaced times that depend on the reason, then by the reserve, and when all tries are over a promised
payment is offered. See `autopay.reasons` for the reasons and `autopay.retry_limits` for the limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from autopay.mandate import MethodName
from autopay.reasons import Way
from autopay.retry_limits import WINDOW, Rules, Try, free_at, morning_after
from autopay.schedule import day_in, day_of, moment, month_after

__all__ = ["WINDOW", "Decision", "MethodName", "Rules", "Situation", "Try", "after", "begin"]

Needs = Literal["nothing", "new_method", "promise"]

_DAY: Final = timedelta(days=1)
_ASK: Final = frozenset({Way.ONCE, Way.STOP})
"""After these another method helps; after the others time does."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What there is to decide from."""

    tries: Sequence[Try]
    """What has failed by the methods within `WINDOW`, for this need of money or another; oldest
    first."""
    methods: Sequence[MethodName]
    """Those that may be charged, in their order: the reserve comes last."""
    zone: ZoneInfo
    """The subscriber's."""
    since: datetime
    """When this need of money was first charged: tries from then on belong to it."""
    blocks_on: date | None = None
    """The day on which the service would be blocked, if it is known."""


@dataclass(frozen=True, slots=True)
class Decision:
    """How it goes on. Without `again_at` it does not: the need of money is given up."""

    again_at: datetime | None = None
    method: MethodName | None = None
    reserve: bool = False
    """Whether the method is another one than that which has failed."""
    stop: bool = False
    """Whether the method that has failed is never charged again."""
    pause_until: datetime | None = None
    """Until when nobody is charged at the account of the method that has failed."""
    needs: Needs = "nothing"
    """What the subscriber has to do; a promise is offered where the next try comes too late."""


class _Option(NamedTuple):
    at: datetime
    place: int
    method: MethodName


def begin(seen: Situation, rules: Rules, at: datetime) -> Decision:
    """Return by which method a new need of money is charged, and from when on that is allowed.

    It is the first method, unless a later one is free earlier.
    """
    options = [
        _Option(free_at(seen.tries, method, rules, at, seen.zone), place, method)
        for place, method in _usable(seen, rules)
    ]
    if not options:
        return Decision(needs="new_method")
    best = min(options)
    return Decision(best.at, best.method, reserve=best.place > 0)


def after(seen: Situation, rules: Rules, at: datetime) -> Decision:
    """Return how it goes on after the last of the tries.

    Raises ValueError where there is none.
    """
    if not seen.tries:
        raise ValueError("nothing has been tried")
    last = seen.tries[-1]
    how = last.way(rules)
    stop = how is Way.STOP
    # Counted from the try, not from now: asked again later, the answer is the same.
    pause = last.at + _step(rules.pauses, _row(_own(seen, last.method), rules, how))
    pause_until = pause if how is Way.PAUSE and pause > at else None
    usable = _usable(seen, rules)
    options = []
    for place, method in usable:
        waits = pause_until if method.provider == last.method.provider else None
        again = _again(seen, rules, method, waits or at)
        options += [] if again is None else [_Option(again, place, method)]
    chosen = _chosen(seen, rules, last, options)
    if chosen is None:
        needs: Needs = "new_method" if how in _ASK or not usable else "promise"
        return Decision(stop=stop, pause_until=pause_until, needs=needs)
    late = seen.blocks_on is not None and day_of(chosen.at, seen.zone) >= seen.blocks_on
    return Decision(
        chosen.at,
        chosen.method,
        reserve=chosen.method != last.method,
        stop=stop,
        pause_until=pause_until,
        needs="new_method" if stop else "promise" if late else "nothing",
    )


def payday_after(at: datetime, rules: Rules, zone: ZoneInfo) -> datetime:
    """Return the first morning later than a moment's own day that follows a payday.

    A payday at a weekend is the Friday before; public holidays are not known here.
    """
    today = day_of(at, zone)
    months = (today.replace(day=1), month_after(today), month_after(month_after(today)))
    paid = {_worked(day_in(month, each)) for month in months for each in rules.paydays}
    mornings = (day + _DAY for day in sorted(paid))
    # Without paydays it is the next day; with one there is a morning within two months.
    found = next((day for day in mornings if day > today), today + _DAY)
    return moment(found, rules.morning, zone)


def _usable(seen: Situation, rules: Rules) -> list[tuple[int, MethodName]]:
    """Return the methods with their places; one that has been stopped is none, whoever names it."""
    stopped = {one.method for one in seen.tries if one.way(rules) is Way.STOP}
    return [pair for pair in enumerate(seen.methods) if pair[1] not in stopped]


def _chosen(seen: Situation, rules: Rules, last: Try, options: Sequence[_Option]) -> _Option | None:
    """Stay with a method for its first tries, then go on to the next, then take the soonest.

    What is at fault at an account concerns all methods there.
    """
    tries = _own(seen, last.method)
    paused = last.way(rules) is Way.PAUSE
    used = _row(tries, rules, Way.PAUSE) if paused else sum(one.counts for one in tries)
    own = next((one for one in options if one.method == last.method), None)
    if own is not None and used < rules.reserve_after:
        return own
    fresh = (
        one
        for one in options
        if not _own(seen, one.method)
        and not (paused and one.method.provider == last.method.provider)
    )
    return next(fresh, None) or (own if paused else None) or min(options, default=None)


def _again(seen: Situation, rules: Rules, method: MethodName, at: datetime) -> datetime | None:
    """Return when a method may be tried for this need of money; None where it may not."""
    own = _own(seen, method)
    wanted = at if not own else _wanted(own, rules, seen.zone)
    if wanted is None or sum(one.counts for one in own) >= rules.month_max:
        return None
    free = free_at(seen.tries, method, rules, max(wanted, at), seen.zone)
    return free if free <= seen.since + rules.within else None


def _wanted(own: Sequence[Try], rules: Rules, zone: ZoneInfo) -> datetime | None:
    """Return when the reason of a method's last try has it tried again, limits aside."""
    last = own[-1]
    how = last.way(rules)
    same = sum(one.way(rules) is how for one in own)
    row = _row(own, rules, how)
    if how is Way.NEVER or (how is Way.ONCE and same > 1):
        return None
    if how is Way.PAUSE:
        return last.at + _step(rules.pauses, row)
    delays = {Way.SOON: rules.soon, Way.HOURS: rules.hours}.get(how, ())
    if row <= len(delays):
        return last.at + delays[row - 1]
    if how is Way.PAYDAY and same > 1:
        return payday_after(last.at, rules, zone)
    return morning_after(last.at, rules, zone)


def _row(own: Sequence[Try], rules: Rules, how: Way) -> int:
    """Return how often in a row it has been this way, up to the last."""
    others = (place for place, one in enumerate(reversed(own)) if one.way(rules) is not how)
    return next(others, len(own))


def _step(steps: Sequence[timedelta], row: int) -> timedelta:
    return steps[min(max(row, 1), len(steps)) - 1]


def _own(seen: Situation, method: MethodName) -> list[Try]:
    """Return the tries of a method for this need of money."""
    return [one for one in seen.tries if one.at >= seen.since and one.method == method]


def _worked(day: date) -> date:
    return day - timedelta(days=max(0, day.weekday() - 4))
