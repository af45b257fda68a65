"""A success is said again, ever more slowly, until the ledger has acknowledged it.

So an event that was lost by a broker's disk, a purged queue or a restored backup comes again. That
holds for what was paid and for what was sent back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, Table, select, tuple_, update

from shared import outbox
from shared.db import Tx, transaction
from shared.events import Event, PaymentPosted, PaymentUnmatched
from shared.events_gateway import RefundPosted
from shared.gateway import payments, refund_settling, refunds, settling
from shared.gateway.gateway import Gateway, pause
from shared.gateway.payments import payment
from shared.gateway.refunds import refund
from shared.metrics import alarm

BATCH_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Saying:
    """What is said again: the rows of a table, and the event that each of them stands for."""

    table: Table
    event: Callable[[Gateway, Row[Any]], Event]
    alarm: str


SAYINGS: Final = (
    Saying(
        payment,
        lambda gateway, row: settling.success_of(gateway, payments.to_payment(row)),
        "success_unacknowledged",
    ),
    Saying(
        refund,
        lambda gateway, row: refund_settling.event_of(gateway, refunds.to_refund(row)),
        "refund_unacknowledged",
    ),
)


async def step(gateway: Gateway) -> bool:
    """Say one batch of unacknowledged successes again; return whether more may be due."""
    return any([await _say(gateway, saying) for saying in SAYINGS])


async def acknowledge(tx: Tx, events: Sequence[Event], at: datetime) -> None:
    """Mark what the ledger has posted or holds; what belongs to others is left alone."""
    paid = {(body.provider, body.provider_payment_id) for body in map(_paid, events) if body}
    sent_back = {
        (body.provider, body.provider_refund_id)
        for body in (RefundPosted.of(e) for e in events if e.type == RefundPosted.TYPE)
    }
    await _heard(tx, payment, "provider_payment_id", paid, at)
    await _heard(tx, refund, "provider_refund_id", sent_back, at)


async def _say(gateway: Gateway, saying: Saying) -> bool:
    at, table = gateway.clock(), saying.table
    async with transaction(gateway.db) as tx:
        due = select(table).where(table.c.say_at <= at).order_by(table.c.say_at)
        rows = list(await tx.execute(due.limit(BATCH_MAX).with_for_update(skip_locked=True)))
        if not rows:
            return False
        events = [saying.event(gateway, row) for row in rows]
        known = await outbox.say_again(tx, [event.id for event in events], at)
        pruned = [event for event in events if event.id not in known]
        await outbox.add(tx, gateway.producer, pruned, at)
        for row in rows:
            again = {
                "say_at": at + pause(gateway.timing.repeat, row.says + 1),
                "says": row.says + 1,
            }
            await tx.execute(update(table).where(table.c.id == row.id).values(again))
    _complain(gateway, saying, rows, at)
    return len(rows) == BATCH_MAX


async def _heard(
    tx: Tx, table: Table, column: str, said: set[tuple[str, str]], at: datetime
) -> None:
    if not said:
        return
    mine = tuple_(table.c.shop, table.c[column]).in_(list(said))
    unheard = table.c.acknowledged_at.is_(None)
    await tx.execute(update(table).where(mine, unheard).values(acknowledged_at=at, say_at=None))


def _paid(event: Event) -> PaymentPosted | PaymentUnmatched | None:
    if event.type == PaymentPosted.TYPE:
        return PaymentPosted.of(event)
    if event.type == PaymentUnmatched.TYPE:
        return PaymentUnmatched.of(event)
    return None


def _complain(gateway: Gateway, saying: Saying, rows: Sequence[Row[Any]], at: datetime) -> None:
    patience = gateway.timing.acknowledged_within
    late = [row for row in rows if row.said_first_at and at - row.said_first_at >= patience]
    if late:
        first = min(late, key=lambda row: row.said_first_at)
        alarm(
            saying.alarm,
            count=len(late),
            since=first.said_first_at.isoformat(),
            provider_payment_id=first.provider_payment_id,
            correlation_id=first.correlation_id,
        )
