"""What happens at YooKassa by the mere passing of time."""

from __future__ import annotations

import asyncio

from simulators.yookassa import fiscal, idempotence, lifecycle, method, payment, refunds
from simulators.yookassa.provider import Provider

PAUSE = 0.5
"""Seconds between two looks; a clock that is moved forward is looked at once."""


def sweep(provider: Provider) -> None:
    """End what is overdue: payments, holds, bindings, refunds, receipts, keys."""
    now = provider.clock.now()
    for each in payment.overdue(provider.store, now):
        lifecycle.expire(provider, each)
    method.expire(provider.store, now)
    refunds.settle_due(provider)
    fiscal.register_due(provider)
    idempotence.forget(provider.store, now)


async def sweep_forever(provider: Provider) -> None:
    """Sweep until cancelled."""
    while True:
        sweep(provider)
        await asyncio.sleep(PAUSE)
