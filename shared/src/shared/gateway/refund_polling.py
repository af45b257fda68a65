"""Refunds that are due: unclear ones are sent again or looked for, pending ones asked about.

Nobody tells that a refund was canceled: it is found here. So is what was sent back without us.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import structlog

from shared import log as logs
from shared.db import transaction
from shared.gateway import refund_leases, refund_searches, refund_sending, refund_settling
from shared.gateway.creation import PAGES_MAX
from shared.gateway.gateway import Gateway, pause
from shared.gateway.provider import Failure, Missing, Refused, Unclear
from shared.gateway.refund_leases import Lease
from shared.gateway.refund_searches import Search
from shared.gateway.refund_sending import CLOCKS_DIFFER
from shared.gateway.refund_settling import Told
from shared.metrics import alarm

VANISHED_AFTER: Final = timedelta(days=1)
SEARCHES_MAX: Final = 5

_log = structlog.get_logger(__name__)


async def step(gateway: Gateway) -> bool:
    """Take as many due refunds as there are free hands; return whether more may be due."""
    limit = await gateway.refunds.room()
    async with transaction(gateway.db) as tx:
        at = gateway.clock()
        # One length for all: what may be sent again needs the longer lease.
        due = await refund_leases.claim(tx, at, limit, gateway.timing.create_lease)
        wanted = await refund_searches.claim(tx, at, SEARCHES_MAX, gateway.timing.create_lease)
    for lease in due:
        gateway.refunds.spawn(work(gateway, lease))
    for held in wanted:
        await search(gateway, held)
    return len(due) == limit or len(wanted) == SEARCHES_MAX


async def work(gateway: Gateway, lease: Lease) -> None:
    """Do what a due refund needs next."""
    refund = lease.refund
    if refund.shop not in gateway.providers:
        alarm("shop_not_configured", provider=refund.shop, id=str(refund.id))
        async with transaction(gateway.db) as tx:
            await refund_leases.release(tx, lease, gateway.clock() + timedelta(hours=1))
    elif refund.provider_refund_id is not None:
        await _ask(gateway, lease, refund.provider_refund_id)
    elif lease.list_at is not None and gateway.clock() >= lease.list_at:
        await refund_sending.look(gateway, lease)
    else:
        await refund_sending.send(gateway, lease)


async def search(gateway: Gateway, held: Search) -> None:
    """Look through the refunds of a payment and settle what is there."""
    failure = await _walk(gateway, held)
    if isinstance(failure, Refused) and failure.ours:
        alarm("provider_refuses_us", provider=held.shop, code=failure.code)
    async with transaction(gateway.db) as tx:
        if failure is None:
            await refund_searches.finish(tx, held)
        else:
            after = pause(gateway.timing.retry, held.attempt)
            await refund_searches.postpone(tx, held, gateway.clock() + after)


async def _walk(gateway: Gateway, held: Search) -> Failure | None:
    provider = gateway.providers.get(held.shop)
    if provider is None:
        return Unclear("shop_not_configured")
    since, until = held.since - CLOCKS_DIFFER, gateway.clock() + CLOCKS_DIFFER
    cursor = None
    for _ in range(PAGES_MAX):
        page = await provider.refunds_listed(since, until, cursor, held.provider_payment_id)
        if isinstance(page, Failure):
            return page
        for truth in page.refunds:
            settled = await refund_settling.settle(gateway, Told(held.shop, truth))
            if isinstance(settled, Failure):
                return settled
        if page.unreadable:
            alarm("provider_list_unreadable", provider=held.shop, count=page.unreadable)
        cursor = page.next_cursor
        if cursor is None:
            return None
    alarm("provider_list_too_long", provider=held.shop, pages=PAGES_MAX)
    return None


async def _ask(gateway: Gateway, lease: Lease, provider_id: str) -> None:
    refund = lease.refund
    with logs.bind_correlation(refund.correlation_id):
        outcome = await gateway.providers[refund.shop].fetch_refund(provider_id)
        at = gateway.clock()
        if not isinstance(outcome, Missing):
            await refund_sending.take(gateway, lease, outcome, at)
            return
        due_at = _vanished(gateway, lease, at)
        async with transaction(gateway.db) as tx:
            await refund_leases.release(tx, lease, due_at)


def _vanished(gateway: Gateway, lease: Lease, at: datetime) -> datetime | None:
    """A refund the provider itself named and no longer knows: given up after a day, loudly.

    What it has reserved stays so, because nobody knows whether the money has gone.
    """
    refund = lease.refund
    gone = at - refund.created_at > VANISHED_AFTER
    if gone or lease.attempt == 1:
        alarm(
            "refund_vanished",
            provider=refund.shop,
            provider_refund_id=refund.provider_refund_id,
            correlation_id=refund.correlation_id,
            given_up=gone,
        )
    return None if gone else at + pause(gateway.timing.poll, lease.attempt + 1)
