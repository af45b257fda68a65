"""Writes the provider's truth down: the row and what is said of it, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid4

import structlog

from shared import outbox
from shared.db import Tx
from shared.events import Event, PaymentCanceled, PaymentSucceeded
from shared.events_billing import PaymentPending
from shared.events_gateway import ChargeFailed
from shared.gateway import (
    captures,
    fiscal,
    methods_saving,
    payments,
    refund_searches,
    refunds,
    settle,
)
from shared.gateway.gateway import Gateway, pause
from shared.gateway.payments import Named
from shared.gateway.provider import ProviderPayment, Status
from shared.gateway.settle import Decision, Payment
from shared.metrics import alarm

FAILED: Final = "failed"
"""The revision of the event that says that a charge has failed: it is said once."""

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
    nobody's here and brings no money.
    """
    rows = await payments.lock_by_provider(tx, [truth.named for truth in truths])
    known = {(one.shop, one.provider_id): row for one, row in rows.items()}
    decided: list[tuple[Payment, Decision]] = []
    decisions: list[Decision | None] = []
    for truth in truths:
        key = (truth.shop, truth.payment.id)
        before = known.get(key)
        if before is None and _adoptable(truth.payment):
            before = await _adopt(tx, gateway, truth, at)
        if before is None:
            decisions.append(None)
            continue
        decision = settle.decide(before, truth.payment, gateway.rules(truth.shop), at)
        known[key] = decision.payment
        decided.append((before, decision))
        decisions.append(decision)
    await conclude(tx, gateway, decided, at)
    await _look_for_refunds(tx, truths, decisions, at)
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
    released = [one.payment.id for before, one in decided if before.held and not one.payment.held]
    await refunds.release(tx, released, at)
    taken = [d.payment for _, d in decided if isinstance(d.event, PaymentSucceeded)]
    await fiscal.follow(tx, gateway, taken, at)
    for _, decision in decided:
        if decision.hold is not None:
            await captures.want(tx, gateway, decision.payment, decision.hold, at)
    said = [event_of(gateway, decision) for _, decision in decided if decision.event is not None]
    said += await methods_saving.follow(tx, gateway, [decision for _, decision in decided], at)
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
    if isinstance(body, ChargeFailed):
        return body.event(
            gateway.producer.name,
            subject=body.charge_id,
            revision=FAILED,
            correlation_id=payment.correlation_id,
        )
    if not isinstance(body, PaymentCanceled | PaymentPending):
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


async def _look_for_refunds(
    tx: Tx, truths: Sequence[Truth], decisions: Sequence[Decision | None], at: datetime
) -> None:
    told = {
        decision.payment.id: (decision.payment, truth.payment.refunded_kopecks)
        for truth, decision in zip(truths, decisions, strict=True)
        if decision is not None and truth.payment.refunded_kopecks
    }
    await refund_searches.want(tx, told, at)


def _adoptable(payment: ProviderPayment) -> bool:
    """Say whether a payment without a row is taken up: a success always, a hold with our words.

    Somebody else's held money is not ours to take.
    """
    ours = payment.payment_id is not None and payment.allocations != ()
    return payment.status is Status.SUCCEEDED or (payment.on_hold and ours)


async def _adopt(tx: Tx, gateway: Gateway, truth: Truth, at: datetime) -> Payment:
    truth = await _with_owners(tx, truth)
    due_at = at + pause(gateway.timing.poll, 1) if truth.payment.on_hold else None
    # Our id is free after a backup was restored; it is taken where one order was paid twice.
    for payment_id in (truth.payment.payment_id, uuid4()):
        if payment_id is None:
            continue
        adopted = settle.adopt(truth.shop, truth.payment, payment_id)
        adopted = replace(adopted, provider_payment_id=truth.payment.id)
        if await payments.insert(tx, adopted, {"due_at": due_at}):
            return adopted
    known = await payments.lock_by_provider(tx, [Named(truth.shop, truth.payment.id, None)])
    if not known:
        raise RuntimeError(f"the payment {truth.payment.id} can be neither adopted nor found")
    return next(iter(known.values()))


async def _with_owners(tx: Tx, truth: Truth) -> Truth:
    """Return a truth with the contracts of our row that it names, where it gives none back.

    A code whose answer was lost is registered again under the same order, and both can be paid.
    """
    told = truth.payment
    if told.allocations or told.payment_id is None:
        return truth
    asked = await payments.find(tx, told.payment_id)
    if asked is None or asked.shop != truth.shop or asked.charge_id is not None:
        return truth
    return truth._replace(payment=replace(told, allocations=asked.allocations))


def _schedule(
    gateway: Gateway, known: Payment, decision: Decision, at: datetime
) -> Mapping[str, Any]:
    timing = gateway.timing
    changes: dict[str, Any] = {}
    if not decision.poll:
        changes["due_at"] = None
    elif known.provider_payment_id is None:
        changes |= {"due_at": at + pause(timing.poll, 1), "attempts": 0}
        changes["unanswered_since"] = None
    if known.status is Status.CREATING is not decision.payment.status:
        changes["answered"] = str(decision.payment.status)
    if isinstance(decision.event, PaymentSucceeded):
        changes |= {"say_at": at + pause(timing.repeat, 1), "says": 1, "said_first_at": at}
    return changes
