"""The refunds of a gateway: one row each, written before the provider hears of it.

What they take from the rest of their payment is kept in `reserve`. Whoever locks both locks the
payment first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    Row,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from shared.db import Instant, Tx, is_postgres, metadata, raise_signal
from shared.gateway.gateway import REFUNDS
from shared.gateway.provider import ProviderRefund, Status
from shared.gateway.refund_settle import Refund
from shared.rows import among

LISTED_MAX: Final = 1000

schema = metadata()
refund = Table(
    "refund",
    schema,
    Column("id", Uuid, primary_key=True),
    Column("shop", Text, nullable=False),
    Column("payment_id", Uuid, nullable=False),
    Column("provider_payment_id", Text, nullable=False),
    Column("provider_refund_id", Text),
    Column("status", Text, nullable=False),
    Column("amount_kopecks", BigInteger, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("failure", Text, nullable=False, server_default=""),
    Column("held", Text),
    Column("correlation_id", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("refunded_at", Instant),
    Column("failed_at", Instant),
    # Who asked: the ledger under its own id, or a caller under a key of theirs and for what.
    Column("asked_by", Text),
    Column("request_id", Text, unique=True),
    Column("caller", Text),
    Column("caller_key", Text),
    Column("caller_digest", LargeBinary),
    Column("answered", Text),
    # What was sent to the provider, byte for byte, and under which key.
    Column("key", Text),
    Column("request", LargeBinary),
    Column("first_sent_at", Instant),
    Column("list_at", Instant),
    Column("due_at", Instant),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("lease_token", Uuid),
    Column("leased_until", Instant),
    # A success is said again until the ledger has acknowledged it.
    Column("say_at", Instant),
    Column("says", Integer, nullable=False, server_default="0"),
    Column("said_first_at", Instant),
    Column("acknowledged_at", Instant),
    UniqueConstraint("shop", "provider_refund_id", name="uq_refund_provider"),
    UniqueConstraint("caller", "caller_key", name="uq_refund_caller"),
)
_due = refund.c.due_at.is_not(None)
_unheard = refund.c.say_at.is_not(None)
_back = refund.c.refunded_at.is_not(None)
Index("ix_refund_payment", refund.c.payment_id)
Index("ix_refund_due", refund.c.due_at, postgresql_where=_due, sqlite_where=_due)
Index(
    "ix_refund_back",
    refund.c.shop,
    refund.c.refunded_at,
    postgresql_where=_back,
    sqlite_where=_back,
)
Index("ix_refund_say", refund.c.say_at, postgresql_where=_unheard, sqlite_where=_unheard)

_FACTS: Final = (
    "amount_kopecks",
    "provider_refund_id",
    "failure",
    "held",
    "refunded_at",
    "failed_at",
)
_KNOWN: Final = (
    "id",
    "shop",
    "payment_id",
    "provider_payment_id",
    "correlation_id",
    "created_at",
    "asked_by",
    "request_id",
    "reason",
    *_FACTS,
)


async def insert(tx: Tx, new: Refund, extra: Mapping[str, Any]) -> bool:
    """Write a new row; False where its id, request, caller's key or provider's id is taken."""
    make = postgres_insert if is_postgres(tx) else sqlite_insert
    row = {name: getattr(new, name) for name in _KNOWN} | {"status": str(new.status), **extra}
    statement = make(refund).values(**row).on_conflict_do_nothing().returning(refund.c.id)
    return (await tx.execute(statement)).first() is not None


async def find(tx: Tx, refund_id: UUID) -> Refund | None:
    """Return a refund by our id."""
    return await _one(tx, refund.c.id == refund_id)


async def find_request(tx: Tx, request_id: str) -> Refund | None:
    """Return the one refund of a request of the ledger."""
    return await _one(tx, refund.c.request_id == request_id)


async def find_asked(tx: Tx, caller: str, key: str) -> tuple[Refund, bytes, Status] | None:
    """Return what a caller asked under a key: the refund, the digest, what to answer."""
    mine = select(refund).where(refund.c.caller == caller, refund.c.caller_key == key)
    row = (await tx.execute(mine)).one_or_none()
    if row is None:
        return None
    return to_refund(row), row.caller_digest, Status(row.answered or row.status)


async def of_payment(tx: Tx, payment_id: UUID) -> Sequence[Refund]:
    """Return the refunds of a payment, oldest first, at most a thousand."""
    mine = select(refund).where(refund.c.payment_id == payment_id)
    ordered = mine.order_by(refund.c.created_at, refund.c.id).limit(LISTED_MAX)
    return [to_refund(row) for row in await tx.execute(ordered)]


async def returned(tx: Tx, payment_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Return the kopecks of each of these payments that are known to have been sent back."""
    sums = (
        select(refund.c.payment_id, func.sum(refund.c.amount_kopecks).label("kopecks"))
        .where(among(tx, refund.c.payment_id, payment_ids), refund.c.status == Status.SUCCEEDED)
        .group_by(refund.c.payment_id)
    )
    return {row.payment_id: int(row.kopecks) for row in await tx.execute(sums)}


async def lock(tx: Tx, refund_id: UUID) -> Refund | None:
    """Return a refund by our id; nobody else writes it until the transaction ends."""
    return await _one(tx, refund.c.id == refund_id, locked=True)


async def lock_told(tx: Tx, shop: str, told: ProviderRefund, ours: UUID | None) -> Refund | None:
    """Return and lock the row that a refund of the provider belongs to.

    That is the row bound to its id, or else, of those of the same payment that are bound to none
    yet, the row of our id. Where no id of ours is told, it is the oldest that we have sent for as
    much and not heard of: two of the same payment and amount are worth the same.
    """
    c = refund.c
    found = await _one(tx, c.shop == shop, c.provider_refund_id == told.id, locked=True)
    if found is not None:
        return found
    same = (c.shop == shop, c.provider_payment_id == told.provider_payment_id)
    unbound = c.provider_refund_id.is_(None)
    named = ours or told.refund_id
    if named is not None:
        found = await _one(tx, c.id == named, unbound, *same, locked=True)
    if found is not None or told.refund_id is not None or told.status is Status.CANCELED:
        return found
    unheard = (c.status == str(Status.CREATING), c.first_sent_at.is_not(None))
    as_much = c.amount_kopecks == told.amount_kopecks
    return await _one(tx, unbound, *same, *unheard, as_much, locked=True)


async def unbound(tx: Tx, shop: str, told: Sequence[ProviderRefund]) -> list[ProviderRefund]:
    """Return those refunds of the provider that belong to no row yet."""
    c = refund.c
    named = [one.id for one in told]
    rows = await tx.execute(
        select(c.provider_refund_id).where(c.shop == shop, among(tx, c.provider_refund_id, named))
    )
    known = {row.provider_refund_id for row in rows}
    return [one for one in told if one.id not in known]


async def write(tx: Tx, known: Refund, extra: Mapping[str, Any]) -> None:
    """Write what is known of a locked refund, with further columns."""
    facts = {name: getattr(known, name) for name in _FACTS}
    mine = update(refund).where(refund.c.id == known.id)
    await tx.execute(mine.values(**facts, status=str(known.status), **extra))


async def release(tx: Tx, payment_ids: Sequence[UUID], at: datetime) -> None:
    """Have the held refunds of payments that are held no more asked about again."""
    if not payment_ids:
        return
    mine = (among(tx, refund.c.payment_id, payment_ids), refund.c.held.is_not(None))
    await tx.execute(update(refund).where(*mine).values(due_at=at, attempts=0))
    raise_signal(tx, REFUNDS)


def to_refund(row: Row[Any]) -> Refund:
    """Return what a row says of a refund."""
    return Refund(status=Status(row.status), **{name: getattr(row, name) for name in _KNOWN})


async def _one(tx: Tx, *where: Any, locked: bool = False) -> Refund | None:
    statement = select(refund).where(*where).order_by(refund.c.created_at, refund.c.id).limit(1)
    row = (await tx.execute(statement.with_for_update() if locked else statement)).one_or_none()
    return None if row is None else to_refund(row)
