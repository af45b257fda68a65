"""Reads the services' tables by SQL, past everything the services themselves would say."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import asyncpg

Row = Sequence[Any]


class Tables(Protocol):
    """The databases of the services, by import name."""

    async def rows(self, service: str, sql: str) -> list[Row]:
        """Run one query that both kinds of database understand."""


@dataclass(frozen=True)
class PostgresTables:
    """Databases named after their services on one server, given as host and port."""

    host: str
    port: int

    async def rows(self, service: str, sql: str) -> list[Row]:
        """Run one query on a connection of its own."""
        connection = await asyncpg.connect(
            host=self.host, port=self.port, user="postgres", database=service, timeout=10
        )
        try:
            return [tuple(row) for row in await connection.fetch(sql)]
        finally:
            await connection.close()


@dataclass(frozen=True)
class SqliteTables:
    """A file for each service in one folder."""

    folder: Path

    async def rows(self, service: str, sql: str) -> list[Row]:
        """Run one query on a connection of its own, in a thread."""
        return await asyncio.to_thread(self._rows, service, sql)

    def _rows(self, service: str, sql: str) -> list[Row]:
        address = f"file:{self.folder / service}.db?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=10)) as opened:
            return opened.execute(sql).fetchall()
