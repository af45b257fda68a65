"""Many rows in one statement.

On PostgreSQL the columns travel as arrays, so that a batch of any size is one prepared statement
and one round trip; SQLite takes the rows one after the other, there is no way to travel.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    BindParameter,
    ColumnElement,
    Table,
    TextClause,
    any_,
    bindparam,
    text,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from shared.db import Tx, is_postgres


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
        statement = _unnest_insert(table, columns, returning)
        return list((await tx.execute(statement, _arrays(columns, rows))).scalars())
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
        statement = _unnest_update(table, columns, key, tuple(clear))
        await tx.execute(statement, _arrays(columns, rows))
        return
    values: dict[str, Any] = {n: bindparam(f"new_{n}") for n in columns if n not in key}
    wanted = update(table).values(values | dict.fromkeys(clear))
    for name in key:
        wanted = wanted.where(table.c[name] == bindparam(f"new_{name}"))
    await tx.execute(wanted, [{f"new_{name}": row[name] for name in columns} for row in rows])


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


def _columns(table: Table, rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    columns = rows[0].keys()
    if any(row.keys() != columns for row in rows):
        raise ValueError(f"rows of {table.name} name different columns")
    return tuple(columns)


def _arrays(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in columns}


@lru_cache(maxsize=64)
def _unnest_insert(table: Table, columns: tuple[str, ...], returning: str) -> TextClause:
    names, arrays, kinds = _unnested(table, columns)
    return text(
        f"INSERT INTO {_quoted(table.name)} ({names}) SELECT * FROM unnest({arrays}) "  # noqa: S608 - names of our own schema
        f"ON CONFLICT DO NOTHING RETURNING {_quoted(returning)}"
    ).bindparams(*kinds)


@lru_cache(maxsize=64)
def _unnest_update(
    table: Table, columns: tuple[str, ...], key: tuple[str, ...], clear: tuple[str, ...]
) -> TextClause:
    own = _quoted(table.name)
    names, arrays, kinds = _unnested(table, columns)
    changes = [f"{_quoted(name)} = said.{_quoted(name)}" for name in columns if name not in key]
    changes += [f"{_quoted(name)} = NULL" for name in clear]
    found = " AND ".join(f"{own}.{_quoted(name)} = said.{_quoted(name)}" for name in key)
    return text(
        f"UPDATE {own} SET {', '.join(changes)} FROM unnest({arrays}) AS said({names}) "  # noqa: S608 - names of our own schema
        f"WHERE {found}"
    ).bindparams(*kinds)


def _unnested(table: Table, columns: Sequence[str]) -> tuple[str, str, list[BindParameter[Any]]]:
    """Return the names of columns, the arrays that stand for them, and the arrays' types."""
    names = ", ".join(_quoted(name) for name in columns)
    arrays = ", ".join(f":{name}" for name in columns)
    kinds = [bindparam(name, type_=postgresql.ARRAY(table.c[name].type)) for name in columns]
    return names, arrays, kinds


def _quoted(name: str) -> str:
    quoted: str = postgresql.dialect().identifier_preparer.quote(name)  # type: ignore[no-untyped-call]
    return quoted
