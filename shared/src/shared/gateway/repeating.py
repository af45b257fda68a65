"""A success is said again, ever more slowly, until the ledger has acknowledged it.

So an event that was lost by a broker's disk, a purged queue or a restored backup comes again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, select, tuple_, update

from shared import outbox
from shared.db import Tx, transaction
from shared.events import Event, PaymentPosted, PaymentUnmatched
from shared.gateway import payments
from shared.gateway.gateway import Gateway, pause
from shared.gateway.payments import payment
from shared.gateway.settling import success_of
from shared.metrics import alarm

BATCH_MAX: Final = 100


async def step(gateway: Gateway) -> bool:
    """Say one batch of unacknowledged successes again; return whether more may be due."""
    at = gateway.clock()
    async with transaction(gateway.db) as tx:
        due = select(payment).where(payment.c.say_at <= at).order_by(payment.c.say_at)
        rows = list(await tx.execute(due.limit(BATCH_MAX).with_for_update(skip_locked=True)))
        if not rows:
            return False
        events = [success_of(gateway, payments.to_payment(row)) for row in rows]
        known = await outbox.say_again(tx, [event.id for event in events], at)
        pruned = [event for event in events if event.id not in known]
        await outbox.add(tx, gateway.producer, pruned, at)
        for row in rows:
            again = {
                "say_at": at + pause(gateway.timing.repeat, row.says + 1),
                "says": row.says + 1,
            }
            await tx.execute(update(payment).where(payment.c.id == row.id).values(again))
    _complain(gateway, rows, at)
    return len(rows) == BATCH_MAX


async def acknowledge(tx: Tx, events: Sequence[Event], at: datetime) -> None:
    """Mark the payments that the ledger has posted or holds; others' payments are left alone."""
    said = {(body.provider, body.provider_payment_id) for body in map(_body, events) if body}
    if not said:
        return
    mine = tuple_(payment.c.shop, payment.c.provider_payment_id).in_(list(said))
    unheard = payment.c.acknowledged_at.is_(None)
    heard = update(payment).where(mine, unheard).values(acknowledged_at=at, say_at=None)
    await tx.execute(heard)


def _body(event: Event) -> PaymentPosted | PaymentUnmatched | None:
    if event.type == PaymentPosted.TYPE:
        return PaymentPosted.of(event)
    if event.type == PaymentUnmatched.TYPE:
        return PaymentUnmatched.of(event)
    return None


def _complain(gateway: Gateway, rows: Sequence[Row[Any]], at: datetime) -> None:
    patience = gateway.timing.acknowledged_within
    late = [row for row in rows if row.said_first_at and at - row.said_first_at >= patience]
    if late:
        first = min(late, key=lambda row: row.said_first_at)
        alarm(
            "success_unacknowledged",
            count=len(late),
            since=first.said_first_at.isoformat(),
            provider_payment_id=first.provider_payment_id,
            correlation_id=first.correlation_id,
        )
