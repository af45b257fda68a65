"""Statements compiled once for all engines of a run: each test opens an engine of its own.

SQLAlchemy keeps compiled statements per engine and per dialect object, so a test would compile all
it sends anew. Dialects of one class are one to the cache here: all of a run's engines talk to the
same servers with the same options.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Engine
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.util import LRUCache

_COMPILED: Final[LRUCache[Any, Any]] = LRUCache(5000)
_DIALECTS: Final = (PGDialect_asyncpg, SQLiteDialect_aiosqlite)


def pytest_configure() -> None:
    """Let every engine share what was compiled, whatever cache it makes for itself."""
    for dialect in _DIALECTS:
        dialect.__hash__ = lambda self: hash(type(self))  # type: ignore[method-assign]
        dialect.__eq__ = lambda self, other: type(self) is type(other)  # type: ignore[method-assign]
    Engine._compiled_cache = property(lambda _: _COMPILED, lambda _, __: None)  # type: ignore[assignment]
