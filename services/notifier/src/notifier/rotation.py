"""`python -m notifier rotate-keys`: everything sealed is sealed anew with the newest key.

Each sealed row names its key, so the command does what is left to do: it may be stopped and run
again, and run beside the service. Afterwards the older keys can be taken from the settings.
"""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Table, bindparam, func, select, update

from notifier.directory import subscriber
from notifier.journal import message
from notifier.settings import Settings
from shared.cli import Command
from shared.crypto import Vault
from shared.db import Database, Tx, reading, transaction

BATCH_MAX: Final = 500
SEALED: Final = (subscriber, message)
"""The tables with `id`, `sealed` and `key_id`."""


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
    left = select(table.c.id, table.c.sealed).where(_old(table, vault))
    if after is not None:
        left = left.where(table.c.id > after)
    rows = (await tx.execute(left.order_by(table.c.id).limit(BATCH_MAX).with_for_update())).all()
    fresh = [{"this": row.id, "anew": anew} for row in rows if (anew := _anew(vault, row.sealed))]
    if fresh:
        one = update(table).where(table.c.id == bindparam("this"))
        await tx.execute(one.values(sealed=bindparam("anew"), key_id=vault.key_id), fresh)
    last = rows[-1].id if rows else after
    return _Batch(last, len(rows), len(rows) - len(fresh))


def _anew(vault: Vault, sealed: str) -> str | None:
    try:
        return vault.encrypt(vault.decrypt(sealed))
    except ValueError:
        return None
