"""Successes that are heard of before the request that led to them is answered.

Their row is not bound to the provider's id yet. Where the provider gives no id of ours back either,
nothing but the answer tells them from a payment that is nobody's here.
"""

from __future__ import annotations

from sqlalchemy import and_, exists, not_, select

from shared.db import Tx
from shared.gateway.payments import payment
from shared.gateway.provider import ProviderPayment, Status


async def awaited(tx: Tx, shop: str, truth: ProviderPayment) -> bool:
    """Say whether a success without an id of ours may be what a request will be answered with.

    Nobody here knows it, and a request of its amount was sent and is not answered.
    """
    c = payment.c
    known = exists().where(c.shop == shop, c.provider_payment_id == truth.id)
    asked = exists().where(
        c.shop == shop,
        c.status == str(Status.CREATING),
        c.amount_kopecks == truth.amount_kopecks,
        c.first_sent_at.is_not(None),
        c.due_at.is_not(None),
    )
    return bool((await tx.execute(select(and_(asked, not_(known))))).scalar_one())
