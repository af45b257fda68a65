"""Making a payment at the provider: once, however often anybody asks and whatever gets lost.

The row, the key and the request's exact bytes are committed before the first byte leaves. An
unclear outcome is repeated with the same key and bytes. Providers forget keys after a day, so a
request that is still unclear after `list_after` is looked for in the provider's list and never
sent again. Source: YooKassa, "Interaction format", idempotence for 24 hours.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from shared import log as logs
from shared.db import transaction
from shared.events_gateway import FailureClass
from shared.gateway import charge_sending, charging, leases, live, payments, settle
from shared.gateway.gateway import PAYMENTS, Gateway, pause
from shared.gateway.leases import Lease
from shared.gateway.provider import (
    Failure,
    Missing,
    ProviderPayment,
    Refused,
    Status,
    Throttled,
    Unclear,
    tries,
)
from shared.gateway.settling import Truth, absorb, announce, conclude
from shared.metrics import alarm

PAGES_MAX: Final = 200
CLOCKS_DIFFER: Final = timedelta(hours=6)
"""Between the provider and us: more than a wrong time zone nearby, and a quarter more of a list."""
LATE_DIFFER: Final = timedelta(hours=1)
"""The same for charges that are heard of too late: after an outage they are many."""
UNMADE: Final = "unmade"
STRAY: Final = "payment_under_another_id"

_log = structlog.get_logger(__name__)


async def send(gateway: Gateway, lease: Lease) -> None:
    """Send a request, the first time or again, and write down what came of it."""
    payment = lease.payment
    with logs.bind_correlation(payment.correlation_id):
        provider = gateway.providers[payment.shop]
        if payment.shop in gateway.enders and payment.charge_id is None:
            await live.supersede(gateway, payment)
        outcome = await provider.create(lease.key, gateway.unsealed(lease.request))
        at = gateway.clock()
        if isinstance(outcome, ProviderPayment):
            await _made(gateway, lease, outcome, at)
        elif isinstance(outcome, Refused):
            await _refused(gateway, lease, outcome, at)
        else:
            await _unclear(gateway, lease, outcome, at)


async def look(gateway: Gateway, lease: Lease) -> None:
    """Look for a payment in the provider's list, because its request may not be sent again."""
    payment = lease.payment
    with logs.bind_correlation(payment.correlation_id):
        found = await _search(gateway, lease)
        at = gateway.clock()
        if isinstance(found, ProviderPayment):
            await _made(gateway, lease, found, at)
        elif found is None and payment.heard_late:
            why = await charge_sending.why_unsent(gateway, payment, at)
            await _fail(gateway, lease, why.reason, at, why.failure)
        elif found is None and charge_sending.in_flight(gateway, lease, at):
            await _unclear(gateway, lease, Unclear("not_listed"), at)
        elif found is None:
            await _fail(gateway, lease, UNMADE, at, FailureClass.SOFT)
        else:
            await _unclear(gateway, lease, found, at)


async def _made(gateway: Gateway, lease: Lease, truth: ProviderPayment, at: datetime) -> None:
    async with transaction(gateway.db) as tx:
        told = Truth(lease.payment.shop, truth, lease.payment.id)
        (decision,) = await absorb(tx, gateway, [told], at)
        await leases.release(tx, lease, None)
    announce(decision)
    if decision is not None and decision.payment.id != lease.payment.id:
        # It was taken for nobody's before. Its money is booked in suspense, so ours neither fails,
        # which would have it paid anew, nor goes on: a person says whose it is.
        alarm(
            STRAY,
            payment_id=str(lease.payment.id),
            charge_id=lease.payment.charge_id,
            provider=lease.payment.shop,
            provider_payment_id=truth.id,
        )


async def _refused(gateway: Gateway, lease: Lease, refused: Refused, at: datetime) -> None:
    _log.warning("payment.refused", code=refused.code, detail=refused.detail[:200])
    charge = lease.payment.charge_id is not None
    if charge and refused.ours:
        await charge_sending.hold_back(gateway, lease, refused, at)
        return
    if charge and refused.failure is FailureClass.SHOP:
        alarm("charge_refused", provider=lease.payment.shop, code=refused.code)
    if refused.ours:
        alarm("provider_refuses_us", provider=lease.payment.shop, code=refused.code)
    if lease.payment.consent is not None:
        await charging.refused(gateway, lease.payment.shop, refused, at)
    if lease.attempt == 1:
        await _fail(gateway, lease, refused.code, at, refused.failure)
        return
    # An earlier sending may have been taken, so this refusal proves nothing: ask the list.
    when = at + gateway.timing.doubt
    async with transaction(gateway.db) as tx:
        await leases.release(tx, lease, when, list_at=when)


async def _unclear(gateway: Gateway, lease: Lease, outcome: Failure, at: datetime) -> None:
    asked = None if isinstance(outcome, Refused) else outcome.retry_after
    after = pause(gateway.timing.retry, lease.attempt, asked)
    why = "throttled" if isinstance(outcome, Throttled) else getattr(outcome, "reason", "refused")
    _log.warning("payment.unclear", attempt=lease.attempt, reason=why)
    changes: dict[str, Any] = {"attempts": tries(outcome, lease.attempt)}
    if lease.payment.charge_id is not None:
        # Nobody has to do more for it to be paid, so its money may be on the way.
        changes |= charge_sending.unclear(lease, outcome, at) | leases.unanswered(at)
    async with transaction(gateway.db) as tx:
        await leases.release(tx, lease, at + after, **changes)
    gateway.wake(PAYMENTS, after)


async def _fail(
    gateway: Gateway, lease: Lease, reason: str, at: datetime, failure: FailureClass
) -> None:
    async with transaction(gateway.db) as tx:
        known = await payments.lock(tx, lease.payment.id)
        if known is None or not await leases.holds(tx, lease):
            return
        if known.status is not Status.CREATING:
            await leases.release(tx, lease, None)
            return
        decision = settle.canceled(known, reason, at, failure)
        await conclude(tx, gateway, [(known, decision)], at)
        await leases.release(tx, lease, None)
    announce(decision)


def _absent(lease: Lease, unreadable: int) -> Unclear | None:
    """Say what it means that a payment is not among those of the list that could be read."""
    if not unreadable:
        return None
    alarm("provider_list_unreadable", provider=lease.payment.shop, count=unreadable)
    return Unclear("unreadable payments in the list")


def _span(lease: Lease, at: datetime) -> tuple[datetime, datetime]:
    """Return between which moments the provider may have made a payment."""
    sent, not_after = lease.first_sent_at or lease.payment.created_at, lease.payment.not_after
    if lease.payment.heard_late and not_after is not None:
        return sent - LATE_DIFFER, not_after + LATE_DIFFER
    return sent - CLOCKS_DIFFER, at + CLOCKS_DIFFER


async def _search(gateway: Gateway, lease: Lease) -> ProviderPayment | Failure | None:
    """Walk the list over the time in which the request was sent; None where it is not there.

    A provider without a list is asked about the request itself.
    """
    finder = gateway.finders.get(lease.payment.shop)
    if finder is not None:
        found = await finder.find(gateway.unsealed(lease.request))
        return None if isinstance(found, Missing) else found
    since, until = _span(lease, gateway.clock())
    provider, cursor = gateway.providers[lease.payment.shop], None
    unreadable = 0
    for _ in range(PAGES_MAX):
        page = await provider.listed(since, until, cursor)
        if isinstance(page, Failure):
            return page
        for truth in page.payments:
            if truth.payment_id == lease.payment.id:
                return truth
        cursor, unreadable = page.next_cursor, unreadable + page.unreadable
        if cursor is None:
            return _absent(lease, unreadable)
    alarm("provider_list_too_long", provider=lease.payment.shop, pages=PAGES_MAX)
    return Throttled(timedelta(hours=1))
