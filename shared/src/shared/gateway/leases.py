"""Work on payments: leased, so that nobody else does it, and fenced, so that nobody undoes it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, and_, func, literal, update

from shared.db import Instant, Tx
from shared.gateway import due
from shared.gateway.due import Hold
from shared.gateway.payments import payment, to_payment
from shared.gateway.settle import Payment


@dataclass(frozen=True, slots=True)
class Lease:
    """Work on one payment that nobody else does until the lease runs out."""

    payment: Payment
    token: UUID
    attempt: int
    """How often this was tried, this time included."""
    key: str
    request: bytes
    """As it is stored; `Gateway.unsealed` returns what is sent."""
    first_sent_at: datetime | None
    list_at: datetime | None


async def claim(tx: Tx, at: datetime, limit: int, lease: timedelta) -> list[Lease]:
    """Lease the payments that are due, oldest first; those others hold are passed over."""
    token, taken = await due.claim(tx, payment, at, limit, lease)
    return [_lease(row, token) for row in taken]


async def release(tx: Tx, held: Lease, due_at: datetime | None, **changes: Any) -> bool:
    """Give a lease back and say when the payment is due again; False where it was lost.

    A payment that was finished meanwhile stays finished, one that was bound to its provider's id
    meanwhile keeps the time that was set then.
    """
    return await due.release(tx, _hold(held), due_at, **changes)


def unanswered(at: datetime) -> dict[str, Any]:
    """Return the change that keeps since when looks have failed: the first one stands."""
    since = payment.c.unanswered_since
    return {since.name: func.coalesce(since, literal(at, Instant()))}


async def hasten(tx: Tx, payment_id: UUID, at: datetime) -> None:
    """Have a payment that is not finished asked about now."""
    mine = and_(payment.c.id == payment_id, payment.c.due_at > at)
    await tx.execute(update(payment).where(mine).values(due_at=at))


async def sending(tx: Tx, held: Lease, at: datetime, list_at: datetime) -> Lease | None:
    """Write down that a request is sent now for the first time; None where the lease was lost."""
    values = {"first_sent_at": at, "list_at": list_at, "attempts": 1}
    if not await due.keep(tx, _hold(held), **values):
        return None
    return replace(held, first_sent_at=at, list_at=list_at, attempt=1)


async def holds(tx: Tx, held: Lease) -> bool:
    """Say whether a lease's token still stands; locks the row."""
    return await due.holds(tx, _hold(held))


def _hold(held: Lease) -> Hold:
    return Hold(payment, held.payment.id, held.token, str(held.payment.status))


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
