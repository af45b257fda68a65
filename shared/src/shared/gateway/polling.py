"""Payments that are due: unclear ones are sent again or looked for, pending ones asked about.

So a lost callback costs minutes, not money, and a killed process costs one lease.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from shared import log as logs
from shared.db import transaction
from shared.gateway import charge_sending, creation, leases
from shared.gateway.gateway import PAYMENTS, Gateway, pause
from shared.gateway.leases import Lease
from shared.gateway.provider import Missing, ProviderPayment, Refused, Unclear, tries
from shared.gateway.settling import Truth, absorb, announce
from shared.metrics import alarm

VANISHED_AFTER: Final = timedelta(days=1)

_log = structlog.get_logger(__name__)


async def step(gateway: Gateway) -> bool:
    """Take as many due payments as there are free hands; return whether more may be due."""
    limit = await gateway.polls.room()
    async with transaction(gateway.db) as tx:
        # One length for all: what may be sent again needs the longer lease.
        due = await leases.claim(tx, gateway.clock(), limit, gateway.timing.create_lease)
    for lease in due:
        gateway.polls.spawn(work(gateway, lease))
    return len(due) == limit


async def work(gateway: Gateway, lease: Lease) -> None:
    """Do what a due payment needs next."""
    if lease.payment.shop not in gateway.providers:
        alarm("shop_not_configured", provider=lease.payment.shop, id=str(lease.payment.id))
        async with transaction(gateway.db) as tx:
            await leases.release(tx, lease, gateway.clock() + timedelta(hours=1))
    elif lease.payment.provider_payment_id is not None:
        await _ask(gateway, lease, lease.payment.provider_payment_id)
    elif lease.list_at is not None and gateway.clock() >= lease.list_at:
        await creation.look(gateway, lease)
    elif lease.payment.charge_id is not None:
        admitted = await charge_sending.admit(gateway, lease)
        if admitted is not None:
            await creation.send(gateway, admitted)
    else:
        await creation.send(gateway, lease)


async def _ask(gateway: Gateway, lease: Lease, provider_id: str) -> None:
    payment = lease.payment
    with logs.bind_correlation(payment.correlation_id):
        outcome = await gateway.providers[payment.shop].fetch(provider_id)
        finder = gateway.finders.get(payment.shop)
        if isinstance(outcome, Missing) and finder is not None and payment.charge_id is not None:
            # Some know a charge by its request alone, because nobody has ever seen a code of it.
            outcome = await finder.find(gateway.unsealed(lease.request))
        at = gateway.clock()
        after = pause(gateway.timing.poll, lease.attempt + 1)
        if isinstance(outcome, ProviderPayment):
            async with transaction(gateway.db) as tx:
                told = Truth(payment.shop, outcome, payment.id)
                (decision,) = await absorb(tx, gateway, [told], at)
                await leases.release(tx, lease, at + after, unanswered_since=None)
            announce(decision)
            gateway.wake(PAYMENTS, after)
            return
        failed: dict[str, Any] = {"unanswered_since": None}
        if isinstance(outcome, Missing):
            due_at = _vanished(lease, at, after)
        else:
            failed = leases.unanswered(at)
            due_at = at + max(after, getattr(outcome, "retry_after", None) or after)
            _report(lease, outcome)
        async with transaction(gateway.db) as tx:
            attempts = tries(outcome, lease.attempt)
            await leases.release(tx, lease, due_at, attempts=attempts, **failed)


def _vanished(lease: Lease, at: datetime, after: timedelta) -> datetime | None:
    """A payment the provider itself named and no longer knows: given up after a day, loudly."""
    payment = lease.payment
    gone = at - payment.created_at > VANISHED_AFTER
    if gone or lease.attempt == 1:
        alarm(
            "payment_vanished",
            provider=payment.shop,
            provider_payment_id=payment.provider_payment_id,
            given_up=gone,
        )
    return None if gone else at + after


def _report(lease: Lease, outcome: object) -> None:
    if isinstance(outcome, Refused) and outcome.ours:
        alarm("provider_refuses_us", provider=lease.payment.shop, code=outcome.code)
    why = outcome.reason if isinstance(outcome, Unclear) else type(outcome).__name__.lower()
    _log.warning("payment.not_fetched", reason=why, attempt=lease.attempt)
