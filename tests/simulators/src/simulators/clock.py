"""The sandbox's time: the system's own, moved forward at will.

Every moment inside the sandbox is an integer of milliseconds since 1970 UTC; only what leaves over
the wire is text.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class SandboxClock:
    """Real time plus a shift, so that a term of an hour can pass in a test."""

    def __init__(self) -> None:
        self._shift = 0

    def now(self) -> int:
        """Return the present moment in milliseconds."""
        return time.time_ns() // 1_000_000 + self._shift

    def advance(self, milliseconds: int) -> None:
        """Move forward; raises ValueError for a step back."""
        if milliseconds < 0:
            raise ValueError("time does not run backwards")
        self._shift += milliseconds


def iso(moment: int) -> str:
    """Write milliseconds as YooKassa does: ISO 8601, UTC, three decimals, `Z`."""
    seconds, rest = divmod(moment, SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03d}Z"


def parse_iso(text: str) -> int:
    """Read an ISO 8601 moment with a zone; raises ValueError for anything else."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a moment needs a zone")
    whole = moment.replace(microsecond=0)
    return int(whole.timestamp()) * SECOND + moment.microsecond // 1_000
