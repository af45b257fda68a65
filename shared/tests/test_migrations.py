"""Migrations: repeatable, whole or not at all, and safe when two Jobs start at once."""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from shared import db as databases
from shared import migrations
from shared.db import open_database, transaction
from shared.errors import SettingsError
from shared.migrations import differences, is_current, migrate, version_table

FIRST = """
def upgrade():
    create_shared_tables()
    op.create_table("parent", sa.Column("id", sa.Integer, primary_key=True))
    op.create_table(
        "child",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("parent_id", sa.Integer, sa.ForeignKey("parent.id", ondelete="CASCADE")),
    )
"""
Sample = Callable[..., str]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sample]:
    """Makes a service package with these migrations, or adds them to it; returns its name."""
    name = f"sample_{secrets.token_hex(4)}"
    folder = tmp_path / "packages" / name / "migrations"
    (folder / "versions").mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    (folder / "__init__.py").write_text(
        "from shared import conflict, inbox, outbox\n"
        "SCHEMAS = (outbox.schema, inbox.schema, conflict.schema)\n"
    )
    monkeypatch.syspath_prepend(tmp_path / "packages")

    def add(*bodies: str) -> str:
        known = len(list((folder / "versions").glob("*.py")))
        for number, body in enumerate(bodies, known + 1):
            previous = f'"{number - 1}"' if number > 1 else "None"
            (folder / "versions" / f"{number}.py").write_text(
                "import sqlalchemy as sa\nfrom alembic import op\n"
                "from shared.migrations import create_shared_tables, drop_shared_tables\n"
                f'revision = "{number}"\ndown_revision = {previous}\n{dedent(body)}'
            )
        return name

    yield add
    for module in [module for module in sys.modules if module.startswith(name)]:
        del sys.modules[module]


async def asked(url: str, *statements: str) -> Any:
    """Execute statements in one transaction; return the rows of the last one."""
    db = open_database(url)
    try:
        async with transaction(db) as tx:
            for statement in statements[:-1]:
                await tx.execute(text(statement))
            found = await tx.execute(text(statements[-1]))
            return found.all() if found.returns_rows else None
    finally:
        await db.close()


@asynccontextmanager
async def server(url: str) -> AsyncIterator[Any]:
    """A connection to the server itself, for roles and databases."""
    engine = create_async_engine(
        make_url(url).set(database="postgres"), poolclass=NullPool, isolation_level="AUTOCOMMIT"
    )
    async with engine.connect() as connection:
        yield connection
    await engine.dispose()


async def test_an_empty_database_is_brought_to_the_newest_version(
    database_url: str, package: Sample
) -> None:
    name = package(FIRST)
    assert not await is_current(database_url, name)
    await migrate(database_url, name)
    assert await is_current(database_url, name)
    assert await asked(database_url, f"SELECT version_num FROM {version_table(name)}") == [("1",)]
    await migrate(database_url, name)
    package('def upgrade():\n    op.add_column("child", sa.Column("name", sa.Text))')
    assert not await is_current(database_url, name)
    await migrate(database_url, name)
    assert await asked(database_url, "SELECT name FROM child") == []


async def test_the_shared_tables_are_those_of_the_code(database_url: str, package: Sample) -> None:
    name = package("def upgrade():\n    create_shared_tables()")
    await migrate(database_url, name)
    assert await differences(database_url, name) == []
    await asked(database_url, "DROP TABLE event_conflict")
    assert [item[0] for item in await differences(database_url, name)] == ["add_table"]


async def test_the_shared_tables_can_be_dropped(database_url: str, package: Sample) -> None:
    name = package("def upgrade():\n    create_shared_tables()\n    drop_shared_tables()")
    await migrate(database_url, name)
    missing = [item[0] for item in await differences(database_url, name)]
    assert missing.count("add_table") == 3


async def test_a_migration_that_fails_has_done_nothing(database_url: str, package: Sample) -> None:
    name = package(
        FIRST, "def upgrade():\n    op.drop_table('child')\n    raise ValueError('half')"
    )
    with pytest.raises(ValueError, match="half"):
        await migrate(database_url, name)
    assert not await is_current(database_url, name)
    assert await asked(database_url, "CREATE TABLE parent (id INTEGER)") is None


async def test_four_jobs_at_once_migrate_once(database_url: str, package: Sample) -> None:
    name = package(FIRST, "def upgrade():\n    op.execute('INSERT INTO parent VALUES (1)')")
    await asyncio.gather(*(migrate(database_url, name) for _ in range(4)))
    assert await asked(database_url, "SELECT id FROM parent") == [(1,)]


async def test_rebuilding_a_table_costs_no_row_that_refers_to_it(
    database_url: str, package: Sample
) -> None:
    name = package(FIRST)
    await migrate(database_url, name)
    rows = ("INSERT INTO parent VALUES (1)", "INSERT INTO child VALUES (1, 1)")
    await asked(database_url, *rows)
    package("""
        def upgrade():
            with op.batch_alter_table("parent", recreate="auto") as parent:
                parent.add_column(sa.Column("name", sa.Text, server_default="x"))
                parent.alter_column("name", nullable=False)
    """)
    await migrate(database_url, name)
    assert await asked(database_url, "SELECT parent_id, name FROM child, parent") == [(1, "x")]


class TestPostgres:
    async def test_a_job_waits_for_another_as_long_as_that_takes(
        self, postgres_databases: Callable[[str], str], package: Sample, monkeypatch: Any
    ) -> None:
        monkeypatch.setattr(migrations, "_LOCK_TIMEOUT", "20ms")
        url, name = postgres_databases("test"), package(FIRST)
        other = open_database(url)
        async with transaction(other) as tx:
            lock = text("SELECT pg_advisory_xact_lock(:key)")
            await tx.execute(lock, {"key": migrations._LOCK})
            waiting = asyncio.create_task(migrate(url, name))
            waits = text(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            )
            async with asyncio.timeout(20):
                while not (await tx.execute(waits)).scalar_one():  # noqa: ASYNC110 - the server knows
                    await asyncio.sleep(0.01)
            await tx.execute(text("SELECT pg_sleep(0.1)"))
        await waiting
        await other.close()
        assert await is_current(url, name)

    async def test_a_long_statement_is_not_cut_off(
        self, postgres_databases: Callable[[str], str], package: Sample, monkeypatch: Any
    ) -> None:
        monkeypatch.setattr(databases, "COMMAND_SECONDS", 0.1)
        url = postgres_databases("test")
        name = package("def upgrade():\n    op.execute('SELECT pg_sleep(0.5)')")
        await migrate(url, name)
        with pytest.raises(TimeoutError):
            await asked(url, "SELECT pg_sleep(5)")

    async def test_a_missing_database_is_created_even_by_two_at_once(
        self, postgres_server: str, package: Sample
    ) -> None:
        wanted = f'odd "name" {secrets.token_hex(4)}'
        url = make_url(postgres_server).set(database=wanted).render_as_string(hide_password=False)
        name = package(FIRST)
        try:
            await asyncio.gather(*(migrate(url, name) for _ in range(3)))
            assert await is_current(url, name)
        finally:
            async with server(postgres_server) as connection:
                quoted = wanted.replace('"', '""')
                await connection.execute(text(f'DROP DATABASE IF EXISTS "{quoted}" WITH (FORCE)'))

    async def test_a_role_that_may_not_create_is_told_the_command(
        self, postgres_server: str, package: Sample
    ) -> None:
        role = f"poor_{secrets.token_hex(4)}"
        address = make_url(postgres_server).set(
            username=role, password="known", database=f"of_{role}"
        )
        async with server(postgres_server) as connection:
            await connection.execute(text(f"CREATE ROLE {role} LOGIN PASSWORD 'known'"))
            try:
                with pytest.raises(SettingsError) as refused:
                    await migrate(address.render_as_string(hide_password=False), package(FIRST))
            finally:
                await connection.execute(text(f"DROP ROLE {role}"))
        assert f'CREATE DATABASE "of_{role}"' in str(refused.value)
        assert "known" not in str(refused.value)


async def test_sqlite_makes_its_folder(tmp_path: Path, package: Sample) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/new/folder/x.db"
    name = package(FIRST)
    await migrate(url, name)
    assert await is_current(url, name)


def test_services_keep_their_versions_apart() -> None:
    assert version_table("core_billing") == "alembic_version_core_billing"
