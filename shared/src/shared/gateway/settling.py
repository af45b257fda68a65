"""Writes the provider's truth down: the row and what is said of it, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import structlog

from shared import outbox
from shared.db import Tx
from shared.events import Event, PaymentCanceled, PaymentSucceeded
from shared.gateway import payments, settle
from shared.gateway.gateway import Gateway, pause
from shared.gateway.payments import Named
from shared.gateway.provider import ProviderPayment, Status
from shared.gateway.settle import Decision, Payment
from shared.metrics import alarm

_log = structlog.get_logger(__name__)


class Truth(NamedTuple):
    """What the credentials of a shop were told; `ours` is the row the question was about."""

    shop: str
    payment: ProviderPayment
    ours: UUID | None = None

    @property
    def named(self) -> Named:
        """Return how its row is found."""
        return Named(self.shop, self.payment.id, self.ours or self.payment.payment_id)


async def absorb(
    tx: Tx, gateway: Gateway, truths: Sequence[Truth], at: datetime
) -> list[Decision | None]:
    """Merge truths in the order in which they were told, many in a few statements.

    Returns what was decided of each, for `announce` after the commit; None for a payment that is
    nobody's here and has not succeeded.
    """
    rows = await payments.lock_by_provider(tx, [truth.named for truth in truths])
    known = {(one.shop, one.provider_id): row for one, row in rows.items()}
    decided: list[tuple[Payment, Decision]] = []
    decisions: list[Decision | None] = []
    for truth in truths:
        key = (truth.shop, truth.payment.id)
        before = known.get(key)
        if before is None and truth.payment.status is Status.SUCCEEDED:
            before = await _adopt(tx, truth)
        if before is None:
            decisions.append(None)
            continue
        decision = settle.decide(before, truth.payment, gateway.rules(truth.shop), at)
        known[key] = decision.payment
        decided.append((before, decision))
        decisions.append(decision)
    await conclude(tx, gateway, decided, at)
    return decisions


async def conclude(
    tx: Tx, gateway: Gateway, decided: Sequence[tuple[Payment, Decision]], at: datetime
) -> None:
    """Write decisions about locked payments, and say their events."""
    changed: dict[UUID, tuple[Payment, Mapping[str, Any]]] = {}
    for before, decision in decided:
        _, earlier = changed.get(before.id, (None, {}))
        schedule = _schedule(gateway, before, decision, at)
        changed[before.id] = decision.payment, {**earlier, **schedule}
    await payments.write(tx, changed.values())
    said = [event_of(gateway, decision) for _, decision in decided if decision.event is not None]
    await outbox.add(tx, gateway.producer, said, at)


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


async def _adopt(tx: Tx, truth: Truth) -> Payment:
    # Our id is free after a backup was restored; it is taken where one order was paid twice.
    for payment_id in (truth.payment.payment_id, uuid4()):
        if payment_id is None:
            continue
        adopted = settle.adopt(truth.shop, truth.payment, payment_id)
        adopted = replace(adopted, provider_payment_id=truth.payment.id)
        if await payments.insert(tx, adopted, {}):
            return adopted
    known = await payments.lock_by_provider(tx, [Named(truth.shop, truth.payment.id, None)])
    if not known:
        raise RuntimeError(f"the payment {truth.payment.id} can be neither adopted nor found")
    return next(iter(known.values()))


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
