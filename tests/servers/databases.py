"""Databases for single tests: created empty, dropped with whoever is connected."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from itertools import count

from sqlalchemy import make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

_RUN = secrets.token_hex(3)
_NUMBERS = count(1)
_MAY_CREATE = text("SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user")


def normalized(url: str) -> str:
    """Return a server's address with our driver and a database to connect to."""
    given = make_url(url)
    known = given.set(drivername="postgresql+asyncpg", database=given.database or "postgres")
    return known.render_as_string(hide_password=False)


def fresh_name(service: str) -> str:
    """Return a database name nobody has used: `saldo_<run>_<number>_<service>`."""
    return f"saldo_{_RUN}_{next(_NUMBERS)}_{service.replace('-', '_')}"


def address_of(server: str, name: str) -> str:
    """Return the address of a database on a server."""
    return make_url(server).set(database=name).render_as_string(hide_password=False)


async def may_create(server: str) -> bool:
    """Say whether a server answers at an address and lets us create databases."""
    engine = create_async_engine(server, poolclass=NullPool, connect_args={"timeout": 5})
    try:
        async with engine.connect() as connection:
            return bool(await connection.scalar(_MAY_CREATE))
    except (OSError, SQLAlchemyError):
        return False
    finally:
        await engine.dispose()


async def create(server: str, name: str, *, durable: bool = True) -> str:
    """Create an empty database and return its address.

    Commits to one that is not `durable` do not wait for the disk: what a test writes need not
    survive a power cut.
    """
    await _execute(server, f'CREATE DATABASE "{name}"')
    if not durable:
        await _execute(server, f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    return address_of(server, name)


async def drop(server: str, name: str) -> None:
    """Drop a database and cut off whoever is connected; one that does not exist is fine."""
    await _execute(server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


async def empty(url: str, tables: Sequence[str], written_once: Sequence[str] = ()) -> None:
    """Delete the rows of these tables; an empty one costs next to nothing, as TRUNCATE does not.

    Those that are `written_once` refuse DELETE, so they are truncated where they hold anything.
    """
    looked = "".join(
        f'IF EXISTS (SELECT FROM "{name}") THEN '
        f'{"TRUNCATE" if name in written_once else "DELETE FROM"} "{name}"; END IF; '
        for name in tables
    )
    await _execute(url, f"DO $$ BEGIN {looked}END $$")


async def _execute(server: str, statement: str) -> None:
    engine = create_async_engine(server, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            await connection.execute(text(statement))
    finally:
        await engine.dispose()
