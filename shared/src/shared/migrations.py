"""Migrations: one Alembic environment per service, one shared `env.py`, both databases.

Run as a Job before roll-out, under an advisory lock on PostgreSQL, so that two Jobs started at
once do not race. A missing PostgreSQL database is created where the role may; else the message
holds the command an administrator needs.
"""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from alembic import command, op
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from shared.db import Instant, open_database, reading, sqlstate, transaction
from shared.errors import SettingsError

_MOMENT: Final = Instant()
_LOCK: Final = 5_347_117
_LOCK_TIMEOUT: Final = "10s"
_MISSING_DATABASE: Final = "3D000"
_DUPLICATE: Final = ("42P04", "23505")
_ENVIRONMENT: Final = Path(__file__).parent / "alembic"


async def migrate(url: str, package: str) -> None:
    """Bring a service's database to the newest version; safe to repeat and to run twice at once.

    Raises SettingsError where the database does not exist and may not be created.
    """
    await asyncio.to_thread(_make_folder, url)
    await _create_missing(make_url(url))
    await _run(url, lambda connection: _upgrade(connection, package))


async def is_current(url: str, package: str) -> bool:
    """Say whether the database stands at the newest version of its service."""
    heads = ScriptDirectory.from_config(_config(package)).get_heads()
    current = await _look(url, _versions(package))
    return bool(current == set(heads))


async def differences(url: str, package: str) -> list[Any]:
    """Compare the database with the schemas in the code; empty where they agree."""
    schemas = importlib.import_module(f"{package}.migrations").SCHEMAS

    def compare(connection: Connection) -> list[Any]:
        options = {"version_table": version_table(package), "compare_type": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), schemas))

    return list(await _look(url, compare))


def version_table(package: str) -> str:
    """Return where Alembic keeps a service's version."""
    return f"alembic_version_{package}"


def create_shared_tables() -> None:
    """Create outbox, inbox and conflicts as they were first; part of a service's first migration.

    Written out, not taken from today's schema: a migration says for ever what it said once.
    """
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("event_id", sa.Uuid, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("signature", sa.Text, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("due_at", _MOMENT, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("lease_token", sa.Uuid),
        sa.Column("leased_until", _MOMENT),
        sa.Column("sent_at", _MOMENT),
        sa.UniqueConstraint("event_id", name="uq_outbox_event_id"),
    )
    _partial_index("outbox", "due_at", "unsent", "sent_at IS NULL")
    op.create_table(
        "inbox",
        sa.Column("event_id", sa.Uuid, primary_key=True),
        sa.Column("queue", sa.Text, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        *(sa.Column(name, _MOMENT) for name in ("done_at", "due_at", "dead_at", "stored_at")),
        *(sa.Column(name, sa.Text) for name in ("waits_for", "signature", "error")),
        sa.Column("body", sa.LargeBinary),
        sa.Column("attempts", sa.Integer),
        sa.Column("lease_token", sa.Uuid),
        sa.Column("leased_until", _MOMENT),
    )
    _partial_index("inbox", "queue, due_at", "due", "due_at IS NOT NULL")
    _partial_index("inbox", "waits_for", "waits_for", "waits_for IS NOT NULL")
    op.create_index("ix_inbox_done_at", "inbox", ["done_at"], postgresql_using="brin")
    op.create_table(
        "event_conflict",
        sa.Column("event_id", sa.Uuid, primary_key=True),
        sa.Column("side", sa.Text, primary_key=True),
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("seen_at", _MOMENT, nullable=False),
    )


def drop_shared_tables() -> None:
    """Undo `create_shared_tables`."""
    for table in ("event_conflict", "inbox", "outbox"):
        op.drop_table(table)


def _partial_index(table: str, columns: str, name: str, where: str) -> None:
    condition = sa.text(where)
    op.create_index(
        f"ix_{table}_{name}",
        table,
        columns.split(", "),
        postgresql_where=condition,
        sqlite_where=condition,
    )


def _config(package: str) -> Config:
    module = importlib.import_module(f"{package}.migrations")
    own = (Path(module.__file__ or "").parent / "versions",)
    # A service whose tables are partly a shared room's names that room's versions, too.
    folders: Sequence[Path] = getattr(module, "VERSIONS", own)
    config = Config()
    config.set_main_option("script_location", str(_ENVIRONMENT))
    config.set_main_option("version_locations", os.pathsep.join(map(str, folders)))
    config.set_main_option("path_separator", "os")
    config.attributes["version_table"] = version_table(package)
    return config


def _upgrade(connection: Connection, package: str) -> None:
    if connection.dialect.name == "postgresql":
        # First the turn, however long another Job takes; then no table is waited for that long.
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        connection.execute(sa.text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'"))
    config = _config(package)
    config.attributes["connection"] = connection
    command.upgrade(config, "heads")


def _versions(package: str) -> Callable[[Connection], set[str]]:
    options = {"version_table": version_table(package)}
    return lambda connection: set(
        MigrationContext.configure(connection, opts=options).get_current_heads()
    )


async def _run(url: str, work: Callable[[Connection], Any]) -> Any:
    """Run in one transaction: a migration that is killed has done nothing, on SQLite as well."""
    db = open_database(url, migrating=True)
    try:
        async with transaction(db) as tx:
            return await tx.run_sync(work)
    finally:
        await db.close()


async def _look(url: str, work: Callable[[Connection], Any]) -> Any:
    db = open_database(url)
    try:
        async with reading(db) as tx:
            return await tx.run_sync(work)
    finally:
        await db.close()


def _make_folder(url: str) -> None:
    address = make_url(url)
    if address.drivername.startswith("sqlite") and address.database:
        Path(address.database).parent.mkdir(parents=True, exist_ok=True)


async def _create_missing(url: URL) -> None:
    if not url.drivername.startswith("postgresql"):
        return
    try:
        await _look(url.render_as_string(hide_password=False), lambda _connection: None)
        return
    except DBAPIError as error:
        if sqlstate(error) != _MISSING_DATABASE:
            raise
    quoted = str(url.database).replace('"', '""')
    statement = f'CREATE DATABASE "{quoted}"'
    try:
        await _create_database(url, statement)
    except DBAPIError as error:
        if sqlstate(error) not in _DUPLICATE:
            raise SettingsError(
                f"the database {url.database} does not exist and this role could not create it "
                f"(SQLSTATE {sqlstate(error)}); run as an administrator: {statement}"
            ) from error


async def _create_database(url: URL, statement: str) -> None:
    engine = create_async_engine(
        url.set(database="postgres"), poolclass=NullPool, isolation_level="AUTOCOMMIT"
    )
    try:
        async with engine.connect() as connection:
            await connection.execute(sa.text(statement))
    finally:
        await engine.dispose()
