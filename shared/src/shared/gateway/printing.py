"""Receipts that are due: those that go apart are sent or looked for, all others asked about.

They have hands of their own, so that payments never wait for receipts.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from shared.db import transaction
from shared.gateway import offsets, receipts, registration
from shared.gateway.gateway import Gateway
from shared.gateway.receipts import Lease, State
from shared.metrics import alarm

UNCONFIGURED_PAUSE: Final = timedelta(hours=1)


async def step(gateway: Gateway) -> bool:
    """Take as many due receipts as there are free hands; return whether more may be due."""
    limit, timing = await gateway.printing.room(), gateway.timing
    async with transaction(gateway.db) as tx:
        # One length for all: what may be sent needs the longer lease.
        due = await receipts.claim(
            tx, gateway.clock(), limit, timing.create_lease, timing.list_after
        )
    for lease in due:
        gateway.printing.spawn(work(gateway, lease))
    return len(due) == limit


async def work(gateway: Gateway, lease: Lease) -> None:
    """Do what a due receipt needs next."""
    slip = lease.slip
    if slip.shop not in gateway.tills:
        alarm("shop_not_configured", provider=slip.shop, receipt_id=str(slip.id))
        async with transaction(gateway.db) as tx:
            await receipts.release(tx, lease, gateway.clock() + UNCONFIGURED_PAUSE)
    elif slip.status is not State.UNSENT:
        await registration.ask(gateway, lease)
    elif _doubted_too_long(gateway, lease):
        await offsets.look(gateway, lease)
    else:
        await offsets.send(gateway, lease)


def _doubted_too_long(gateway: Gateway, lease: Lease) -> bool:
    """Say whether a request may not be sent again: its key is forgotten, or a person is to look."""
    at, slip = gateway.clock(), lease.slip
    if gateway.tills[slip.shop].apart:
        # Its number is never forgotten, so that only a fault that lasts ends the sending.
        return at >= slip.created_at + gateway.timing.receipt_overdue
    return lease.list_at is not None and at >= lease.list_at
