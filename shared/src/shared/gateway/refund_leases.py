"""Work on refunds: leased, so that nobody else does it, and fenced, so that nobody undoes it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from shared.db import Tx
from shared.gateway import due
from shared.gateway.due import Hold
from shared.gateway.refund_settle import Refund
from shared.gateway.refunds import refund, to_refund


@dataclass(frozen=True, slots=True)
class Lease:
    """Work on one refund that nobody else does until the lease runs out."""

    refund: Refund
    token: UUID
    attempt: int
    """How often this was tried, this time included."""
    key: str
    request: bytes
    """As it is stored; `Gateway.unsealed` returns what is sent."""
    first_sent_at: datetime | None
    list_at: datetime | None


async def claim(tx: Tx, at: datetime, limit: int, lease: timedelta) -> list[Lease]:
    """Lease the refunds that are due, oldest first; those others hold are passed over."""
    token, taken = await due.claim(tx, refund, at, limit, lease)
    return [_lease(row, token) for row in taken]


async def release(tx: Tx, held: Lease, due_at: datetime | None, **changes: Any) -> bool:
    """Give a lease back and say when the refund is due again; see `due.release`."""
    return await due.release(tx, _hold(held), due_at, **changes)


async def holds(tx: Tx, held: Lease) -> bool:
    """Say whether a lease's token still stands; locks the row."""
    return await due.holds(tx, _hold(held))


def _hold(held: Lease) -> Hold:
    return Hold(refund, held.refund.id, held.token, str(held.refund.status))


def _lease(row: Row[Any], token: UUID) -> Lease:
    return Lease(
        refund=to_refund(row),
        token=token,
        attempt=row.attempts,
        key=row.key or "",
        request=row.request or b"",
        first_sent_at=row.first_sent_at,
        list_at=row.list_at,
    )
