"""Payments whose refunds are to be looked through: the provider has sent back more than we know.

So a refund that somebody made at the provider without us is found even where its callback was lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import (
    Column,
    ColumnElement,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    and_,
    delete,
    update,
)
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from shared.db import Instant, Tx, is_postgres, metadata, raise_signal
from shared.gateway import due, refunds
from shared.gateway.gateway import REFUNDS
from shared.gateway.settle import Payment

schema = metadata()
search = Table(
    "refund_search",
    schema,
    Column("id", Uuid, primary_key=True),
    Column("shop", Text, nullable=False),
    Column("provider_payment_id", Text, nullable=False),
    Column("since", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("lease_token", Uuid),
    Column("leased_until", Instant),
)
Index("ix_refund_search_due", search.c.due_at)


@dataclass(frozen=True, slots=True)
class Search:
    """A payment whose refunds somebody looks through until the lease runs out."""

    payment_id: UUID
    token: UUID
    shop: str
    provider_payment_id: str
    since: datetime
    attempt: int


async def want(tx: Tx, told: Mapping[UUID, tuple[Payment, int]], at: datetime) -> None:
    """Have those payments looked through of which more kopecks were sent back than we know of."""
    if not told:
        return
    known = await refunds.returned(tx, list(told))
    for payment_id, (payment, kopecks) in sorted(told.items()):
        if kopecks > known.get(payment_id, 0):
            await _put(tx, payment, at)
            raise_signal(tx, REFUNDS)


async def claim(tx: Tx, at: datetime, limit: int, lease: timedelta) -> list[Search]:
    """Lease the searches that are due, oldest first."""
    token, taken = await due.claim(tx, search, at, limit, lease)
    return [
        Search(row.id, token, row.shop, row.provider_payment_id, row.since, row.attempts)
        for row in taken
    ]


async def postpone(tx: Tx, held: Search, due_at: datetime) -> None:
    """Give a search back, to be done later."""
    again = {"due_at": due_at, "lease_token": None, "leased_until": None}
    await tx.execute(update(search).where(_mine(held)).values(again))


async def finish(tx: Tx, held: Search) -> None:
    """Forget a search that is done, unless it is wanted anew."""
    await tx.execute(delete(search).where(_mine(held)))


def _mine(held: Search) -> ColumnElement[bool]:
    return and_(search.c.id == held.payment_id, search.c.lease_token == held.token)


async def _put(tx: Tx, payment: Payment, at: datetime) -> None:
    make = postgres_insert if is_postgres(tx) else sqlite_insert
    row = {
        "shop": payment.shop,
        "provider_payment_id": payment.provider_payment_id,
        "since": payment.created_at,
        "due_at": at,
        "attempts": 0,
        "lease_token": None,
        "leased_until": None,
    }
    # Who searches at this moment may have passed by what is wanted now, and loses the lease.
    anew = make(search).values(id=payment.id, **row)
    await tx.execute(anew.on_conflict_do_update(index_elements=["id"], set_=row))
