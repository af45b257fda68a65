"""Calendar rules of autopay: days of a month, hours of a day, and zones. Pure.

Days and hours are the subscriber's own; a moment is always in UTC.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Self
from zoneinfo import ZoneInfo

_DAY: Final = timedelta(days=1)
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:(24):(00)|([01]\d|2[0-3]):([0-5]\d))", re.ASCII)


@dataclass(frozen=True, slots=True)
class Hours:
    """From when until when something may be done; the end is no part of it.

    An end before the start lies on the next day; the same start and end are the whole day.
    """

    start: time
    end: time

    @classmethod
    def read(cls, written: str) -> Self:
        """Read ``09:00-21:00``; ``24:00`` is midnight. Raises ValueError for anything else."""
        found = _HOURS.fullmatch(written.strip())
        if found is None:
            raise ValueError("expected hours such as 09:00-21:00")
        first, *rest = (int(part) for part in found.groups() if part is not None)
        minute, last, end_minute = rest
        return cls(time(first, minute), time(last % 24, end_minute))

    def __contains__(self, local: time) -> bool:
        """Say whether a time of day is within the hours."""
        local = local.replace(tzinfo=None)
        if self.start < self.end:
            return self.start <= local < self.end
        return local >= self.start or local < self.end


def day_in(month: date, day_of_month: int) -> date:
    """Return a day of the month that `month` lies in; its last day where it is shorter.

    Raises ValueError for a day that no month has.
    """
    if not 1 <= day_of_month <= 31:
        raise ValueError(f"a month has no day {day_of_month}")
    return month.replace(day=min(day_of_month, monthrange(month.year, month.month)[1]))


def next_day(day_of_month: int, after: date) -> date:
    """Return the first such day of a month later than `after`; the 31st is any month's last day."""
    found = day_in(after, day_of_month)
    return found if found > after else day_in(month_after(after), day_of_month)


def month_after(day: date) -> date:
    """Return the first day of the month after a day's own."""
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


def moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Return when a day's time of day is.

    A time that is passed over when clocks go forward comes that much later; of one that comes twice
    the first is meant (RFC 5545, section 3.3.5).
    """
    return datetime.combine(day, at.replace(fold=0, tzinfo=None), zone).astimezone(UTC)


def day_of(at: datetime, zone: ZoneInfo) -> date:
    """Return the day that it is at a moment."""
    return at.astimezone(zone).date()


def month_of(at: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return when the calendar month of a moment begins, and when the next one does."""
    first = day_of(at, zone).replace(day=1)
    return moment(first, time(), zone), moment(month_after(first), time(), zone)


def within_hours(at: datetime, hours: Hours, zone: ZoneInfo) -> datetime:
    """Return the moment itself if it lies within the hours, else when they next begin."""
    local = at.astimezone(zone)
    if local.time() in hours:
        return at.astimezone(UTC)
    begins = moment(local.date(), hours.start, zone)
    # Clocks that were put back may show a time before the start once more.
    return begins if begins > at else moment(local.date() + _DAY, hours.start, zone)


def last_within(before: datetime, hours: Hours, zone: ZoneInfo, spare: timedelta) -> datetime:
    """Return the last moment within the hours that leaves some time to spare before `before`.

    Where the hours have ended by then, as much is left before their end; hours that are shorter
    than that are taken from their start.
    """
    at = before - spare
    if at.astimezone(zone).time() in hours:
        return at.astimezone(UTC)
    day = day_of(at, zone)
    ended = moment(day, hours.end, zone)
    if ended > at:
        ended = moment(day - _DAY, hours.end, zone)
    last = ended - spare
    if last.astimezone(zone).time() in hours:
        return last
    begun = moment(day_of(ended, zone), hours.start, zone)
    return begun if begun < ended else moment(day_of(ended, zone) - _DAY, hours.start, zone)


@dataclass(frozen=True, slots=True)
class Notice:
    """How long before a charge it is said, and when charges may be made."""

    length: timedelta
    """The usual time between saying and charging."""
    least: timedelta
    """The shortest one, where money is needed earlier than that."""
    hours: Hours
    spare: timedelta = timedelta(hours=1)
    """How long before a block the money is to be there."""


def heard_at(said_at: datetime, notice: Notice, zone: ZoneInfo) -> datetime:
    """Return from when on a notice counts: by day, and not just before the day ends.

    Those who are told are not disturbed at night, so what is said then is heard in the morning.
    """
    begun = within_hours(said_at, notice.hours, zone)
    known = begun + notice.least
    later = within_hours(known, notice.hours, zone)
    return begun if later == known else later


def charge_moment(
    wanted: datetime,
    said_at: datetime,
    notice: Notice,
    zone: ZoneInfo,
    blocks_on: date | None = None,
) -> datetime:
    """Return when a charge may be made that is wanted at a moment and said at another one.

    It is never sooner than wanted, than the notice allows, or outside the hours. Where that would
    be too late for the day of a block, a wish for later and the notice give way: it is the last
    moment before that day that leaves the least notice. Where the block comes sooner than that, the
    charge comes after the least notice, so that the block lasts no longer than it must.
    """
    heard = heard_at(said_at, notice, zone)
    usual = within_hours(max(wanted, heard + notice.length), notice.hours, zone)
    if blocks_on is None:
        return usual
    last = last_within(moment(blocks_on, time(), zone), notice.hours, zone, notice.spare)
    if usual <= last:
        return usual
    return max(last, within_hours(heard + notice.least, notice.hours, zone))
