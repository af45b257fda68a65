"""Signs of life: each minute a gateway says that it works, and how far behind it is.

Core blocks nobody while a gateway is silent or behind, because money may be on its way. So only
what brings money counts: payments and holds that should have been looked at, callbacks about our
own payments that have led to nothing yet, and successes that have not reached the bus. What a
stranger sends, or what is sent back, holds up nobody's block.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import Select, func, select

from shared import outbox
from shared.db import Tx, reading, transaction
from shared.events import PaymentSucceeded
from shared.events_billing import GatewayAlive, PaymentPending
from shared.gateway.callbacks import callback
from shared.gateway.captures import capture
from shared.gateway.gateway import Gateway
from shared.gateway.payments import payment
from shared.gateway.provider import Kind
from shared.outbox import pauses_before
from shared.outbox_table import outbox as outbox_table
from shared.outbox_table import unsent

EVERY_SECONDS: Final = 60.0
MONEY: Final = (PaymentSucceeded.TYPE, PaymentPending.TYPE)
"""What core has to hear before it may block anybody."""
OLDEST_MAX: Final = 100


async def step(gateway: Gateway) -> bool:
    """Say that this gateway is alive; one that has not left yet speaks for the next ones too.

    Replicas speak for one another, each under ids of its own.
    """
    at = gateway.clock()
    async with reading(gateway.db) as tx:
        if await _is_unsent(tx):
            return False
        body = await measured(tx, gateway.service, at)
    event = body.event(
        gateway.producer.name,
        subject=gateway.service,
        revision=f"{at.isoformat()}:{uuid4().hex}",
        correlation_id=f"alive-{uuid4().hex}",
    )
    async with transaction(gateway.db) as tx:
        await outbox.add(tx, gateway.producer, [event], at)
    return False


async def measured(tx: Tx, service: str, at: datetime) -> GatewayAlive:
    """Return how far behind a gateway is at a moment."""
    due = [
        (await tx.execute(oldest)).scalar_one()
        for oldest in (
            _oldest(payment.c.due_at),
            # Asked about again and again it is due ever later, but it is as old as it is.
            _oldest(payment.c.due_at, payment.c.unanswered_since),
            _oldest(capture.c.due_at, capture.c.wanted_at),
            _oldest(callback.c.due_at, callback.c.received_at).where(
                callback.c.known, callback.c.kind == str(Kind.PAYMENT)
            ),
        )
    ]
    unsettled = max((at - since for since in due if since is not None), default=timedelta(0))
    return GatewayAlive(
        occurred_at=at,
        gateway=service,
        unsettled_seconds=_seconds(unsettled),
        unpublished_seconds=_seconds(await _unpublished(tx, at)),
    )


async def _unpublished(tx: Tx, at: datetime) -> timedelta:
    """Return for how long the oldest word about money has waited, at least.

    Its row says when it is tried next and how often it was: the pauses between are known.
    """
    c = outbox_table.c
    waiting = select(c.due_at, c.attempts).where(unsent, c.type.in_(MONEY))
    rows = await tx.execute(waiting.order_by(c.id).limit(OLDEST_MAX))
    ages = [at - row.due_at + pauses_before(row.attempts) for row in rows]
    return max(ages, default=timedelta(0))


async def _is_unsent(tx: Tx) -> bool:
    mine = select(outbox_table.c.id).where(unsent, outbox_table.c.type == GatewayAlive.TYPE)
    return (await tx.execute(mine.limit(1))).first() is not None


def _oldest(due_at: Any, since: Any = None) -> Select[Any]:
    if since is None:
        since = due_at
    return select(func.min(since)).where(due_at.is_not(None), since.is_not(None))


def _seconds(age: timedelta) -> int:
    return max(0, int(age.total_seconds()))
