"""`python -m notifier rotate-keys`: everything sealed is sealed anew with the newest key.

Each sealed row names its key, so the command does what is left to do: it may be stopped and run
again, and run beside the service. Afterwards the older keys can be taken from the settings.
"""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column, Table, bindparam, func, literal, select, tuple_, update

from notifier.confirmations import confirmation
from notifier.directory import subscriber
from notifier.message_table import message
from notifier.preferences import preference
from notifier.settings import Settings
from shared.cli import Command
from shared.crypto import Vault
from shared.db import Database, Tx, reading, transaction

BATCH_MAX: Final = 500
SEALED: Final = (subscriber, message, preference, confirmation)
"""The tables with `sealed` and `key_id`."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one table has come."""

    table: str
    done: int
    unreadable: int
    """Rows that no listed key reads; they stay as they are."""
    total: int


@dataclass(frozen=True, slots=True)
class _Batch:
    last: Any
    seen: int
    unreadable: int


async def rotate(db: Database, vault: Vault) -> AsyncIterator[Progress]:
    """Seal all rows with the newest key, batch by batch; yields the progress after each."""
    for table in SEALED:
        async with reading(db) as tx:
            total = (await tx.execute(select(func.count()).where(_old(table, vault)))).scalar_one()
        done, unreadable, last = 0, 0, None
        while True:
            async with transaction(db) as tx:
                batch = await _rotate_batch(tx, table, vault, last)
            done += batch.seen - batch.unreadable
            unreadable += batch.unreadable
            last = batch.last
            yield Progress(table.name, done, unreadable, total)
            if batch.seen < BATCH_MAX:
                break


async def run(settings: Settings, _args: argparse.Namespace) -> int:
    """Run the command: 0 when nothing is left under an older key, 1 when rows are unreadable."""
    db = settings.database("notifier")
    unreadable: dict[str, int] = {}
    try:
        async for progress in rotate(db, settings.vault()):
            unreadable[progress.table] = progress.unreadable
            print(
                f"{progress.table}: {progress.done} of {progress.total} sealed with the newest key",
                flush=True,
            )
    finally:
        await db.close()
    for table, count in unreadable.items():
        if count:
            print(f"{table}: {count} rows are read by no listed key; keep the older keys listed")
    return 1 if any(unreadable.values()) else 0


COMMAND: Final = Command("rotate-keys", "seal personal data with the newest key", run)


def _old(table: Table, vault: Vault) -> Any:
    return table.c.sealed.is_not(None) & (table.c.key_id != vault.key_id)


async def _rotate_batch(tx: Tx, table: Table, vault: Vault, after: Any) -> _Batch:
    key = tuple(table.primary_key.columns)
    left = select(*key, table.c.sealed).where(_old(table, vault))
    if after is not None:
        left = left.where(tuple_(*key) > tuple_(*after))
    rows = (await tx.execute(left.order_by(*key).limit(BATCH_MAX).with_for_update())).all()
    places = [tuple(row)[: len(key)] for row in rows]
    fresh = [
        {"anew": anew, **{f"this_{n}": part for n, part in enumerate(place)}}
        for place, row in zip(places, rows, strict=True)
        if (anew := _anew(vault, row.sealed))
    ]
    if fresh:
        one = update(table).where(*(c == bindparam(f"this_{n}") for n, c in enumerate(key)))
        await tx.execute(one.values(sealed=bindparam("anew"), key_id=vault.key_id), fresh)
    last = _place(key, places[-1]) if rows else after
    return _Batch(last, len(rows), len(rows) - len(fresh))


def _place(key: Sequence[Column[Any]], values: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(literal(value, column.type) for value, column in zip(values, key, strict=True))


def _anew(vault: Vault, sealed: str) -> str | None:
    try:
        return vault.encrypt(vault.decrypt(sealed))
    except ValueError:
        return None
