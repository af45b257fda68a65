"""Whose fault it was: the database's, another transaction's or the data's; with real errors."""

from __future__ import annotations

import asyncio
import errno
import socket
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import BigInteger, Column, Integer, Table, Text, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared import db as databases
from shared.db import (
    Database,
    Tx,
    is_outage,
    is_repeatable,
    metadata,
    open_database,
    sqlstate,
    transaction,
)

schema = metadata()
thing = Table(
    "thing",
    schema,
    Column("id", Integer, primary_key=True),
    Column("value", BigInteger),
    Column("name", Text, unique=True),
)
OUTAGE, REPEATABLE, DATA = (True, False), (False, True), (False, False)


@pytest.fixture(name="db")
async def _db(db: Database) -> Database:
    return await with_things(db)


async def with_things(db: Database) -> Database:
    async with transaction(db) as tx:
        await tx.run_sync(schema.create_all)
        await tx.execute(insert(thing), [{"id": 1, "name": "one"}, {"id": 2, "name": "two"}])
    return db


def judged(error: BaseException) -> tuple[bool, bool]:
    return is_outage(error), is_repeatable(error)


async def failure(db: Database, work: Callable[[Tx], Awaitable[Any]]) -> BaseException:
    """Return what a transaction that does this work fails with."""
    try:
        async with transaction(db) as tx:
            await work(tx)
    except Exception as error:
        return error
    raise AssertionError("it did not fail")


DATA_ERRORS: dict[str, Callable[[Tx], Awaitable[Any]]] = {
    "unique": lambda tx: tx.execute(insert(thing).values(name="one")),
    "too large": lambda tx: tx.execute(insert(thing).values(value=10**30)),
    "wrong type": lambda tx: tx.execute(text("UPDATE thing SET id = :v"), {"v": {"a": 1}}),
    "no column called blocked": lambda tx: tx.execute(text("SELECT blocked FROM thing")),
    "no table called locked": lambda tx: tx.execute(text("SELECT * FROM locked")),
    "not SQL": lambda tx: tx.execute(text("SELEKT 'the database is locked'")),
}


async def test_wrong_data_are_never_taken_for_an_outage(db: Database) -> None:
    errors = {name: await failure(db, work) for name, work in DATA_ERRORS.items()}
    assert {name: judged(error) for name, error in errors.items()} == dict.fromkeys(errors, DATA)


async def test_an_error_does_not_quote_the_data(db: Database) -> None:
    row = insert(thing).values(name="one", value=424_242)
    assert "424242" not in str(await failure(db, lambda tx: tx.execute(row)))


async def test_a_text_that_postgres_cannot_hold_is_wrong_data(postgres_db: Database) -> None:
    await with_things(postgres_db)
    error = await failure(postgres_db, lambda tx: tx.execute(insert(thing).values(name="a\x00")))
    assert judged(error) == DATA
    assert sqlstate(error) == "22021"


class TestPostgres:
    @pytest.fixture(name="postgres_db")
    async def _db(self, postgres_db: Database) -> Database:
        return await with_things(postgres_db)

    async def test_a_deadlock_may_be_repeated(self, postgres_db: Database) -> None:
        both_hold = asyncio.Barrier(2)

        async def take(first: int, second: int) -> None:
            async with transaction(postgres_db) as tx:
                await tx.execute(text("SET LOCAL deadlock_timeout = '20ms'"))
                await tx.execute(update(thing).where(thing.c.id == first).values(value=1))
                await both_hold.wait()
                await tx.execute(update(thing).where(thing.c.id == second).values(value=1))

        outcomes = await asyncio.gather(take(1, 2), take(2, 1), return_exceptions=True)
        (error,) = [outcome for outcome in outcomes if outcome is not None]
        assert sqlstate(error) == "40P01"
        assert judged(error) == REPEATABLE

    async def test_a_serialization_failure_may_be_repeated(self, postgres_db: Database) -> None:
        async def work(tx: Tx) -> None:
            await tx.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
            await tx.execute(select(thing))
            async with transaction(postgres_db) as other:
                await other.execute(update(thing).values(value=2))
            await tx.execute(update(thing).values(value=3))

        error = await failure(postgres_db, work)
        assert sqlstate(error) == "40001"
        assert judged(error) == REPEATABLE

    async def test_a_connection_that_the_server_ended_is_an_outage(
        self, postgres_db: Database
    ) -> None:
        async def work(tx: Tx, moment: str) -> None:
            pid = (await tx.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            async with transaction(postgres_db) as other:
                await other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
            if moment == "query":
                await tx.execute(text("SELECT 1"))
            if moment == "again":
                with pytest.raises(DBAPIError):
                    await tx.execute(text("SELECT 1"))
                await tx.execute(text("SELECT 2"))

        for moment in ("query", "commit", "again"):
            error = await failure(postgres_db, partial(work, moment=moment))
            assert judged(error) == OUTAGE, moment
        async with transaction(postgres_db) as tx:
            assert (await tx.execute(text("SELECT 1"))).scalar_one() == 1

    async def test_a_statement_that_was_cancelled_is_an_outage(self, postgres_db: Database) -> None:
        async def work(tx: Tx) -> None:
            await tx.execute(text("SET LOCAL statement_timeout = '10ms'"))
            await tx.execute(text("SELECT pg_sleep(10)"))

        error = await failure(postgres_db, work)
        assert sqlstate(error) == "57014"
        assert judged(error) == OUTAGE

    async def test_a_connection_that_is_refused_is_an_outage(self, postgres_db: Database) -> None:
        known = postgres_db.engine.url
        for wrong in (known.set(username="nobody-we-know"), known.set(database="no-such")):
            async with opened(wrong.render_as_string(hide_password=False)) as refused:
                error = await failure(refused, lambda tx: tx.execute(text("SELECT 1")))
            assert judged(error) == OUTAGE


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    db = open_database(url)
    yield db
    await db.close()


async def test_a_server_that_is_not_there_is_an_outage() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        async with opened(f"postgresql+asyncpg://postgres@127.0.0.1:{port}/x") as db:
            error = await failure(db, lambda tx: tx.execute(text("SELECT 1")))
    assert judged(error) == OUTAGE


@pytest.mark.parametrize(
    "error",
    [
        socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
        OSError("Multiple exceptions: [Errno 111] Connect call failed, [Errno 111] ..."),
        OSError(errno.EHOSTUNREACH, "No route to host"),
        TimeoutError(),
        ConnectionResetError(),
        PoolTimeout("QueuePool limit reached"),
    ],
    ids=repr,
)
def test_what_a_network_says_is_an_outage(error: Exception) -> None:
    assert judged(error) == OUTAGE
    wrapped = RuntimeError("posting failed")
    wrapped.__cause__ = error
    assert judged(wrapped) == OUTAGE


@pytest.mark.parametrize(
    "error",
    [FileNotFoundError(errno.ENOENT, "no template"), ValueError("locked"), KeyError("40001")],
    ids=repr,
)
def test_what_a_handler_does_wrong_is_no_outage(error: Exception) -> None:
    assert judged(error) == DATA
    assert sqlstate(error) == ""


def test_causes_that_run_in_a_circle_are_followed_once() -> None:
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    assert judged(one) == DATA


class TestSqlite:
    @pytest.fixture(name="sqlite_db")
    async def _db(self, sqlite_db: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
        monkeypatch.setattr(databases, "_BUSY_TIMEOUT_MS", 20)
        return await with_things(sqlite_db)

    async def test_a_database_that_stays_locked_is_an_outage(self, sqlite_db: Database) -> None:
        holder = sqlite3.connect(str(sqlite_db.engine.url.database), isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        error = await failure(sqlite_db, lambda tx: tx.execute(select(thing)))
        assert judged(error) == OUTAGE
        holder.execute("ROLLBACK")
        holder.close()
        async with transaction(sqlite_db) as tx:
            await tx.execute(select(thing))

    @pytest.mark.parametrize("pragma", ["max_page_count = 1", "query_only = ON"])
    async def test_a_disk_that_takes_nothing_is_an_outage(
        self, sqlite_db: Database, pragma: str
    ) -> None:
        async def work(tx: Tx) -> None:
            await tx.exec_driver_sql(f"PRAGMA {pragma}")
            await tx.execute(insert(thing), [{"name": "x" * 4000 + str(n)} for n in range(100)])

        assert judged(await failure(sqlite_db, work)) == OUTAGE

    async def test_a_folder_that_is_not_there_is_an_outage(self, tmp_path: Path) -> None:
        async with opened(f"sqlite+aiosqlite:///{tmp_path}/missing/x.db") as db:
            error = await failure(db, lambda tx: tx.execute(select(thing)))
        assert judged(error) == OUTAGE
        for thread in threading.enumerate():
            if "_connection_worker_thread" in thread.name:  # it speaks to the loop at its end
                await asyncio.to_thread(thread.join, 10)
