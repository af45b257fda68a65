"""What a provider said that was not credited: kept for a person, found by the payment's id.

A known payment or refund with another amount, a refund said of two payments, and what belongs to
the time before the cutover, when another billing has booked it. A refund's amount is negative.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Row, Table, Text, select

from core_billing.drafts import Payment
from shared.db import Instant, Tx, metadata
from shared.metrics import alarm
from shared.rows import among, insert_new

ANOTHER_AMOUNT: Final = "another_amount"
ANOTHER_PAYMENT: Final = "another_payment"
BEFORE_CUTOVER: Final = "before_cutover"

schema = metadata()
uncredited = Table(
    "uncredited",
    schema,
    Column("external_id", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("reason", Text, primary_key=True),
    Column("amount_kopecks", BigInteger, primary_key=True, autoincrement=False),
    Column("contract", Text),
    Column("paid_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
)


async def keep(tx: Tx, reason: str, payments: Sequence[tuple[Payment, str]], at: datetime) -> None:
    """List payments, each with its correlation id, and raise an alarm for each, every time."""
    rows = [
        {
            "external_id": payment.external_id,
            "source": payment.source,
            "reason": reason,
            "amount_kopecks": payment.amount_kopecks,
            "contract": payment.allocations[0][0] if payment.allocations else None,
            "paid_at": payment.paid_at,
            "seen_at": at,
        }
        for payment, _ in payments
    ]
    await insert_new(tx, uncredited, rows, "external_id")
    for payment, correlation_id in payments:
        alarm(
            "payment_uncredited",
            reason=reason,
            reference=":".join(payment.reference),
            amount_kopecks=payment.amount_kopecks,
            correlation_id=correlation_id,
        )


async def find(tx: Tx, external_ids: Collection[str]) -> Sequence[Row[Any]]:
    """Return what was listed for these payments, oldest first."""
    mine = among(tx, uncredited.c.external_id, external_ids)
    return (await tx.execute(select(uncredited).where(mine).order_by(uncredited.c.seen_at))).all()
