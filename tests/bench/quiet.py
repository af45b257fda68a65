"""Waiting for the machine: a neighbour's work in one half of a pair would bend its ratio."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

BUSY_MAX: Final = 0.15
"""The share of the processors that others may use when a measurement begins."""
_LOOK_SECONDS: Final = 0.5
_STAT = Path("/proc/stat")


class Patience:
    """Waits for quiet moments, in all no longer than was granted."""

    def __init__(self, seconds: float, busy: Callable[[], float] | None = None) -> None:
        self.left = seconds
        self.waited = 0.0
        self._busy = busy or _busy

    def wait(self) -> float:
        """Wait until little is done here or patience is spent; return the share still used."""
        while True:
            begun = time.monotonic()
            share = self._busy()
            if share <= BUSY_MAX or self.left <= 0:
                return share
            passed = time.monotonic() - begun
            self.left -= passed
            self.waited += passed


def _busy() -> float:
    """Return the share of all processors' time that is used now; 0 where nothing tells."""
    if not _STAT.exists():
        return 0.0
    idle, total = _times()
    time.sleep(_LOOK_SECONDS)
    idle_then, total_then = _times()
    return 1 - (idle_then - idle) / max(1, total_then - total)


def _times() -> tuple[int, int]:
    numbers = [int(part) for part in _STAT.read_text().split("\n", 1)[0].split()[1:9]]
    return numbers[3] + numbers[4], sum(numbers)
