"""Time as an argument.

Whatever decides by the time of day takes a `Clock`, so that a test moves a day in a microsecond.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

Clock = Callable[[], datetime]
"""Returns the present moment, aware, in UTC."""

MOSCOW = ZoneInfo("Europe/Moscow")
"""The zone of Russian banks: a provider's day begins at 21:00 UTC."""


def system_clock() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime) -> None:
        if now.tzinfo is None:
            raise ValueError("a clock needs an aware moment")
        self._now = now.astimezone(UTC)

    def __call__(self) -> datetime:
        """Return the moment the clock was last moved to."""
        return self._now

    def advance(self, by: timedelta) -> None:
        """Move forward; raises ValueError for a step back."""
        if by < timedelta(0):
            raise ValueError("time does not run backwards")
        self._now += by
