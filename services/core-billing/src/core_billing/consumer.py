"""What core-billing hears: payments and refunds on one queue, everything else on another."""

from __future__ import annotations

from collections.abc import Sequence

from core_billing import (
    accounts,
    life,
    payments,
    pending,
    refund_booking,
    refund_notices,
    register,
    timeline,
    topups,
    watch_settings,
)
from core_billing.drafts import Payment
from core_billing.payments import Arrival
from core_billing.rules import Rules
from shared import topology
from shared.clock import Clock
from shared.db import Database, Tx
from shared.events import Event, PaymentCanceled, PaymentSucceeded
from shared.events_gateway import RegisterRow
from shared.inbox import Consumer, Waiting

BATCH_MAX = 100
"""Of 50 each costs a quarter more; of 200 two replicas wait for each other's contracts."""

MONEY_PACE_SECONDS = 0.02
"""Somebody waits for this money in front of a page, so it is held up less than anything else."""

_PAID = PaymentSucceeded.TYPE


def consumers(db: Database, rules: Rules, clock: Clock) -> tuple[Consumer, Consumer]:
    """Return the two queues; money waits behind nothing else."""

    async def take_money(tx: Tx, events: Sequence[Event]) -> Waiting:
        await life.hear(tx, events, clock())
        await pending.hear(tx, events, clock())
        arrivals, notices = _arrivals(events), refund_notices.read(events)
        await refund_booking.lock(tx, notices, [arrival.payment for arrival in arrivals])
        await payments.apply_payments(tx, rules, arrivals, clock())
        canceled = [PaymentCanceled.of(e) for e in events if e.type == PaymentCanceled.TYPE]
        orders = [said.order_id for said in canceled if said.order_id is not None]
        await topups.mark_canceled(tx, orders, clock())
        return await refund_booking.apply(tx, rules, notices, clock())

    async def money_again(tx: Tx, events: Sequence[Event]) -> None:
        known = await payments.find_again(tx, _arrivals(events))
        await payments.acknowledge_again(tx, rules, known, clock())
        await refund_booking.again(tx, rules, refund_notices.read(events), clock())

    async def take_rest(tx: Tx, events: Sequence[Event]) -> None:
        rows = [RegisterRow.of(event) for event in events if event.type == RegisterRow.TYPE]
        await register.keep(tx, rows)
        await watch_settings.hear(tx, rules, events, clock)
        await timeline.hear(tx, events)

    return (
        Consumer(
            topology.MONEY,
            db,
            take_money,
            money_again,
            batch_max=BATCH_MAX,
            pace_seconds=MONEY_PACE_SECONDS,
            brings=_payment,
        ),
        Consumer(topology.REST, db, take_rest, batch_max=BATCH_MAX),
    )


def _payment(event: Event) -> str | None:
    """Name the payment that an event brings, as a refund that waits for it does."""
    return ":".join(_arrival(event).payment.reference) if event.type == _PAID else None


def _arrivals(events: Sequence[Event]) -> list[Arrival]:
    """Return the payments among the events; refunds come after them."""
    return [_arrival(event) for event in events if event.type == _PAID]


def _arrival(event: Event) -> Arrival:
    said = PaymentSucceeded.of(event)
    payment = Payment(
        source=accounts.PAYMENT + said.provider,
        external_id=said.provider_payment_id,
        amount_kopecks=said.amount_kopecks,
        allocations=tuple((part.contract, part.amount_kopecks) for part in said.allocations),
        paid_at=said.paid_at,
        method=said.method,
        order_id=said.order_id,
        charge_id=said.charge_id,
        suspense=said.suspense,
    )
    return Arrival(payment, event.correlation_id)
