"""Successes that were not said to anybody, and how a person has them looked at again.

A payment is held where it is not ours to credit: another shop, another currency, play money in a
real shop, or from before the cutover. Where the settings were wrong, they are mended and the
payment is asked about once more; where the money is foreign, it stays here and is listed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select, update

from shared.db import Tx
from shared.gateway import payments, refunds
from shared.gateway.payments import payment
from shared.gateway.refund_settle import Refund
from shared.gateway.refunds import refund
from shared.gateway.settle import Payment

LISTED_MAX: Final = 1000

_HELD = payment.c.held.is_not(None)


async def listed(tx: Tx) -> Sequence[Payment]:
    """Return the held payments, oldest first, at most a thousand."""
    query = select(payment).where(_HELD).order_by(payment.c.created_at, payment.c.id)
    return [payments.to_payment(row) for row in await tx.execute(query.limit(LISTED_MAX))]


async def refunds_listed(tx: Tx) -> Sequence[Refund]:
    """Return the held refunds, oldest first, at most a thousand; they wait for their payments."""
    query = select(refund).where(refund.c.held.is_not(None))
    ordered = query.order_by(refund.c.created_at, refund.c.id).limit(LISTED_MAX)
    return [refunds.to_refund(row) for row in await tx.execute(ordered)]


async def ask_again(tx: Tx, ids: Sequence[UUID], at: datetime) -> int:
    """Make held payments due; return how many of these are held."""
    mine = update(payment).where(_HELD, payment.c.id.in_(list(ids)))
    again = mine.values(due_at=at, attempts=0)
    return (await tx.execute(again)).rowcount
