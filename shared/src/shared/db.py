"""Databases: PostgreSQL through asyncpg, SQLite through aiosqlite, the same Core statements.

`transaction()` writes, `reading()` reads; nothing else opens a connection. On SQLite a writer
takes the lock at once (``BEGIN IMMEDIATE``): with the driver's defaults two tasks that read and
then write lose each other's updates. A reader begins plainly, so a page never waits for a writer.
The writers of one process queue up for that lock: SQLite itself has them look again and again, so
that among many one comes too late for ever.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import DateTime, MetaData, event
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.types import TypeDecorator

from shared.outage import is_outage, is_repeatable, sqlstate

__all__ = ["is_outage", "is_repeatable", "sqlstate"]

NAMING: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

COMMAND_SECONDS: Final = 60.0
_BUSY_TIMEOUT_MS: Final = 5000
_TURN_SECONDS: Final = 30.0
_SWITCHES: Final = 100
_SWITCH_PAUSE_SECONDS: Final = 0.05
_SIGNALS: Final = "saldo.signals"
_IMMEDIATE: Final = "saldo.immediate"
_ONE_PICTURE: Final[Mapping[str, Any]] = {
    "isolation_level": "REPEATABLE READ",
    "postgresql_readonly": True,
}

Tx = AsyncConnection
"""A connection inside a transaction; the first argument of every function that writes."""


def metadata() -> MetaData:
    """Return an empty schema with the house's constraint names."""
    return MetaData(naming_convention=NAMING)


class Instant(TypeDecorator[datetime]):
    """A moment: aware and in UTC on both sides of the border, whatever the database keeps."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC; raises ValueError for a moment without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a zone cannot be stored")
        utc = value if value.tzinfo is UTC else value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Database:
    """An engine, and the named signals that writers raise when their transaction has committed."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.postgres = engine.dialect.name == "postgresql"
        self._signals: dict[str, asyncio.Event] = {}
        self._turn = asyncio.Lock()

    def signal(self, name: str) -> asyncio.Event:
        """Return the event that `raise_signal` sets, made at first use."""
        return self._signals.setdefault(name, asyncio.Event())

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until this process's earlier writers are done, where only one can write at a time.

        Raises TimeoutError where that takes half a minute.
        """
        if self.postgres:
            yield
            return
        async with asyncio.timeout(_TURN_SECONDS):
            await self._turn.acquire()
        try:
            yield
        finally:
            self._turn.release()

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


def open_database(url: str, *, pool_size: int = 8, migrating: bool = False) -> Database:
    """Make the engine for an address; nothing is connected yet.

    A migration's statements may take as long as they need, and on SQLite it may rebuild a table
    that others refer to without taking their rows along.
    """
    if url.startswith("sqlite"):
        engine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            hide_parameters=True,
            connect_args={"timeout": 30},
        )
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        if migrating:
            event.listen(engine.sync_engine, "connect", _without_references)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
    else:
        engine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=10,
            hide_parameters=True,
            connect_args={
                "timeout": 10,
                "command_timeout": None if migrating else COMMAND_SECONDS,
            },
        )
        event.listen(engine.sync_engine, "checkout", _refuse_closed)
    return Database(engine)


def _refuse_closed(connection: Any, _record: Any, _proxy: Any) -> None:
    """Let the pool replace a connection that the server has closed meanwhile.

    Its loss is known to the driver, so this costs nothing; `pool_pre_ping` would cost each
    transaction three round trips.
    """
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    connection.run_async(_journal_ahead)
    cursor = connection.cursor()
    for pragma in (
        "synchronous=FULL",
        f"busy_timeout={_BUSY_TIMEOUT_MS}",
        "foreign_keys=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


async def _journal_ahead(connection: Any) -> None:
    """Switch the file to its write-ahead log, which the first connection ever made does for good.

    Two that switch a new file at once do not wait for each other as writers do: one of them is
    told "locked" at once, whatever the busy timeout.
    """
    for attempt in range(_SWITCHES):
        try:
            await (await connection.execute("PRAGMA journal_mode=WAL")).close()
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or attempt == _SWITCHES - 1:
                raise
            await asyncio.sleep(_SWITCH_PAUSE_SECONDS)


def _without_references(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=OFF")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    immediate = connection.get_execution_options().get(_IMMEDIATE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


@asynccontextmanager
async def transaction(db: Database) -> AsyncIterator[Tx]:
    """Open a transaction that writes; commits at the end, rolls back on any exception."""
    async with db.turn(), db.engine.connect() as plain:
        connection = await plain.execution_options(**{_IMMEDIATE: True})
        raised: set[str] = set()
        info = connection.info  # a connection that is lost meanwhile no longer gives it
        info[_SIGNALS] = raised
        try:
            async with connection.begin():
                yield connection
        finally:
            info.pop(_SIGNALS, None)
    for name in raised:
        db.signal(name).set()


@asynccontextmanager
async def reading(db: Database) -> AsyncIterator[Tx]:
    """Open a transaction that only reads: one consistent picture, never waits for a writer."""
    async with db.engine.connect() as connection:
        if db.postgres:
            await connection.execution_options(**_ONE_PICTURE)
        async with connection.begin():
            yield connection


def raise_signal(tx: Tx, name: str) -> None:
    """Wake whoever waits for `db.signal(name)`, once this transaction has committed."""
    signals = tx.info.get(_SIGNALS)
    if signals is not None:
        signals.add(name)


def is_postgres(tx: Tx) -> bool:
    """Say whether the connection speaks PostgreSQL; the other kind is SQLite."""
    return tx.dialect.name == "postgresql"
