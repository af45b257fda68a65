"""SQLite without a thread of its own, for a program in which nobody else could go on meanwhile.

`aiosqlite` has a thread for each connection and hands every step over to it, which costs far more
than a short statement does. Here each step is done where it is asked for; all else is its own code.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Generator
from typing import Any

import aiosqlite
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine


class _Queue:
    """Stands where the thread's queue is: what is put in is done by then."""

    def put_nowait(self, item: tuple[asyncio.Future[Any] | None, Callable[[], Any]]) -> None:
        future, do = item
        try:
            result = do()
        except Exception as error:
            if future is None:
                raise
            future.set_exception(error)
        else:
            if future is not None:
                future.set_result(result)


class AtOnce(aiosqlite.Connection):
    """A connection that does what it is asked for at once."""

    def __init__(self, database: str, **options: Any) -> None:
        super().__init__(lambda: sqlite3.connect(database, **options), iter_chunk_size=64)
        self._tx: Any = _Queue()

    def __await__(self) -> Generator[Any, None, AtOnce]:
        """Connect."""
        yield from self._connect().__await__()
        return self

    async def _execute(self, fn: Callable[..., Any], *args: Any, **options: Any) -> Any:
        if self._connection is None:
            raise ValueError("Connection closed")
        return fn(*args, **options)


def use(engine: AsyncEngine) -> None:
    """Have an engine make such connections; for SQLite only, and before its first one."""

    @event.listens_for(engine.sync_engine, "do_connect")
    def _connect(_dialect: object, _record: object, _given: object, options: Any) -> None:
        options["async_creator_fn"] = AtOnce
