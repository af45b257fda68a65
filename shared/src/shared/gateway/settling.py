"""Writes the provider's truth down: the row and what is said of it, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import structlog

from shared import outbox
from shared.db import Tx
from shared.events import Event, PaymentCanceled, PaymentSucceeded
from shared.gateway import payments, settle
from shared.gateway.gateway import Gateway, pause
from shared.gateway.provider import ProviderPayment, Status
from shared.gateway.settle import Decision, Payment
from shared.metrics import alarm

_log = structlog.get_logger(__name__)


async def absorb(
    tx: Tx,
    gateway: Gateway,
    shop: str,
    truth: ProviderPayment,
    at: datetime,
    ours: UUID | None = None,
) -> Decision | None:
    """Merge what one shop's credentials were told; `ours` is the row the question was about.

    Returns what was decided, for `announce` after the commit; None for a payment that is nobody's
    here and has not succeeded.
    """
    ours = ours or truth.payment_id
    known = await payments.lock_by_provider(tx, shop, truth.id, ours)
    if known is None:
        if truth.status is not Status.SUCCEEDED:
            return None
        known = await _adopt(tx, shop, truth)
    decision = settle.decide(known, truth, gateway.rules(shop), at)
    await conclude(tx, gateway, known, decision, at)
    return decision


async def conclude(
    tx: Tx, gateway: Gateway, known: Payment, decision: Decision, at: datetime
) -> None:
    """Write a decision about a locked payment, and say its event."""
    await payments.write(tx, decision.payment, _schedule(gateway, known, decision, at))
    if decision.event is not None:
        await outbox.add(tx, gateway.producer, [event_of(gateway, decision)], at)


def announce(decision: Decision | None) -> None:
    """Log what was decided and alarm where a person must look; called after the commit."""
    if decision is None:
        return
    facts = {
        "payment_id": str(decision.payment.id),
        "provider": decision.payment.shop,
        "provider_payment_id": decision.payment.provider_payment_id,
        "correlation_id": decision.payment.correlation_id,
    }
    if decision.event is not None:
        _log.info(f"payment.{decision.payment.status}", **facts)
    if decision.alarm is not None:
        alarm(decision.alarm, **facts)


def event_of(gateway: Gateway, decision: Decision) -> Event:
    """Return the event of a decision; a success has the provider's id as its revision."""
    body, payment = decision.event, decision.payment
    if isinstance(body, PaymentSucceeded):
        return success_of(gateway, payment)
    if not isinstance(body, PaymentCanceled):
        raise TypeError("there is no event in this decision")
    return body.event(
        gateway.producer.name,
        subject=str(payment.id),
        revision=payment.provider_payment_id or "unmade",
        correlation_id=payment.correlation_id,
    )


def success_of(gateway: Gateway, payment: Payment) -> Event:
    """Return the event of a succeeded payment, the same each time."""
    body = settle.success(payment)
    return body.event(
        gateway.producer.name,
        subject=body.provider_payment_id,
        revision=body.provider_payment_id,
        correlation_id=payment.correlation_id,
    )


async def _adopt(tx: Tx, shop: str, truth: ProviderPayment) -> Payment:
    # Our id is free after a backup was restored; it is taken where one order was paid twice.
    for payment_id in (truth.payment_id, uuid4()):
        if payment_id is None:
            continue
        adopted = replace(settle.adopt(shop, truth, payment_id), provider_payment_id=truth.id)
        if await payments.insert(tx, adopted, {}):
            return adopted
    known = await payments.lock_by_provider(tx, shop, truth.id, None)
    if known is None:
        raise RuntimeError(f"the payment {truth.id} can be neither adopted nor found")
    return known


def _schedule(
    gateway: Gateway, known: Payment, decision: Decision, at: datetime
) -> Mapping[str, Any]:
    timing = gateway.timing
    changes: dict[str, Any] = {}
    if not decision.poll:
        changes["due_at"] = None
    elif known.provider_payment_id is None:
        changes |= {"due_at": at + pause(timing.poll, 1), "attempts": 0}
    if known.status is Status.CREATING is not decision.payment.status:
        changes["answered"] = str(decision.payment.status)
    if isinstance(decision.event, PaymentSucceeded):
        changes |= {"say_at": at + pause(timing.repeat, 1), "says": 1, "said_first_at": at}
    return changes
