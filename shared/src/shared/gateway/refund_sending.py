"""Making a refund at the provider: once, however often anybody asks and whatever gets lost.

By the same rules as `creation`: the row, its reserve, the key and the exact bytes are committed
before the first byte leaves; an unclear outcome is repeated with the same key and bytes; what is
still unclear after `list_after` is looked for among the payment's refunds and never sent again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from shared import log as logs
from shared.db import reading, transaction
from shared.gateway import refund_leases, refund_settling, refunds
from shared.gateway.creation import PAGES_MAX, UNMADE
from shared.gateway.gateway import REFUNDS, Gateway, pause
from shared.gateway.provider import Failure, ProviderRefund, Refused, Throttled, Unclear, tries
from shared.gateway.refund_leases import Lease
from shared.gateway.refund_settle import Refund
from shared.gateway.refund_settling import Told
from shared.metrics import alarm

CLOCKS_DIFFER: Final = timedelta(days=1)
"""One payment has few refunds, so the time they are looked for in may be wide."""
STRAY: Final = "refund_under_another_id"

_log = structlog.get_logger(__name__)


async def send(gateway: Gateway, lease: Lease) -> None:
    """Send a request, the first time or again, and write down what came of it."""
    with logs.bind_correlation(lease.refund.correlation_id):
        provider = gateway.providers[lease.refund.shop]
        outcome = await provider.create_refund(lease.key, gateway.unsealed(lease.request))
        at = gateway.clock()
        if isinstance(outcome, Refused):
            await _refused(gateway, lease, outcome, at)
        else:
            await take(gateway, lease, outcome, at)


async def look(gateway: Gateway, lease: Lease) -> None:
    """Look for a refund in the provider's list, because its request may not be sent again."""
    with logs.bind_correlation(lease.refund.correlation_id):
        found = await _search(gateway, lease)
        at = gateway.clock()
        if found is None:
            await _fail(gateway, lease, UNMADE, at)
        else:
            await take(gateway, lease, found, at)


async def take(
    gateway: Gateway, lease: Lease, outcome: ProviderRefund | Failure, at: datetime
) -> None:
    """Write down what was said of a refund, and when to ask again where that was no answer."""
    if isinstance(outcome, ProviderRefund):
        told = Told(lease.refund.shop, outcome, lease.refund.id)
        decision = await refund_settling.settle(gateway, told)
        if isinstance(decision, Failure):
            await _unclear(gateway, lease, decision, at)
            return
        after, changes = pause(gateway.timing.poll, lease.attempt + 1), dict[str, Any]()
        if decision is not None and decision.refund.id != lease.refund.id:
            if not _alike(decision.refund, lease.refund):
                # It was told under another id before: a person says whether it is doubled.
                alarm(STRAY, refund_id=str(lease.refund.id), provider_refund_id=outcome.id)
            # To send it again would only be answered the same: the list says what is left for it.
            after = gateway.timing.doubt
            changes["list_at"] = at + after
        async with transaction(gateway.db) as tx:
            await refund_leases.release(tx, lease, at + after, **changes)
        gateway.wake(REFUNDS, after)
    else:
        await _unclear(gateway, lease, outcome, at)


def _alike(booked: Refund, wanted: Refund) -> bool:
    """Say whether a refund may stand for another: two that were asked for have changed places."""
    return booked.amount_kopecks == wanted.amount_kopecks and booked.asked_by is not None


async def _refused(gateway: Gateway, lease: Lease, refused: Refused, at: datetime) -> None:
    _log.warning("refund.refused", code=refused.code, detail=refused.detail[:200])
    if refused.ours:
        alarm("provider_refuses_us", provider=lease.refund.shop, code=refused.code)
    if lease.attempt == 1:
        await _fail(gateway, lease, refused.code, at)
        return
    # An earlier sending may have been taken, so this refusal proves nothing: ask the list.
    when = at + gateway.timing.doubt
    async with transaction(gateway.db) as tx:
        await refund_leases.release(tx, lease, when, list_at=when)


async def _unclear(gateway: Gateway, lease: Lease, outcome: Failure, at: datetime) -> None:
    asked = None if isinstance(outcome, Refused) else outcome.retry_after
    after = pause(gateway.timing.retry, lease.attempt, asked)
    why = "throttled" if isinstance(outcome, Throttled) else getattr(outcome, "reason", "refused")
    _log.warning("refund.unclear", attempt=lease.attempt, reason=why)
    if isinstance(outcome, Refused) and outcome.ours:
        alarm("provider_refuses_us", provider=lease.refund.shop, code=outcome.code)
    async with transaction(gateway.db) as tx:
        await refund_leases.release(tx, lease, at + after, attempts=tries(outcome, lease.attempt))
    gateway.wake(REFUNDS, after)


async def _fail(gateway: Gateway, lease: Lease, why: str, at: datetime) -> None:
    async with transaction(gateway.db) as tx:
        decision = await refund_settling.end(tx, gateway, lease, why, at)
        await refund_leases.release(tx, lease, None)
    refund_settling.announce(decision)


async def _search(gateway: Gateway, lease: Lease) -> ProviderRefund | Failure | None:
    """Walk the refunds of the payment since this one was asked for; None where it is not there.

    A provider that gives no id of ours back is believed about one of the same amount that belongs
    to no other row.
    """
    refund = lease.refund
    since = (lease.first_sent_at or refund.created_at) - CLOCKS_DIFFER
    provider, until = gateway.providers[refund.shop], gateway.clock() + CLOCKS_DIFFER
    cursor, unreadable, found = None, 0, list[ProviderRefund]()
    for _ in range(PAGES_MAX):
        page = await provider.refunds_listed(since, until, cursor, refund.provider_payment_id)
        if isinstance(page, Failure):
            return page
        found += page.refunds
        cursor, unreadable = page.next_cursor, unreadable + page.unreadable
        if cursor is None:
            break
    ours = await _ours(gateway, refund, found)
    if ours is not None or (cursor is None and not unreadable):
        return ours
    alarm("provider_list_unreadable", provider=refund.shop, count=unreadable)
    return Unclear("the list of refunds could not be read to its end")


async def _ours(
    gateway: Gateway, refund: Refund, found: Sequence[ProviderRefund]
) -> ProviderRefund | None:
    named = [truth for truth in found if truth.refund_id == refund.id]
    if named:
        return named[0]
    unnamed = [truth for truth in found if truth.refund_id is None]
    alike = [truth for truth in unnamed if truth.amount_kopecks == refund.amount_kopecks]
    async with reading(gateway.db) as tx:
        free = await refunds.unbound(tx, refund.shop, alike)
    return min(free, key=lambda truth: truth.created_at, default=None)
