"""Work on payments: leased, so that nobody else does it, and fenced, so that nobody undoes it.

Whoever holds the token may send or ask, and when the payment is due again is written only while
the token still stands. A killed process costs the rest of its lease.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row, and_, case, or_, select, update

from shared.db import Tx, is_postgres
from shared.gateway.payments import payment, to_payment
from shared.gateway.settle import Payment
from shared.rows import chosen


@dataclass(frozen=True, slots=True)
class Lease:
    """Work on one payment that nobody else does until the lease runs out."""

    payment: Payment
    token: UUID
    attempt: int
    """How often this was tried, this time included."""
    key: str
    request: bytes
    first_sent_at: datetime | None
    list_at: datetime | None


async def claim(tx: Tx, at: datetime, limit: int, lease: timedelta) -> list[Lease]:
    """Lease the payments that are due, oldest first; those others hold are passed over."""
    due = (
        select(payment.c.id)
        .where(payment.c.due_at <= at)
        .where(or_(payment.c.leased_until.is_(None), payment.c.leased_until <= at))
        .order_by(payment.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    token = uuid4()
    taken = await tx.execute(
        update(payment)
        .where(chosen(is_postgres(tx), payment.c.id, due))
        .values(lease_token=token, leased_until=at + lease, attempts=payment.c.attempts + 1)
        .returning(*payment.c)
    )
    return [_lease(row, token) for row in taken]


async def release(tx: Tx, held: Lease, due_at: datetime | None, **changes: Any) -> bool:
    """Give a lease back and say when the payment is due again; False where it was lost.

    A payment that was finished meanwhile stays finished, one that was bound to its provider's id
    meanwhile keeps the time that was set then.
    """
    unchanged = payment.c.status == str(held.payment.status)
    when = case((and_(unchanged, payment.c.due_at.is_not(None)), due_at), else_=payment.c.due_at)
    mine = and_(payment.c.id == held.payment.id, payment.c.lease_token == held.token)
    values = {"due_at": when, "lease_token": None, "leased_until": None, **changes}
    return (await tx.execute(update(payment).where(mine).values(values))).rowcount == 1


async def holds(tx: Tx, held: Lease) -> bool:
    """Say whether a lease's token still stands; locks the row."""
    mine = and_(payment.c.id == held.payment.id, payment.c.lease_token == held.token)
    found = await tx.execute(select(payment.c.id).where(mine).with_for_update())
    return found.first() is not None


def _lease(row: Row[Any], token: UUID) -> Lease:
    return Lease(
        payment=to_payment(row),
        token=token,
        attempt=row.attempts,
        key=row.key or "",
        request=row.request or b"",
        first_sent_at=row.first_sent_at,
        list_at=row.list_at,
    )
