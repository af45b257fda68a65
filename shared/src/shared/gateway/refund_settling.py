"""Writes the provider's truth about refunds down: row, reserve and event, in one transaction.

A refund belongs to a payment, so a payment that is not settled here is asked about first: it may
have been paid and sent back while our database was away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid4

import structlog

from shared import outbox
from shared.db import Tx, transaction
from shared.events import Event
from shared.events_gateway import RefundFailed, RefundSucceeded
from shared.gateway import (
    fiscal,
    payments,
    refund_leases,
    refund_settle,
    refunds,
    reserve,
    settling,
)
from shared.gateway.gateway import Gateway, pause
from shared.gateway.payments import Named
from shared.gateway.provider import (
    Failure,
    Missing,
    ProviderPayment,
    ProviderRefund,
    Status,
    Unclear,
)
from shared.gateway.refund_leases import Lease
from shared.gateway.refund_settle import Decision, Refund
from shared.gateway.settle import Payment
from shared.gateway.settling import Truth
from shared.metrics import alarm

EXCEEDS: Final = "refund_exceeds_payment"

_log = structlog.get_logger(__name__)


class Told(NamedTuple):
    """What the credentials of a shop were told; `ours` is the row the question was about."""

    shop: str
    refund: ProviderRefund
    ours: UUID | None = None


async def settle(gateway: Gateway, told: Told) -> Decision | Failure | None:
    """Write down what the provider says of a refund, asking for its payment first where needed.

    Returns None where it is nobody's here and has come to nothing, and a failure where the payment
    could not be learnt: then nothing is written, and the refund has to be asked about again.
    """
    decision = None
    async with transaction(gateway.db) as tx:
        payment = await _settled(tx, told)
        if payment is not None:
            decision = await absorb(tx, gateway, payment, told, gateway.clock())
    if payment is None:
        return await _settle_both(gateway, told)
    announce(decision)
    return decision


async def absorb(
    tx: Tx, gateway: Gateway, payment: Payment, told: Told, at: datetime
) -> Decision | None:
    """Merge the truth about a refund of a locked payment; None where it is nobody's and canceled.

    The decision is for `announce` after the commit.
    """
    known = await refunds.lock_told(tx, told.shop, told.refund, told.ours)
    reserved = 0
    if known is not None:
        reserved = known.reserves_kopecks
    elif told.refund.status is not Status.CANCELED:
        known = await _adopt(tx, told, payment)
    if known is None:
        return None
    decision = refund_settle.decide(known, told.refund, payment, gateway.rules(told.shop), at)
    if isinstance(decision.event, RefundSucceeded):
        kopecks = decision.refund.amount_kopecks
        await fiscal.follow_refund(tx, gateway, payment, told.refund.id, kopecks, at)
    return await conclude(tx, gateway, known, decision, reserved, at)


async def conclude(
    tx: Tx, gateway: Gateway, before: Refund, decision: Decision, reserved: int, at: datetime
) -> Decision:
    """Write a decision about a refund of a locked payment, move the reserve and say the event.

    `reserved` is what the refund has taken from the rest so far. Returns the decision, with an
    alarm where the refunds are now more than the payment was.
    """
    after = decision.refund
    await refunds.write(tx, after, _schedule(gateway, before, decision, at))
    by = after.reserves_kopecks - reserved
    if by and await reserve.follow(tx, after.payment_id, by) and by > 0:
        decision = replace(decision, alarms=(*decision.alarms, EXCEEDS))
    if decision.event is not None:
        await outbox.add(tx, gateway.producer, [event_of(gateway, after)], at)
    return decision


async def end(tx: Tx, gateway: Gateway, lease: Lease, why: str, at: datetime) -> Decision | None:
    """Let a refund that nobody has made come to nothing.

    Returns None where it has been made meanwhile, or somebody else works on it by now.
    """
    await payments.lock(tx, lease.refund.payment_id)
    if not await refund_leases.holds(tx, lease):
        return None
    known = await refunds.lock(tx, lease.refund.id)
    if known is None or known.status is not Status.CREATING:
        return None
    decision = refund_settle.failed(known, why, at)
    return await conclude(tx, gateway, known, decision, known.reserves_kopecks, at)


def announce(decision: Decision | None) -> None:
    """Log what was decided and alarm where a person must look; called after the commit."""
    if decision is None:
        return
    refund = decision.refund
    facts = {
        "refund_id": str(refund.id),
        "provider": refund.shop,
        "provider_refund_id": refund.provider_refund_id,
        "provider_payment_id": refund.provider_payment_id,
        "correlation_id": refund.correlation_id,
    }
    if decision.event is not None:
        _log.info(f"refund.{refund.status}", unasked=refund.asked_by is None, **facts)
    for kind in decision.alarms:
        alarm(kind, **facts)


def event_of(gateway: Gateway, refund: Refund) -> Event:
    """Return the event of a refund that has ended, the same each time.

    A success has the provider's id as its revision. Raises ValueError for one that goes on.
    """
    if refund.status is Status.SUCCEEDED:
        body: RefundSucceeded | RefundFailed = refund_settle.success(refund)
        subject = revision = refund.provider_refund_id or ""
    else:
        body = refund_settle.failure(refund)
        subject, revision = str(refund.id), refund.provider_refund_id or "unmade"
    return body.event(
        gateway.producer.name,
        subject=subject,
        revision=revision,
        correlation_id=refund.correlation_id,
    )


async def _settle_both(gateway: Gateway, told: Told) -> Decision | Failure | None:
    truth = await gateway.providers[told.shop].fetch(told.refund.provider_payment_id)
    if not isinstance(truth, ProviderPayment):
        return Unclear("payment_missing") if isinstance(truth, Missing) else truth
    decision, at = None, gateway.clock()
    async with transaction(gateway.db) as tx:
        (paid,) = await settling.absorb(tx, gateway, [Truth(told.shop, truth)], at)
        payment = await _settled(tx, told)
        if payment is not None:
            decision = await absorb(tx, gateway, payment, told, at)
    settling.announce(paid)
    announce(decision)
    return Unclear("payment_not_succeeded") if payment is None else decision


async def _settled(tx: Tx, told: Told) -> Payment | None:
    """Return and lock a refund's payment, if it has succeeded here or is held."""
    named = Named(told.shop, told.refund.provider_payment_id, None)
    known = (await payments.lock_by_provider(tx, [named])).get(named)
    ready = known is not None and (known.status is Status.SUCCEEDED or known.held is not None)
    return known if ready else None


async def _adopt(tx: Tx, told: Told, payment: Payment) -> Refund:
    # Our id and the request are free after a backup was restored; else they are another refund's.
    whole = refund_settle.adopt(told.shop, told.refund, payment, told.refund.refund_id or uuid4())
    other = replace(whole, id=uuid4())
    for adopted in (whole, other, replace(other, request_id=None)):
        if await refunds.insert(tx, adopted, {}):
            return adopted
    raise RuntimeError(f"the refund {told.refund.id} can be neither adopted nor found")


def _schedule(
    gateway: Gateway, before: Refund, decision: Decision, at: datetime
) -> Mapping[str, Any]:
    timing, status = gateway.timing, decision.refund.status
    changes: dict[str, Any] = {}
    if not decision.poll:
        changes["due_at"] = None
    elif before.provider_refund_id is None:
        changes |= {"due_at": at + pause(timing.poll, 1), "attempts": 0}
    if before.status is Status.CREATING is not status:
        changes["answered"] = str(status)
    if isinstance(decision.event, RefundSucceeded):
        changes |= {"say_at": at + pause(timing.repeat, 1), "says": 1, "said_first_at": at}
    return changes
