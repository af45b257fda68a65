"""Transactions: no update is lost, no reader waits, no signal lies; moments keep their zone."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Integer,
    Table,
    Text,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError, StatementError

from shared import db as databases
from shared.db import (
    Database,
    Instant,
    is_postgres,
    metadata,
    open_database,
    raise_signal,
    reading,
    transaction,
)

AT = datetime(2026, 11, 22, 12, 0, 0, 250_000, tzinfo=UTC)
schema = metadata()
counter = Table(
    "counter",
    schema,
    Column("id", Integer, primary_key=True),
    Column("value", BigInteger, nullable=False),
    Column("at", Instant),
    Column("name", Text, unique=True),
)
child = Table("child", schema, Column("counter_id", ForeignKey("counter.id"), primary_key=True))


async def with_counter(db: Database) -> Database:
    async with transaction(db) as tx:
        await tx.run_sync(schema.create_all)
        await tx.execute(insert(counter).values(id=1, value=0))
    return db


@pytest.fixture(name="db")
async def _db(db: Database) -> Database:
    return await with_counter(db)


@pytest.fixture(name="sqlite_db")
async def _sqlite_db(sqlite_db: Database) -> Database:
    return await with_counter(sqlite_db)


@pytest.fixture(name="postgres_db")
async def _postgres_db(postgres_db: Database) -> Database:
    return await with_counter(postgres_db)


async def value(db: Database) -> Any:
    async with reading(db) as tx:
        return (await tx.execute(select(counter.c.value).where(counter.c.id == 1))).scalar_one()


class TestTransactions:
    async def test_four_tasks_that_read_and_then_write_lose_no_update(
        self, sqlite_db: Database
    ) -> None:
        async def add_fifty() -> None:
            for _ in range(50):
                async with transaction(sqlite_db) as tx:
                    seen = (await tx.execute(select(counter.c.value))).scalar_one()
                    await asyncio.sleep(0)
                    await tx.execute(update(counter).values(value=seen + 1))

        await asyncio.gather(*(add_fifty() for _ in range(4)))
        assert await value(sqlite_db) == 200

    async def test_writers_of_one_process_have_their_turn_and_none_is_told_locked(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(databases, "_BUSY_TIMEOUT_MS", 0)
        db = await with_counter(open_database(f"sqlite+aiosqlite:///{tmp_path}/turns.db"))

        async def add_twenty() -> None:
            for _ in range(20):
                async with transaction(db) as tx:
                    await tx.execute(update(counter).values(value=counter.c.value + 1))

        await asyncio.gather(*(add_twenty() for _ in range(12)))
        assert await value(db) == 240
        await db.close()

    async def test_a_turn_that_never_comes_is_an_outage(
        self, sqlite_db: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(databases, "_TURN_SECONDS", 0.05)
        async with transaction(sqlite_db):
            with pytest.raises(TimeoutError) as late:
                async with transaction(sqlite_db):
                    raise AssertionError("two writers at once")
        assert databases.is_outage(late.value)
        async with transaction(sqlite_db) as tx:
            await tx.execute(update(counter).values(value=7))
        assert await value(sqlite_db) == 7

    async def test_what_failed_is_undone_as_a_whole(self, db: Database) -> None:
        async def fail_half_way() -> None:
            async with transaction(db) as tx:
                await tx.execute(update(counter).values(value=7))
                raise RuntimeError("half way")

        with pytest.raises(RuntimeError, match="half way"):
            await fail_half_way()
        assert await value(db) == 0

    async def test_a_cancelled_task_leaves_nothing_and_gives_its_connection_back(
        self, db: Database
    ) -> None:
        written = asyncio.Event()

        async def write_and_wait() -> None:
            async with transaction(db) as tx:
                await tx.execute(update(counter).values(value=7))
                written.set()
                await asyncio.Event().wait()

        for _ in range(10):
            written.clear()
            task = asyncio.create_task(write_and_wait())
            await asyncio.wait_for(written.wait(), 10)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert await value(db) == 0

    async def test_a_transaction_knows_its_database(self, db: Database) -> None:
        async with transaction(db) as tx:
            assert is_postgres(tx) == db.postgres == db.engine.url.drivername.startswith("postgres")


class TestReading:
    async def test_a_reader_does_not_wait_for_a_writer(self, db: Database) -> None:
        async with transaction(db) as tx:
            await tx.execute(update(counter).values(value=7))
            assert await asyncio.wait_for(value(db), 4) == 0
        assert await value(db) == 7

    async def test_a_writer_does_not_wait_for_a_reader(self, db: Database) -> None:
        async with reading(db) as reader:
            await reader.execute(select(counter))
            async with asyncio.timeout(2), transaction(db) as tx:
                await tx.execute(update(counter).values(value=7))

    async def test_a_reader_sees_one_picture_until_its_end(self, db: Database) -> None:
        async with reading(db) as reader:
            before = (await reader.execute(select(counter.c.value))).scalars().all()
            async with transaction(db) as tx:
                await tx.execute(update(counter).values(value=7))
                await tx.execute(insert(counter).values(id=2, value=9))
            assert (await reader.execute(select(counter.c.value))).scalars().all() == before == [0]
        assert await value(db) == 7

    async def test_a_reader_cannot_write(self, postgres_db: Database) -> None:
        with pytest.raises(StatementError, match="read-only"):
            async with reading(postgres_db) as tx:
                await tx.execute(update(counter).values(value=7))
        async with transaction(postgres_db) as tx:
            await tx.execute(update(counter).values(value=8))
        assert await value(postgres_db) == 8


class TestSignals:
    async def test_a_signal_is_raised_only_after_the_commit(self, db: Database) -> None:
        signal = db.signal("outbox")
        async with transaction(db) as tx:
            raise_signal(tx, "outbox")
            raise_signal(tx, "outbox")
            await asyncio.sleep(0)
            assert not signal.is_set()
        assert signal.is_set()
        assert db.signal("outbox") is signal
        assert not db.signal("another").is_set()

    async def test_a_signal_is_never_raised_after_a_rollback(self, db: Database) -> None:
        async def fail() -> None:
            async with transaction(db) as tx:
                raise_signal(tx, "outbox")
                raise RuntimeError("too late")

        with pytest.raises(RuntimeError, match="too late"):
            await fail()
        assert not db.signal("outbox").is_set()
        async with transaction(db) as tx:
            await tx.execute(select(counter))
        assert not db.signal("outbox").is_set()

    async def test_a_commit_that_fails_raises_no_signal(self, postgres_db: Database) -> None:
        late = "ALTER TABLE child ADD CONSTRAINT late FOREIGN KEY (counter_id) REFERENCES counter"
        async with transaction(postgres_db) as tx:
            await tx.execute(text(f"{late} DEFERRABLE INITIALLY DEFERRED"))
            await tx.execute(text("ALTER TABLE child DROP CONSTRAINT fk_child_counter_id"))

        async def fail_at_commit() -> None:
            async with transaction(postgres_db) as tx:
                await tx.execute(insert(child).values(counter_id=404))
                raise_signal(tx, "outbox")

        with pytest.raises(IntegrityError):
            await fail_at_commit()
        assert not postgres_db.signal("outbox").is_set()


class TestInstant:
    async def test_a_moment_of_any_zone_comes_back_in_utc(self, db: Database) -> None:
        async with transaction(db) as tx:
            for hours in (-12, 0, 3, 14):
                local = AT.astimezone(timezone(timedelta(hours=hours)))
                await tx.execute(update(counter).values(at=local))
                back = (await tx.execute(select(counter.c.at))).scalar_one()
                assert (back, back.utcoffset()) == (AT, timedelta(0))

    async def test_moments_of_different_zones_are_compared_by_the_database(
        self, db: Database
    ) -> None:
        east = timezone(timedelta(hours=10))
        async with transaction(db) as tx:
            await tx.execute(update(counter).values(at=AT))
            for at, found in ((AT, 1), (AT - timedelta(microseconds=1), 0)):
                rows = await tx.execute(select(counter).where(counter.c.at <= at.astimezone(east)))
                assert len(rows.all()) == found

    async def test_no_moment_is_none(self, db: Database) -> None:
        async with reading(db) as tx:
            assert (await tx.execute(select(counter.c.at))).scalar_one() is None

    async def test_a_moment_without_a_zone_is_not_stored(self, db: Database) -> None:
        with pytest.raises(StatementError, match="without a zone"):
            async with transaction(db) as tx:
                await tx.execute(update(counter).values(at=datetime(2026, 1, 1)))  # noqa: DTZ001


async def test_sqlite_keeps_what_it_committed_and_checks_references(sqlite_db: Database) -> None:
    async with transaction(sqlite_db) as tx:
        said = {
            name: (await tx.exec_driver_sql(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        }
    assert said == {
        "journal_mode": "wal",
        "synchronous": 2,
        "busy_timeout": 5000,
        "foreign_keys": 1,
    }
    with pytest.raises(IntegrityError):
        async with transaction(sqlite_db) as tx:
            await tx.execute(insert(child).values(counter_id=404))


def test_constraints_have_names_that_a_migration_can_use() -> None:
    assert counter.primary_key.name == "pk_counter"
    (reference,) = child.foreign_key_constraints
    assert reference.name == "fk_child_counter_id"


async def test_opening_a_database_connects_to_nothing() -> None:
    db = open_database("postgresql+asyncpg://nobody@127.0.0.1:1/nothing")
    await db.close()


async def test_many_open_a_new_file_at_once(tmp_path: Path) -> None:
    """Switching a file to its write-ahead log does not wait for others who do the same."""

    async def first_use(url: str) -> int:
        db = open_database(url)
        try:
            async with reading(db) as tx:
                return int((await tx.exec_driver_sql("SELECT 1")).scalar_one())
        finally:
            await db.close()

    for number in range(30):
        url = f"sqlite+aiosqlite:///{tmp_path / f'{number}.db'}"
        assert await asyncio.gather(*(first_use(url) for _ in range(16))) == [1] * 16
