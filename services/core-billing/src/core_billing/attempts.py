"""How often somebody may try to sign in: counted in the database, so for all replicas together.

An attempt is counted before the password is looked at, so that guesses sent at once are counted
too; a right password takes its own attempt back. A contract or an address is kept as a keyed hash:
the table tells nobody who tried.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import Column, Index, Integer, Table, Text, case, delete, select, update
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from shared.crypto import Signer
from shared.db import Database, Instant, Tx, is_postgres, metadata, transaction

WINDOW: Final = timedelta(minutes=15)
_PURPOSE: Final = "login_attempt"
_PRUNE_MAX: Final = 10_000

schema = metadata()
login_attempt = Table(
    "login_attempt",
    schema,
    Column("key", Text, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("ends_at", Instant, nullable=False),
)
Index("ix_login_attempt_ends_at", login_attempt.c.ends_at)


@dataclass(frozen=True, slots=True)
class Limits:
    """Attempts in a window of 15 minutes. Many homes of one provider may share an address."""

    per_contract: int = 10
    per_address: int = 60


class Keys(NamedTuple):
    """Under which words the attempts of one person are counted."""

    contract: str
    address: str


def keys(signer: Signer, contract: str, address: str) -> Keys:
    """Return the keyed hashes of a contract and of a client's address."""
    return Keys(
        signer.sign(_PURPOSE, f"contract:{contract}".encode()),
        signer.sign(_PURPOSE, f"address:{address}".encode()),
    )


async def count(tx: Tx, who: Keys, limits: Limits, at: datetime) -> int:
    """Count an attempt; return how many seconds to wait, 0 where it may go on."""
    most = {who.contract: limits.per_contract, who.address: limits.per_address}
    wait = 0
    for key in sorted(most):
        tried, ends_at = await _count_one(tx, key, at)
        if tried > most[key]:
            wait = max(wait, int((ends_at - at).total_seconds()) + 1)
    return wait


async def forgive(tx: Tx, who: Keys) -> None:
    """Forget a contract's attempts after a right password, and take this one off its address."""
    await tx.execute(delete(login_attempt).where(login_attempt.c.key == who.contract))
    mine = (login_attempt.c.key == who.address) & (login_attempt.c.count > 0)
    await tx.execute(update(login_attempt).where(mine).values(count=login_attempt.c.count - 1))


async def prune(db: Database, at: datetime) -> int:
    """Delete windows that are over, at most 10 000; return how many."""
    old = select(login_attempt.c.key).where(login_attempt.c.ends_at <= at).limit(_PRUNE_MAX)
    async with transaction(db) as tx:
        return (
            await tx.execute(delete(login_attempt).where(login_attempt.c.key.in_(old)))
        ).rowcount


async def _count_one(tx: Tx, key: str, at: datetime) -> tuple[int, datetime]:
    insert = (postgres_insert if is_postgres(tx) else sqlite_insert)(login_attempt)
    over = login_attempt.c.ends_at <= at
    counted = insert.values(key=key, count=1, ends_at=at + WINDOW).on_conflict_do_update(
        index_elements=[login_attempt.c.key],
        set_={
            "count": case((over, 1), else_=login_attempt.c.count + 1),
            "ends_at": case((over, at + WINDOW), else_=login_attempt.c.ends_at),
        },
    )
    found = await tx.execute(counted.returning(login_attempt.c.count, login_attempt.c.ends_at))
    tried, ends_at = found.one()
    return tried, ends_at
