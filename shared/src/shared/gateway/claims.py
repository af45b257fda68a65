"""Work on stored callbacks: claimed, so that nobody else does it, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import Update, bindparam, or_, select, update

from shared.db import Tx, is_postgres
from shared.gateway.callbacks import callback
from shared.gateway.provider import Kind, Status
from shared.rows import chosen, update_each


@dataclass(frozen=True, slots=True)
class Claimed:
    """A callback somebody works on until the lease runs out."""

    id: int
    token: UUID
    kind: Kind
    shop: str
    provider_payment_id: str
    """The id of what the callback is about: of a payment, a refund or a saved method."""
    claims: Status
    known: bool
    attempt: int


async def claim(
    tx: Tx, at: datetime, limit: int, lease: timedelta, *, known: bool
) -> list[Claimed]:
    """Lease due callbacks of one lane, oldest first."""
    token = uuid4()
    values = {"at": at, "most": limit, "lane": known, "token": token, "until": at + lease}
    return [
        Claimed(
            id=row.id,
            token=token,
            kind=Kind(row.kind),
            shop=row.shop,
            provider_payment_id=row.provider_payment_id,
            claims=Status(row.claims),
            known=row.known,
            attempt=row.attempts,
        )
        for row in await tx.execute(_claiming(is_postgres(tx)), values)
    ]


class Progress(NamedTuple):
    """What work on a callback has led to; nobody looks at it again unless it is due."""

    claimed: Claimed
    outcome: str | None = None
    due_at: datetime | None = None
    attempts: int | None = None
    """How many attempts there were, where this one was none."""


async def record(tx: Tx, progress: Sequence[Progress]) -> None:
    """Write what became of callbacks, of those whose lease still stands."""
    rows = [
        {
            "id": one.claimed.id,
            "lease_token": one.claimed.token,
            "outcome": one.outcome,
            "due_at": one.due_at,
            "attempts": one.claimed.attempt if one.attempts is None else one.attempts,
        }
        for one in progress
    ]
    released = ("lease_token", "leased_until")
    await update_each(tx, callback, rows, "id", "lease_token", clear=released)


@cache
def _claiming(postgres: bool) -> Update:
    """Make the statement that leases due rows, with names where values come in."""
    c = callback.c
    due = (
        select(c.id)
        .where(c.due_at <= bindparam("at"), c.known == bindparam("lane"))
        .where(or_(c.leased_until.is_(None), c.leased_until <= bindparam("at")))
        .order_by(c.due_at)
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True)
    )
    return (
        update(callback)
        .where(chosen(postgres, c.id, due))
        .values(
            lease_token=bindparam("token"),
            leased_until=bindparam("until"),
            attempts=c.attempts + 1,
        )
        .returning(c.id, c.kind, c.shop, c.provider_payment_id, c.claims, c.known, c.attempts)
    )
