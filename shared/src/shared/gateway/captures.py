"""Held money that is to be taken: one row a payment, written as soon as a hold is heard of.

The row, the key and the exact bytes are committed before the first byte is sent. A payment whose
hold is heard of again keeps its row; where its capture was given up, the row begins anew with a key
of its own, because the provider would only repeat what it said to the old one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy import (
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    Uuid,
    and_,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from shared.db import Instant, Tx, is_postgres, metadata, raise_signal
from shared.gateway import due
from shared.gateway.due import Hold
from shared.gateway.gateway import CAPTURES, Gateway
from shared.gateway.payments import payment
from shared.gateway.provider import Status
from shared.gateway.settle import HeldMoney, Payment
from shared.rows import chosen

WANTED: Final = "wanted"
TAKEN: Final = "taken"
"""What a capture comes to; one that was given up has the reason for its status."""

schema = metadata()
capture = Table(
    "capture",
    schema,
    Column("id", Uuid, primary_key=True),
    Column("shop", Text, nullable=False),
    Column("provider_payment_id", Text, nullable=False),
    Column("correlation_id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("request", LargeBinary, nullable=False),
    Column("status", Text, nullable=False),
    Column("wanted_at", Instant, nullable=False),
    Column("hold_until", Instant),
    Column("warn_at", Instant),
    Column("due_at", Instant),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("lease_token", Uuid),
    Column("leased_until", Instant),
)
_due = capture.c.due_at.is_not(None)
_unwarned = capture.c.warn_at.is_not(None)
Index("ix_capture_due", capture.c.due_at, postgresql_where=_due, sqlite_where=_due)
Index("ix_capture_warn", capture.c.warn_at, postgresql_where=_unwarned, sqlite_where=_unwarned)


@dataclass(frozen=True, slots=True)
class Capture:
    """A capture somebody works on until the lease runs out."""

    payment_id: UUID
    shop: str
    provider_payment_id: str
    correlation_id: str
    key: str
    request: bytes
    """As it is stored; `Gateway.unsealed` returns what is sent."""
    wanted_at: datetime
    attempt: int
    token: UUID


@dataclass(frozen=True, slots=True)
class Ending:
    """A hold that ends soon and is not taken."""

    shop: str
    provider_payment_id: str
    correlation_id: str
    hold_until: datetime | None


async def want(tx: Tx, gateway: Gateway, held: Payment, hold: HeldMoney, at: datetime) -> None:
    """Have a payment's held money taken; one that is being taken already is left alone."""
    make = postgres_insert if is_postgres(tx) else sqlite_insert
    request = gateway.providers[held.shop].capture_request(hold.amount_kopecks)
    fresh = {
        "key": uuid4().hex,
        "request": gateway.seal(request),
        "status": WANTED,
        "wanted_at": at,
        "due_at": at,
        "attempts": 0,
    }
    row = {
        "id": held.id,
        "shop": held.shop,
        "provider_payment_id": held.provider_payment_id,
        "correlation_id": held.correlation_id,
        "hold_until": hold.until,
        "warn_at": _warn_at(hold.until, gateway.timing.hold_warning, at),
        **fresh,
    }
    statement = make(capture).values(**row)
    given_up = capture.c.due_at.is_(None)
    await tx.execute(
        statement.on_conflict_do_update(index_elements=["id"], set_=fresh, where=given_up)
    )
    raise_signal(tx, CAPTURES)


async def claim(tx: Tx, at: datetime, limit: int, lease: timedelta) -> list[Capture]:
    """Lease the captures that are due, oldest first; those others hold are passed over."""
    token, taken = await due.claim(tx, capture, at, limit, lease)
    return [
        Capture(
            payment_id=row.id,
            shop=row.shop,
            provider_payment_id=row.provider_payment_id,
            correlation_id=row.correlation_id,
            key=row.key,
            request=row.request,
            wanted_at=row.wanted_at,
            attempt=row.attempts,
            token=token,
        )
        for row in taken
    ]


async def postpone(tx: Tx, held: Capture, due_at: datetime) -> None:
    """Try again at that time; nothing where the lease was lost."""
    await due.release(tx, _hold(held), due_at)


async def finish(tx: Tx, held: Capture, status: str) -> None:
    """Say what a capture came to; nothing where the lease was lost."""
    settled = {"warn_at": None} if status == TAKEN else {}
    await due.release(tx, _hold(held), None, status=status, **settled)


async def ending(tx: Tx, at: datetime, limit: int) -> list[Ending]:
    """Return, once each, the holds that end soon while their payment still waits."""
    c = capture.c
    soon = (
        select(c.id)
        .where(c.warn_at <= at)
        .order_by(c.warn_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    named = (c.shop, c.provider_payment_id, c.correlation_id, c.hold_until, c.id)
    said = update(capture).where(chosen(is_postgres(tx), c.id, soon)).values(warn_at=None)
    rows = list(await tx.execute(said.returning(*named)))
    if not rows:
        return []
    # What we alone have canceled is asked about like any other that waits.
    alone = and_(payment.c.status == str(Status.CANCELED), payment.c.due_at.is_not(None))
    waits = (
        or_(payment.c.status == str(Status.PENDING), alone),
        payment.c.id.in_([row.id for row in rows]),
    )
    waiting = set((await tx.execute(select(payment.c.id).where(*waits))).scalars())
    return [Ending(*row[:4]) for row in rows if row.id in waiting]


def _hold(held: Capture) -> Hold:
    return Hold(capture, held.payment_id, held.token, WANTED)


def _warn_at(until: datetime | None, warning: timedelta, at: datetime) -> datetime:
    """Return when a hold is alarmed about: by the setting, but not in the first half of it.

    Some holds last only hours. One whose end nobody has told is taken to end soon.
    """
    return at + warning if until is None else max(until - warning, at + (until - at) / 2)
