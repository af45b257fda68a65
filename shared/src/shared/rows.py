"""Many rows in one statement.

On PostgreSQL the columns travel as arrays, so that a batch of any size is one prepared statement
and one round trip; SQLite takes the rows one after the other, there is no way to travel.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import asyncpg
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Select,
    Table,
    Update,
    any_,
    bindparam,
    func,
    text,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from shared.db import Instant, Tx, is_postgres

_NAMED: Final = re.compile(r"(?<!:):(\w+)")


class Arrays:
    """A statement of PostgreSQL over arrays, each named in it once as ``CAST(:name AS type[])``."""

    def __init__(self, statement: str) -> None:
        self.names: tuple[str, ...] = tuple(_NAMED.findall(statement))
        places = iter(range(1, len(self.names) + 1))
        self._numbered = _NAMED.sub(lambda _: f"${next(places)}", statement)
        self._named = text(statement)

    async def run(self, tx: Tx, arrays: Mapping[str, Sequence[Any]]) -> Sequence[Sequence[Any]]:
        """Run the statement; return the rows it returns.

        Where the transaction has begun it goes straight through the driver, because the layers
        above cost as much as the statement. Raises ConnectionError where the connection is lost.
        """
        driver: Any = (await tx.get_raw_connection()).driver_connection
        if not driver.is_in_transaction():
            result = await tx.execute(self._named, dict(arrays))
            return result.all() if result.returns_rows else ()
        try:
            rows = await driver.fetch(self._numbered, *(arrays[name] for name in self.names))
        except asyncpg.InterfaceError as error:
            if driver.is_closed():
                raise ConnectionError("the database closed the connection") from error
            raise
        return tuple(rows)


def as_arrays(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Turn rows of the same columns into one array for each column."""
    return {name: [row[name] for row in rows] for name in rows[0]}


async def insert_new(
    tx: Tx, table: Table, rows: Sequence[Mapping[str, Any]], returning: str
) -> list[Any]:
    """Insert those rows that break no unique rule, in one statement; return one column of them.

    Raises ValueError where the rows do not all name the same columns; a column that they leave out
    takes the default of the database.
    """
    if not rows:
        return []
    columns = _columns(table, rows)
    if is_postgres(tx):
        made = await _unnest_insert(table, columns, returning).run(tx, _arrays(table, rows))
        return [row[0] for row in made]
    insert = sqlite_insert(table).on_conflict_do_nothing().returning(table.c[returning])
    return list((await tx.execute(insert, list(rows))).scalars())


async def update_each(
    tx: Tx, table: Table, rows: Sequence[Mapping[str, Any]], *key: str, clear: Sequence[str] = ()
) -> None:
    """Give each row, found by the columns of its key, the other values it names.

    The columns of `clear` become NULL, those of the key among them if they are named. A row that is
    not there is passed over. Raises ValueError where the rows do not all name the same columns.
    """
    if not rows:
        return
    columns = _columns(table, rows)
    if is_postgres(tx):
        await _unnest_update(table, columns, key, tuple(clear)).run(tx, _arrays(table, rows))
        return
    wanted = _update(table, columns, key, tuple(clear))
    await tx.execute(wanted, [{f"new_{name}": row[name] for name in columns} for row in rows])


async def keep_newest(
    tx: Tx, table: Table, key: str, rows: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Write each state that has a higher `revision` than the one known under its key.

    Returns the states written. Of several under one key the newest counts. Raises ValueError where
    the rows do not all name the same columns.
    """
    newest: dict[Any, Mapping[str, Any]] = {}
    for row in rows:
        known = newest.get(row[key])
        if known is None or row["revision"] > known["revision"]:
            newest[row[key]] = row
    if not newest:
        return []
    # In one order everywhere: two replicas that write the same rows must not wait in a circle.
    wanted = [newest[name] for name in sorted(newest)]
    columns = _columns(table, wanted)
    if is_postgres(tx):
        made = await _unnest_newest(table, columns, key).run(tx, _arrays(table, wanted))
        return [newest[row[0]] for row in made]
    insert = sqlite_insert(table)
    newer = insert.on_conflict_do_update(
        index_elements=[key],
        set_={name: insert.excluded[name] for name in columns},
        where=table.c.revision < insert.excluded.revision,
    ).returning(table.c[key])
    return [newest[name] for name in (await tx.execute(newer, wanted)).scalars()]


def among(tx: Tx, column: ColumnElement[Any], values: Collection[object]) -> ColumnElement[bool]:
    """Compare a column with a list; on PostgreSQL one array, so each length is one statement."""
    if is_postgres(tx):
        return column == any_(bindparam(None, list(values), type_=ARRAY(column.type)))
    return column.in_(list(values))


def listed(postgres: bool, column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """Compare a column with the list that is given under a name when the statement runs.

    For statements of each batch: to build one again costs more than to run it.
    """
    if postgres:
        return column == any_(bindparam(name, type_=ARRAY(column.type)))
    return column.in_(bindparam(name, expanding=True))


def chosen(postgres: bool, column: ColumnElement[Any], choice: Select[Any]) -> ColumnElement[bool]:
    """Compare a column with the few rows that a bounded, locking select chooses.

    On PostgreSQL the choice is made first and handed on as an array. Written as IN, a prepared
    statement, whose bound the planner does not see, reads the whole table for each handful of rows.
    """
    if postgres:
        made = func.array(choice.scalar_subquery(), type_=ARRAY(column.type))
        return column == any_(made)
    return column.in_(choice.scalar_subquery())


def _columns(table: Table, rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    columns = rows[0].keys()
    if any(row.keys() != columns for row in rows):
        raise ValueError(f"rows of {table.name} name different columns")
    return tuple(columns)


def _arrays(table: Table, rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    arrays = as_arrays(rows)
    for name, values in arrays.items():
        if isinstance(table.c[name].type, Instant):
            _refuse_zoneless(values)
    return arrays


def _refuse_zoneless(moments: Sequence[datetime | None]) -> None:
    # The driver would take the zone of this machine for granted.
    if any(moment is not None and moment.tzinfo is None for moment in moments):
        raise ValueError("a moment without a zone cannot be stored")


@lru_cache(maxsize=64)
def _update(
    table: Table, columns: tuple[str, ...], key: tuple[str, ...], clear: tuple[str, ...]
) -> Update:
    values: dict[str, Any] = {n: bindparam(f"new_{n}") for n in columns if n not in key}
    wanted = update(table).values(values | dict.fromkeys(clear))
    for name in key:
        wanted = wanted.where(table.c[name] == bindparam(f"new_{name}"))
    return wanted


@lru_cache(maxsize=64)
def _unnest_insert(table: Table, columns: tuple[str, ...], returning: str) -> Arrays:
    names, arrays = _unnested(table, columns)
    return Arrays(
        f"INSERT INTO {_quoted(table.name)} ({names}) SELECT * FROM unnest({arrays}) "  # noqa: S608 - names of our own schema
        f"ON CONFLICT DO NOTHING RETURNING {_quoted(returning)}"
    )


@lru_cache(maxsize=64)
def _unnest_newest(table: Table, columns: tuple[str, ...], key: str) -> Arrays:
    own = _quoted(table.name)
    names, arrays = _unnested(table, columns)
    changes = (f"{_quoted(name)} = excluded.{_quoted(name)}" for name in columns)
    return Arrays(
        f"INSERT INTO {own} ({names}) SELECT * FROM unnest({arrays}) "  # noqa: S608 - names of our own schema
        f"ON CONFLICT ({_quoted(key)}) DO UPDATE SET {', '.join(changes)} "
        f"WHERE {own}.revision < excluded.revision RETURNING {own}.{_quoted(key)}"
    )


@lru_cache(maxsize=64)
def _unnest_update(
    table: Table, columns: tuple[str, ...], key: tuple[str, ...], clear: tuple[str, ...]
) -> Arrays:
    own = _quoted(table.name)
    names, arrays = _unnested(table, columns)
    changes = [f"{_quoted(name)} = said.{_quoted(name)}" for name in columns if name not in key]
    changes += [f"{_quoted(name)} = NULL" for name in clear]
    found = " AND ".join(f"{own}.{_quoted(name)} = said.{_quoted(name)}" for name in key)
    return Arrays(
        f"UPDATE {own} SET {', '.join(changes)} FROM unnest({arrays}) AS said({names}) "  # noqa: S608 - names of our own schema
        f"WHERE {found}"
    )


def _unnested(table: Table, columns: Sequence[str]) -> tuple[str, str]:
    """Return the names of columns, and the arrays that stand for them."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    kinds = {name: table.c[name].type.compile(dialect) for name in columns}
    arrays = (f"CAST(:{name} AS {kind}[])" for name, kind in kinds.items())
    return ", ".join(_quoted(name) for name in columns), ", ".join(arrays)


def _quoted(name: str) -> str:
    quoted: str = postgresql.dialect().identifier_preparer.quote(name)  # type: ignore[no-untyped-call]
    return quoted
