"""Frozen dataclasses as rows: a field is a column, a dict or list is JSON text.

A field that holds JSON says so with `metadata=JSON`; every other field is an integer, a text or a
bool.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import Field, fields
from typing import Any, TypeVar

from simulators.store import Store

T = TypeVar("T")

JSON = {"json": True}
"""The metadata of a field that is kept as JSON."""


_STATEMENTS: dict[type, tuple[list[tuple[str, bool]], str]] = {}
_READERS: dict[type, list[tuple[str, Callable[[Any], Any]]]] = {}


def dumps(value: Any) -> str:
    """Write JSON the one way the sandbox writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def save(store: Store, table: str, record: Any) -> None:
    """Insert the record, or replace the row of the same primary key."""
    columns, sql = _statement(type(record), table)
    values = [
        dumps(value) if as_text and value is not None else value
        for value, as_text in ((getattr(record, name), as_text) for name, as_text in columns)
    ]
    store.run(sql, *values)


def load(kind: type[T], row: sqlite3.Row) -> T:
    """Build the record that `save` wrote."""
    readers = _readers(kind)
    return kind(**{name: read(row[name]) for name, read in readers})


def _statement(kind: type, table: str) -> tuple[list[tuple[str, bool]], str]:
    if kind not in _STATEMENTS:
        columns = [(each.name, bool(each.metadata.get("json"))) for each in fields(kind)]
        names = ", ".join(name for name, _ in columns)
        marks = ", ".join("?" * len(columns))
        sql = f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})"
        _STATEMENTS[kind] = columns, sql
    return _STATEMENTS[kind]


def _readers(kind: type) -> list[tuple[str, Callable[[Any], Any]]]:
    if kind not in _READERS:
        _READERS[kind] = [(each.name, _reader(each)) for each in fields(kind)]
    return _READERS[kind]


def _reader(column: Field[Any]) -> Callable[[Any], Any]:
    if column.metadata.get("json"):
        return lambda value: None if value is None else json.loads(value)
    if column.type == "bool":
        return bool
    return lambda value: value
