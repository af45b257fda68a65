"""Idempotency keys: the same key and body get the first answer again, another body a conflict.

The key is claimed in the transaction of the effect, so two requests at once cannot both have one:
the second waits for the first and finds its answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Column, Integer, LargeBinary, Table, Text, delete, select, tuple_, update

from shared.api import IDEMPOTENCY_CONFLICT
from shared.crypto import Signer
from shared.db import Database, Instant, Tx, metadata, transaction
from shared.rows import insert_new

KEEP: Final = timedelta(days=7)
PRUNE_MAX: Final = 10_000
_PURPOSE: Final = "idempotency"

schema = metadata()
idempotency_key = Table(
    "idempotency_key",
    schema,
    Column("token", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    # A keyed hash: bodies hold passwords and phones, which a plain one would give away to guessing.
    Column("signature", Text, nullable=False),
    Column("status", Integer),
    Column("answer", LargeBinary),
    Column("claimed_at", Instant, nullable=False, index=True),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered the first time."""

    status: int
    body: bytes


async def claim(
    tx: Tx, signer: Signer, token: str, key: str, body: bytes, at: datetime
) -> Answer | None:
    """Claim a key for this body; return the first answer where it was used already.

    Raises Conflict, as `idempotency_conflict`, where the key stands for another body.
    """
    row = {
        "token": token,
        "key": key,
        "signature": signer.sign(_PURPOSE, body),
        "claimed_at": at,
    }
    if await insert_new(tx, idempotency_key, [row], "key"):
        return None
    mine = (idempotency_key.c.token == token) & (idempotency_key.c.key == key)
    known = (await tx.execute(select(idempotency_key).where(mine))).one()
    if known.answer is None or not signer.verify(_PURPOSE, body, known.signature):
        raise IDEMPOTENCY_CONFLICT()
    return Answer(known.status, known.answer)


async def keep(tx: Tx, token: str, key: str, answer: Answer) -> None:
    """Keep the answer under a key claimed in this transaction."""
    mine = (idempotency_key.c.token == token) & (idempotency_key.c.key == key)
    await tx.execute(
        update(idempotency_key).where(mine).values(status=answer.status, answer=answer.body)
    )


async def prune(db: Database, at: datetime) -> int:
    """Forget keys older than a week, at most 10 000; return how many."""
    named = (idempotency_key.c.token, idempotency_key.c.key)
    old = select(*named).where(idempotency_key.c.claimed_at < at - KEEP).limit(PRUNE_MAX)
    async with transaction(db) as tx:
        return (await tx.execute(delete(idempotency_key).where(tuple_(*named).in_(old)))).rowcount
