"""What the tests of `shared` stand on: databases with and without the tables of the bus."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import TypeAlias

import pytest

from shared import conflict, inbox, outbox
from shared.db import Database, open_database, transaction
from shared.metrics import REGISTRY

Opener: TypeAlias = Callable[[str], Database]
Sample: TypeAlias = Callable[..., float]


@pytest.fixture
async def open_db() -> AsyncIterator[Opener]:
    """Opens databases by address; closes them after the test."""
    async with AsyncExitStack() as opened:

        def connect(url: str) -> Database:
            db = open_database(url)
            opened.push_async_callback(db.close)
            return db

        yield connect


@pytest.fixture
def db(database_url: str, open_db: Opener) -> Database:
    """An empty database: SQLite, then PostgreSQL."""
    return open_db(database_url)


@pytest.fixture
def sqlite_db(sqlite_databases: Callable[[str], str], open_db: Opener) -> Database:
    """An empty SQLite database."""
    return open_db(sqlite_databases("test"))


@pytest.fixture
def postgres_db(postgres_databases: Callable[[str], str], open_db: Opener) -> Database:
    """An empty PostgreSQL database."""
    return open_db(postgres_databases("test"))


@pytest.fixture
async def bus_db(db: Database) -> Database:
    """A database with outbox, inbox and conflicts: SQLite, then PostgreSQL."""
    async with transaction(db) as tx:
        for schema in (outbox.schema, inbox.schema, conflict.schema):
            await tx.run_sync(schema.create_all)
    return db


@pytest.fixture
def counted() -> Sample:
    """How much a metric has grown since the test began: `counted(name, **labels)`."""
    before = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in REGISTRY.collect()
        for sample in family.samples
    }

    def grown(name: str, **labels: str) -> float:
        now = REGISTRY.get_sample_value(name, labels) or 0.0
        return now - before.get((name, tuple(sorted(labels.items()))), 0.0)

    return grown
