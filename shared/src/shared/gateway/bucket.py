"""A token bucket: so many requests a second to one provider, in the order they were asked for."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Final

REST: Final = timedelta(seconds=1)
REST_MAX: Final = timedelta(hours=1)
SPREAD: Final = 0.1


class Bucket:
    """Gives out turns evenly; a second's worth may be saved up, or that of so many seconds."""

    def __init__(
        self,
        per_second: float,
        now: Callable[[], float] | None = None,
        saved_seconds: float = 1.0,
    ) -> None:
        if per_second <= 0:
            raise ValueError("at least some requests a second are needed")
        self._pause = 1 / per_second
        self._saved = max(saved_seconds, self._pause)
        self._now = now or (lambda: asyncio.get_running_loop().time())
        self._next = float("-inf")

    async def turn(self, seconds_max: float) -> bool:
        """Wait for a turn; False, at once, where it would take longer than that."""
        wait = self.reserve(seconds_max)
        if wait is None:
            return False
        if wait > 0:
            await asyncio.sleep(wait)
        return True

    def reserve(self, seconds_max: float) -> float | None:
        """Take the next turn and return the seconds until then; None where it is too far."""
        now = self._now()
        self._next = max(self._next, now - self._saved + self._pause)
        wait = max(0.0, self._next - now)
        if wait > seconds_max:
            return None
        self._next += self._pause
        return wait

    @property
    def wait(self) -> timedelta:
        """How long until the next turn."""
        return timedelta(seconds=max(0.0, self._next - self._now()))

    def rest(self, asked: timedelta | None) -> None:
        """Give no turn for a while, because the provider said that it is too much.

        At least as long as it asked for, and a little longer: others were told the same.
        """
        spread = random.uniform(1, 1 + SPREAD)  # noqa: S311 - no secret
        pause = min(asked or REST, REST_MAX).total_seconds() * spread
        self._next = max(self._next, self._now() + pause)
