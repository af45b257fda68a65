"""What of a payment is on its way back or back: one figure, raised only where there is as much.

Everybody who asks for a refund, at our address or over the bus, takes its amount from here first,
in the transaction that writes the refund down. So two that together exceed the payment can never
both be sent. What the provider has done without being asked is followed, even beyond the rest.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import update

from shared.db import Tx
from shared.gateway.payments import payment
from shared.gateway.provider import Status


async def take(tx: Tx, payment_id: UUID, kopecks: int) -> bool:
    """Reserve a part of a succeeded payment; False where less than that is left of it."""
    c = payment.c
    enough = c.received_kopecks - c.reserved_kopecks >= kopecks
    mine = update(payment).where(c.id == payment_id, c.status == str(Status.SUCCEEDED), enough)
    taken = await tx.execute(mine.values(reserved_kopecks=c.reserved_kopecks + kopecks))
    return taken.rowcount == 1


async def follow(tx: Tx, payment_id: UUID, by_kopecks: int) -> bool:
    """Change what is reserved by what has become known; say whether that is too much now.

    The amount is negative where a refund has come to nothing.
    """
    c = payment.c
    mine = update(payment).where(c.id == payment_id)
    changed = mine.values(reserved_kopecks=c.reserved_kopecks + by_kopecks)
    row = (await tx.execute(changed.returning(c.received_kopecks, c.reserved_kopecks))).one()
    return row.received_kopecks is not None and row.reserved_kopecks > row.received_kopecks
