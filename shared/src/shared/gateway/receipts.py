"""The receipts of a gateway: one row for each that went with a payment, a refund or an offset.

A receipt has a life of its own. Its row falls due by itself and is worked on by itself, so that
nothing here delays a payment or takes one back. It keeps the line that was printed, because what
is returned or used up later must be the same line, whatever the settings say by then.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
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
    and_,
    func,
    or_,
    select,
    update,
)

from shared.db import Instant, Tx, metadata
from shared.gateway import due
from shared.gateway.due import Hold
from shared.gateway.receipt import Line, read_line
from shared.gateway.till import Kind
from shared.rows import insert_new

schema = metadata()
receipt = Table(
    "receipt",
    schema,
    Column("id", Uuid, primary_key=True),
    Column("shop", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("payment_id", Uuid, nullable=False),
    Column("provider_payment_id", Text, nullable=False),
    # What it is about beside the payment: the provider's id of the refund, or the fee.
    Column("reference", Text, nullable=False),
    Column("line", Text, nullable=False),
    Column("amount_kopecks", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("correlation_id", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("provider_receipt_id", Text),
    # What a tax officer asks for.
    Column("document", Text),
    Column("storage", Text),
    Column("attribute", Text),
    Column("registered_at", Instant),
    # What was sent to the provider, byte for byte, and under which key: of what goes apart.
    Column("key", Text),
    Column("request", LargeBinary),
    Column("first_sent_at", Instant),
    Column("list_at", Instant),
    Column("due_at", Instant),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("lease_token", Uuid),
    Column("leased_until", Instant),
    UniqueConstraint("payment_id", "kind", "reference", name="uq_receipt_fact"),
)
_due = receipt.c.due_at.is_not(None)
BAD = receipt.c.reason != ""
"""Which ones a person must look at."""
Index("ix_receipt_due", receipt.c.due_at, postgresql_where=_due, sqlite_where=_due)
Index("ix_receipt_bad", receipt.c.created_at, postgresql_where=BAD, sqlite_where=BAD)


class State(StrEnum):
    """How far a receipt has come."""

    UNSENT = "unsent"
    """It goes apart from its payment, and nobody has confirmed that it exists."""
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Slip:
    """A receipt as we know it."""

    shop: str
    kind: Kind
    payment_id: UUID
    provider_payment_id: str
    line: Line
    correlation_id: str
    created_at: datetime
    id: UUID
    reference: str = ""
    """The provider's id of the refund, or the id of the fee."""
    status: State = State.PENDING
    reason: str = ""
    """Why a person must look at it."""
    provider_receipt_id: str | None = None

    @property
    def about(self) -> str:
        """Return the id under which its provider is asked about it."""
        if self.kind is Kind.OFFSET:
            return self.provider_receipt_id or ""
        return self.reference if self.kind is Kind.REFUND else self.provider_payment_id


@dataclass(frozen=True, slots=True)
class Lease:
    """Work on one receipt that nobody else does until the lease runs out."""

    slip: Slip
    token: UUID
    attempt: int
    key: str
    request: bytes
    list_at: datetime | None


async def insert(tx: Tx, new: Slip, extra: dict[str, Any]) -> bool:
    """Write a new row; False where its payment, kind and reference have one already."""
    row = {
        "id": new.id,
        "shop": new.shop,
        "kind": str(new.kind),
        "payment_id": new.payment_id,
        "provider_payment_id": new.provider_payment_id,
        "reference": new.reference,
        "line": new.line.written(),
        "amount_kopecks": new.line.kopecks,
        "status": str(new.status),
        "reason": new.reason,
        "correlation_id": new.correlation_id,
        "created_at": new.created_at,
    }
    return bool(await insert_new(tx, receipt, [row | extra], "id"))


async def claim(
    tx: Tx, at: datetime, limit: int, lease: timedelta, list_after: timedelta
) -> list[Lease]:
    """Lease the receipts that are due; of those never sent, write down that they are sent now."""
    token, taken = await due.claim(tx, receipt, at, limit, lease)
    fresh = [row.id for row in taken if row.status == State.UNSENT and row.first_sent_at is None]
    if fresh:
        sending = update(receipt).where(receipt.c.id.in_(fresh))
        await tx.execute(sending.values(first_sent_at=at, list_at=at + list_after))
    return [
        Lease(
            slip=to_slip(row),
            token=token,
            attempt=row.attempts,
            key=row.key or "",
            request=row.request or b"",
            list_at=row.list_at or (at + list_after),
        )
        for row in taken
    ]


async def release(tx: Tx, held: Lease, due_at: datetime | None, **changes: Any) -> bool:
    """Give a lease back and write what has become known; False where it was lost."""
    slip = held.slip
    hold = Hold(receipt, slip.id, held.token, str(slip.status))
    return await due.release(tx, hold, due_at, **changes)


async def used_up(tx: Tx, payment_id: UUID) -> tuple[int, int]:
    """Return how many receipts a payment has at its provider, and the kopecks of its offsets."""
    c = receipt.c
    there = or_(c.status != str(State.FAILED), c.provider_receipt_id.is_not(None))
    mine = and_(c.payment_id == payment_id, c.kind != str(Kind.REFUND), there)
    offsets = func.sum(c.amount_kopecks).filter(c.kind == str(Kind.OFFSET))
    row = (await tx.execute(select(func.count(), offsets).where(mine))).one()
    return int(row[0]), int(row[1] or 0)


async def ids_of_others(tx: Tx, slip: Slip) -> set[str]:
    """Return the provider's ids of the other receipts of its payment."""
    c = receipt.c
    others = and_(c.payment_id == slip.payment_id, c.id != slip.id)
    found = await tx.execute(select(c.provider_receipt_id).where(others))
    return {known for known in found.scalars() if known is not None}


async def bind(tx: Tx, held: Lease, provider_receipt_id: str) -> None:
    """Write the provider's id of a receipt down, while its lease stands."""
    mine = and_(receipt.c.id == held.slip.id, receipt.c.lease_token == held.token)
    bound = update(receipt).where(mine).values(provider_receipt_id=provider_receipt_id)
    await tx.execute(bound)


def to_slip(row: Row[Any]) -> Slip:
    """Return what a row says of a receipt."""
    return Slip(
        id=row.id,
        shop=row.shop,
        kind=Kind(row.kind),
        payment_id=row.payment_id,
        provider_payment_id=row.provider_payment_id,
        reference=row.reference,
        line=read_line(row.line),
        status=State(row.status),
        reason=row.reason,
        correlation_id=row.correlation_id,
        created_at=row.created_at,
        provider_receipt_id=row.provider_receipt_id,
    )
