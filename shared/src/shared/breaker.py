"""A circuit breaker: a provider that does not answer is left alone, and tried now and then.

Closed, everything passes. After so many unclear outcomes in a row, or where half of the last ones
were unclear, it opens: calls fail at once, so that no hands and no leases wait for timeouts. When
the pause is over one call is let through as a probe; an answer closes the breaker, anything else
opens it again for a longer pause. A refusal is an answer: the provider is there.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from typing import Final

import structlog

from shared.metrics import BREAKER_OPEN_SECONDS, BREAKER_STATE, alarm

RECENT_MAX: Final = 20
"""How many of the last outcomes are looked at together; half of them unclear is too much."""
PROBING: Final = timedelta(seconds=1)
"""What a call is told to wait while another one probes."""

_log = structlog.get_logger(__name__)


class State(IntEnum):
    """As the metric shows it."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


@dataclass(frozen=True, slots=True)
class Pass:
    """Leave to make one call; its outcome counts only while the breaker is as it was then."""

    period: int


class Breaker:
    """Watches the calls to one provider: a shop, or a channel that messages leave by."""

    def __init__(
        self,
        shop: str,
        failures_max: int,
        pauses: Sequence[timedelta],
        now: Callable[[], float] | None = None,
    ) -> None:
        if failures_max < 1 or not pauses:
            raise ValueError("a breaker needs a number of failures and its pauses")
        self._shop = shop
        self._failures_max = failures_max
        self._pauses = [pause.total_seconds() for pause in pauses]
        self._now = now or (lambda: asyncio.get_running_loop().time())
        self._state = State.CLOSED
        self._period = 0
        self._in_a_row = 0
        self._recent: deque[bool] = deque(maxlen=RECENT_MAX)
        self._openings = 0
        self._probe_at = 0.0
        self._counted_at = 0.0
        BREAKER_STATE.labels(shop).set(State.CLOSED)
        self._open_seconds = BREAKER_OPEN_SECONDS.labels(shop)

    @property
    def state(self) -> State:
        """How it stands."""
        return self._state

    def enter(self) -> Pass | timedelta:
        """Return leave to call, to be given back to `leave`; or how long to wait before asking."""
        if self._state is State.CLOSED:
            return Pass(self._period)
        now = self._count()
        if self._state is State.HALF_OPEN:
            return PROBING
        if now < self._probe_at:
            return timedelta(seconds=self._probe_at - now)
        self._become(State.HALF_OPEN)
        return Pass(self._period)

    def wait(self) -> timedelta:
        """Return how long calls are held back; nothing where one may be made now."""
        if self._state is State.HALF_OPEN:
            return PROBING
        left = self._probe_at - self._now() if self._state is State.OPEN else 0.0
        return timedelta(seconds=max(0.0, left))

    def holds(self, given: Pass) -> bool:
        """Say whether leave still stands after waiting for something else."""
        return given.period == self._period

    def leave(self, given: Pass, answered: bool | None) -> None:
        """Say what came of a call; None where it was broken off and proves nothing."""
        if not self.holds(given):
            return  # begun before the breaker opened or closed
        if self._state is State.HALF_OPEN:
            self._count()
            if answered is None:
                self._become(State.OPEN)
            elif answered:
                self._close()
            else:
                self._open()
        elif answered is not None:
            self._watch(answered)

    def _watch(self, answered: bool) -> None:
        self._recent.append(answered)
        self._in_a_row = 0 if answered else self._in_a_row + 1
        half = len(self._recent) == RECENT_MAX and 2 * self._recent.count(False) >= RECENT_MAX
        if not answered and (self._in_a_row >= self._failures_max or half):
            self._counted_at = self._now()
            alarm("provider_breaker_open", provider=self._shop, in_a_row=self._in_a_row)
            self._open()

    def _open(self) -> None:
        pause = self._pauses[min(self._openings, len(self._pauses) - 1)]
        self._openings += 1
        self._probe_at = self._now() + pause
        self._become(State.OPEN)

    def _close(self) -> None:
        self._openings = self._in_a_row = 0
        self._recent.clear()
        self._become(State.CLOSED)
        _log.info("breaker.closed", provider=self._shop)

    def _become(self, state: State) -> None:
        self._state = state
        self._period += 1
        BREAKER_STATE.labels(self._shop).set(state)

    def _count(self) -> float:
        """Count the seconds since it was last looked at as open ones; return the time."""
        now = self._now()
        self._open_seconds.inc(max(0.0, now - self._counted_at))
        self._counted_at = now
        return now
