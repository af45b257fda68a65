"""Group commit of outcomes: what is ready at the same time is written in one transaction.

While one transaction runs the next ones gather, so a busy gateway writes large groups and an idle
one writes at once. A group the database refuses for its data is written one by one, so that a bad
one fails alone; an outage fails everybody who waits, and their leases bring them back.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import structlog

from shared.db import is_outage

GROUP_MAX: Final = 50

_log = structlog.get_logger(__name__)


Write = Callable[[Sequence[Any]], Awaitable[None]]
"""Writes a group down in one transaction."""


class Group:
    """Collects items that are written down alike."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Any, asyncio.Future[None]]] = deque()
        self._runner: asyncio.Task[None] | None = None

    async def put(self, item: Any, write: Write) -> None:
        """Return once the item's group is written; raises what made it fail."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, done))
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run(write))
        await done

    async def _run(self, write: Write) -> None:
        while self._waiting:
            size = min(len(self._waiting), GROUP_MAX)
            await _write([self._waiting.popleft() for _ in range(size)], write)


async def _write(group: Sequence[tuple[Any, asyncio.Future[None]]], write: Write) -> None:
    try:
        await write([item for item, _ in group])
    except Exception as error:
        if len(group) == 1 or is_outage(error):
            fault = error  # `error` itself ends with this clause
            _tell(group, lambda done: done.set_exception(fault))
            return
        _log.warning("group.split", size=len(group), error=repr(error)[:300])
        for one in group:
            await _write([one], write)
    except BaseException:
        _tell(group, lambda done: done.cancel())
        raise
    else:
        _tell(group, lambda done: done.set_result(None))


def _tell(
    group: Sequence[tuple[Any, asyncio.Future[None]]], end: Callable[[asyncio.Future[None]], Any]
) -> None:
    for _, done in group:
        if not done.done():
            end(done)
