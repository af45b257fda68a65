"""A bounded number of tasks: the loop that fills it never waits for the slowest of them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

import structlog

DRAIN_SECONDS: Final = 20.0

_log = structlog.get_logger(__name__)


class Pool:
    """Runs at most `size` coroutines at a time; what is in hand is finished at the end."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def free(self) -> int:
        """How many more may be started now."""
        return max(0, self._size - len(self._tasks))

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a coroutine; the caller has looked at `free`. Its failure is logged, not raised."""
        task = asyncio.create_task(_logged(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def room(self) -> int:
        """Wait until at least one more may be started; return how many."""
        while not self.free:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        return self.free

    async def drain(self) -> None:
        """Wait for what is in hand, then cut off what hangs: its lease will run out."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=DRAIN_SECONDS)
        for task in late:
            task.cancel()
        if late:
            _log.warning("pool.cancelled", count=len(late))
            await asyncio.wait(late, timeout=1)


async def _logged(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Exception:
        _log.exception("pool.failed", work=getattr(work, "__qualname__", "?"))
