"""Sessions of subscribers in the cabinet: a random token in a cookie, its hash in this table.

A session ends by itself when nobody used it for a day, at the latest after thirty days; its owner
ends any of them at once, because ending is deleting the row.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import Column, Index, Row, Table, Text, Uuid, delete, or_, select, update

from shared.crypto import token_hash
from shared.db import Database, Instant, Tx, metadata, transaction

IDLE_MAX: Final = timedelta(days=1)
AGE_MAX: Final = timedelta(days=30)
PER_SUBSCRIBER_MAX: Final = 20
_TOUCH_EVERY: Final = timedelta(minutes=1)
_PRUNE_MAX: Final = 10_000

schema = metadata()
session = Table(
    "session",
    schema,
    Column("id", Uuid, primary_key=True),
    Column("token_hash", Text, nullable=False, unique=True),
    Column("subscriber_id", Text, nullable=False),
    Column("contract", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
)
Index("ix_session_subscriber_id", session.c.subscriber_id)
Index("ix_session_seen_at", session.c.seen_at)


@dataclass(frozen=True, slots=True)
class Session:
    """A sign-in that still holds; `contract` is the number it was made with."""

    id: UUID
    subscriber_id: str
    contract: str
    device: str
    created_at: datetime
    seen_at: datetime


async def start(
    tx: Tx, subscriber_id: str, contract: str, device: str, at: datetime, replaces: str = ""
) -> str:
    """Begin a session and return its token; the one whose token it replaces ends.

    A subscriber has at most 20: the ones used longest ago end first.
    """
    token = secrets.token_urlsafe(32)
    if replaces:
        await end(tx, replaces)
    mine = session.c.subscriber_id == subscriber_id
    kept = (
        select(session.c.id)
        .where(mine)
        .order_by(session.c.seen_at.desc())
        .limit(PER_SUBSCRIBER_MAX - 1)
    )
    await tx.execute(delete(session).where(mine, session.c.id.not_in(kept)))
    row = {"id": uuid4(), "token_hash": token_hash(token), "subscriber_id": subscriber_id}
    told = {"contract": contract, "device": device, "created_at": at, "seen_at": at}
    await tx.execute(session.insert().values(**row, **told))
    return token


async def find(tx: Tx, token: str, at: datetime) -> Session | None:
    """Return the session a token belongs to, while it holds."""
    mine = session.c.token_hash == token_hash(token)
    row = (await tx.execute(select(session).where(mine, *_holds(at)))).one_or_none()
    return None if row is None else _session(row)


async def touch(db: Database, known: Session, at: datetime) -> None:
    """Remember that a session was used; at most one write a minute."""
    if at - known.seen_at < _TOUCH_EVERY:
        return
    async with transaction(db) as tx:
        await tx.execute(update(session).where(session.c.id == known.id).values(seen_at=at))


async def of_subscriber(tx: Tx, subscriber_id: str, at: datetime) -> Sequence[Session]:
    """Return the sessions of a subscriber that hold, the last used first."""
    mine = select(session).where(session.c.subscriber_id == subscriber_id, *_holds(at))
    found = await tx.execute(mine.order_by(session.c.seen_at.desc(), session.c.id))
    return [_session(row) for row in found]


async def end(tx: Tx, token: str) -> None:
    """End the session a token belongs to; one that has ended already is fine."""
    await tx.execute(delete(session).where(session.c.token_hash == token_hash(token)))


async def revoke(tx: Tx, subscriber_id: str, session_id: UUID) -> bool:
    """End one session of a subscriber; return False where the subscriber has no such session."""
    mine = (session.c.id == session_id) & (session.c.subscriber_id == subscriber_id)
    return bool((await tx.execute(delete(session).where(mine))).rowcount)


async def prune(db: Database, at: datetime) -> int:
    """Delete sessions that no longer hold, at most 10 000; return how many."""
    over = or_(session.c.seen_at <= at - IDLE_MAX, session.c.created_at <= at - AGE_MAX)
    old = select(session.c.id).where(over).limit(_PRUNE_MAX)
    async with transaction(db) as tx:
        return (await tx.execute(delete(session).where(session.c.id.in_(old)))).rowcount


def _holds(at: datetime) -> tuple[Any, Any]:
    return session.c.seen_at > at - IDLE_MAX, session.c.created_at > at - AGE_MAX


def _session(row: Row[Any]) -> Session:
    return Session(row.id, row.subscriber_id, row.contract, row.device, row.created_at, row.seen_at)
