"""Hours in which nobody is disturbed, by the clock on the subscriber's own wall.

Pure: no database, no network. A zone that nobody knows counts as Moscow, as in the texts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shared.clock import MOSCOW

_WRITTEN: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `begins` on, until before `ends`; over midnight where that is earlier."""

    begins: time
    ends: time

    def hold(self, wall: time) -> bool:
        """Say whether it is quiet when a clock on the wall shows this."""
        if self.begins < self.ends:
            return self.begins <= wall < self.ends
        return wall >= self.begins or wall < self.ends


def parse(written: str) -> QuietHours | None:
    """Read `21:00-09:00`; None for an empty text: no hour is quiet.

    Raises ValueError where it is neither, or where both ends are the same.
    """
    if not written.strip():
        return None
    found = _WRITTEN.fullmatch(written.strip())
    if found is None:
        raise ValueError("expected hours such as 21:00-09:00, or nothing")
    hours = [int(part) for part in found.groups()]
    begins, ends = time(hours[0], hours[1]), time(hours[2], hours[3])
    if begins == ends:
        raise ValueError("quiet hours that begin when they end would never end")
    return QuietHours(begins, ends)


def allowed_from(quiet: QuietHours | None, zone: str | None, at: datetime) -> datetime:
    """Return the first moment from `at` on at which the subscriber may be disturbed, in UTC.

    An hour that the wall shows twice is quiet both times; one that it never shows has no quiet.
    """
    if quiet is None or zone is None:
        return at
    here = zone_of(zone)
    wall = at.astimezone(here)
    if not quiet.hold(wall.time().replace(fold=0)):
        return at
    day = wall.date()
    if wall.time().replace(fold=0) >= quiet.ends:
        day += timedelta(days=1)
    ends = datetime.combine(day, quiet.ends, here)
    moments = (ends.astimezone(UTC), ends.replace(fold=1).astimezone(UTC))
    return next((moment for moment in moments if _open(quiet, here, moment, at)), max(moments))


def _open(quiet: QuietHours, here: ZoneInfo, moment: datetime, at: datetime) -> bool:
    return moment > at and not quiet.hold(moment.astimezone(here).time().replace(fold=0))


@lru_cache(maxsize=512)
def zone_of(name: str) -> ZoneInfo:
    """Return the zone of a name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return MOSCOW
