"""Looking for what must be nowhere: secrets in logs, journals and dumps of whole databases."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

from sqlalchemy import inspect, text
from sqlalchemy.engine import make_url

from shared.db import Tx, open_database, reading


def found(hay: str, needles: Mapping[str, str]) -> list[str]:
    """Return the names of the needles that are in there, however they are written."""
    lowered = hay.lower()
    return [name for name, needle in needles.items() if any(f in lowered for f in _forms(needle))]


async def dump(url: str) -> str:
    """Return every row of every table of a database as text, and the file itself of SQLite."""
    db = open_database(url)
    try:
        async with reading(db) as tx:
            tables = await tx.run_sync(lambda sync: inspect(sync).get_table_names())
            rows = [line for table in sorted(tables) async for line in _rows(tx, table)]
    finally:
        await db.close()
    return "\n".join((*rows, *_files(url)))


async def _rows(tx: Tx, table: str) -> Any:
    quoted = tx.dialect.identifier_preparer.quote(table)
    for row in await tx.execute(text(f"SELECT * FROM {quoted}")):
        yield f"{table}: " + " | ".join(_written(value) for value in row)


def _written(value: Any) -> str:
    if isinstance(value, bytes | memoryview):
        raw = bytes(value)
        return f"{raw.decode('utf-8', 'backslashreplace')} {raw.hex()}"
    return f"{value} {value.hex}" if isinstance(value, UUID) else str(value)


def _files(url: str) -> Iterator[str]:
    made = make_url(url)
    if made.get_backend_name() == "sqlite" and made.database:
        for path in (Path(made.database), Path(f"{made.database}-wal")):
            if path.exists():
                yield path.read_bytes().decode("latin-1")


def _forms(needle: str) -> set[str]:
    """Return the ways in which a text may have been written down."""
    raw = needle.encode()
    forms = {needle, quote(needle, safe=""), raw.hex(), base64.b64encode(raw).decode().rstrip("=")}
    if needle.startswith("+"):
        forms |= {needle[1:], needle[2:]}  # a telephone without its plus, without its country
    if len(needle) == 36 and needle.count("-") == 4:
        forms.add(needle.replace("-", ""))
    return {form.lower() for form in forms}
