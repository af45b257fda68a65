"""Loops that work through what is due: woken by a signal, at the latest after a while."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog

from shared.metrics import LOOP_FAILURES

PAUSE_SECONDS_MAX: Final = 30.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Loop:
    """A step that is repeated; it returns True where more work waits already."""

    name: str
    step: Callable[[], Awaitable[bool]]
    every_seconds: float
    signal: asyncio.Event | None = None
    pace_seconds: float = 0.0
    """The least time between two steps: an idle loop answers a signal at once, a busy one finds
    more to do in each step, which costs nearly as much for one row as for many."""


async def run_loop(loop: Loop, service: str, stopping: asyncio.Event) -> None:
    """Repeat the step until `stopping`; a step that fails is tried again after a growing pause.

    The step in hand is always finished.
    """
    signal = loop.signal or asyncio.Event()
    failures = 0
    while not stopping.is_set():
        signal.clear()
        begun = asyncio.get_running_loop().time()
        try:
            more = await loop.step()
            failures = 0
        except Exception:
            failures += 1
            LOOP_FAILURES.labels(service, loop.name).inc()
            _log.exception("loop.failed", loop=loop.name, service=service, failures=failures)
            await _wait(stopping, None, min(PAUSE_SECONDS_MAX, 0.5 * 2 ** min(failures, 6)))
            continue
        if not more:
            await _wait(stopping, signal, loop.every_seconds)
            await sleep_until(begun + loop.pace_seconds)


async def sleep_until(moment: float) -> None:
    """Sleep until a moment of the running event loop's own clock; not at all if it has passed."""
    left = moment - asyncio.get_running_loop().time()
    if left > 0:
        await asyncio.sleep(left)


async def _wait(stopping: asyncio.Event, signal: asyncio.Event | None, seconds: float) -> None:
    events = [event for event in (stopping, signal) if event is not None]
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
