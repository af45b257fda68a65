"""Takes held money, all of it and once, as soon as a hold is heard of.

An unclear outcome is repeated with the same key and bytes. Once the provider may have forgotten the
key, or where it refuses, nothing is sent any more and the payment itself is asked about: where its
money is still held, that question begins a new capture.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog

from shared import log as logs
from shared.db import reading, transaction
from shared.gateway import captures, leases, payments
from shared.gateway.captures import TAKEN, Capture
from shared.gateway.gateway import CAPTURES, PAYMENTS, Gateway, pause
from shared.gateway.provider import Failure, Provider, ProviderPayment, Refused, Status, Unclear
from shared.gateway.settling import Truth, absorb, announce
from shared.metrics import alarm

BATCH_MAX: Final = 100
UNCLEAR: Final = "unclear"

_log = structlog.get_logger(__name__)


async def step(gateway: Gateway) -> bool:
    """Take as many due captures as there are free hands, and warn of holds that end soon."""
    limit, at = await gateway.captures.room(), gateway.clock()
    async with transaction(gateway.db) as tx:
        ending = await captures.ending(tx, at, BATCH_MAX)
        due = await captures.claim(tx, at, limit, gateway.timing.create_lease)
    for one in ending:
        alarm(
            "hold_expires",
            provider=one.shop,
            provider_payment_id=one.provider_payment_id,
            correlation_id=one.correlation_id,
            hold_until=one.hold_until.isoformat() if one.hold_until else None,
        )
    for held in due:
        gateway.captures.spawn(work(gateway, held))
    return len(due) == limit or len(ending) == BATCH_MAX


async def work(gateway: Gateway, held: Capture) -> None:
    """Take the money of one payment, unless that is settled already."""
    with logs.bind_correlation(held.correlation_id):
        provider = gateway.providers.get(held.shop)
        if provider is None:
            alarm("shop_not_configured", provider=held.shop, id=held.provider_payment_id)
            await _postpone(gateway, held, timedelta(hours=1))
        elif await _settled(gateway, held, provider):
            async with transaction(gateway.db) as tx:
                await captures.finish(tx, held, TAKEN)
        elif gateway.clock() - held.wanted_at >= gateway.timing.list_after:
            await _give_up(gateway, held, UNCLEAR)
        else:
            request = gateway.unsealed(held.request)
            outcome = await provider.capture(held.provider_payment_id, held.key, request)
            await _conclude(gateway, held, outcome)


async def _conclude(gateway: Gateway, held: Capture, outcome: ProviderPayment | Failure) -> None:
    if isinstance(outcome, ProviderPayment):
        await _taken(gateway, held, outcome)
    elif isinstance(outcome, Refused):
        await _refused(gateway, held, outcome)
    else:
        why = outcome.reason if isinstance(outcome, Unclear) else "throttled"
        _log.warning("capture.unclear", attempt=held.attempt, reason=why)
        pauses, asked = gateway.timing.retry, outcome.retry_after
        await _postpone(gateway, held, pause(pauses, held.attempt, asked))


async def _taken(gateway: Gateway, held: Capture, truth: ProviderPayment) -> None:
    """Settle the answer as any other; money that is still held then is taken again."""
    at = gateway.clock()
    async with transaction(gateway.db) as tx:
        told = Truth(held.shop, truth, held.payment_id)
        (decision,) = await absorb(tx, gateway, [told], at)
        if truth.on_hold:
            await captures.postpone(tx, held, at + pause(gateway.timing.retry, held.attempt))
        else:
            await captures.finish(tx, held, TAKEN)
    announce(decision)


async def _refused(gateway: Gateway, held: Capture, refused: Refused) -> None:
    _log.warning("capture.refused", code=refused.code, attempt=held.attempt)
    # Where an earlier sending may have been taken, the refusal may only mean that it was.
    if held.attempt == 1:
        alarm("capture_refused", provider=held.shop, id=held.provider_payment_id, code=refused.code)
    if refused.ours:
        alarm("provider_refuses_us", provider=held.shop, code=refused.code)
    await _give_up(gateway, held, refused.code)


async def _settled(gateway: Gateway, held: Capture, provider: Provider) -> bool:
    async with reading(gateway.db) as tx:
        known = await payments.find(tx, held.payment_id)
    if known is None or known.status is not Status.CANCELED:
        return known is None or known.status is Status.SUCCEEDED
    # We may have canceled it alone, before anybody knew that its request had been taken.
    found = await provider.fetch(held.provider_payment_id)
    return isinstance(found, ProviderPayment) and not found.on_hold


async def _give_up(gateway: Gateway, held: Capture, outcome: str) -> None:
    """Send nothing more; soon the payment itself is asked about."""
    doubt = gateway.timing.doubt
    async with transaction(gateway.db) as tx:
        await captures.finish(tx, held, outcome)
        await leases.hasten(tx, held.payment_id, gateway.clock() + doubt)
    gateway.wake(PAYMENTS, doubt)


async def _postpone(gateway: Gateway, held: Capture, after: timedelta) -> None:
    async with transaction(gateway.db) as tx:
        await captures.postpone(tx, held, gateway.clock() + after)
    gateway.wake(CAPTURES, after)
