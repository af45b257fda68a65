"""How often one contract may be disturbed on one channel, and when there is room again. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Limits:
    """At most so many messages a contract and channel; 0 for as many as there are."""

    per_hour: int = 0
    per_day: int = 0

    def free_from(self, left: Sequence[datetime], at: datetime) -> datetime:
        """Return from when on a further message may leave: `at`, or a later moment.

        `left` are the moments at which messages of the last day left, in any order.
        """
        newest = sorted(left, reverse=True)
        moments = [at]
        for most, window in ((self.per_hour, HOUR), (self.per_day, DAY)):
            if most and len(newest) >= most:
                moments.append(newest[most - 1] + window)
        return max(moments)

    def __bool__(self) -> bool:
        """Say whether there is any limit."""
        return bool(self.per_hour or self.per_day)


NO_LIMITS: Final = Limits()
