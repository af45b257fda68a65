"""Codes that can still be paid: one at a time for a contract and a sum.

Whoever asks again is shown the same code, because two of them could both be paid. Another sum ends
the code before it first. Where that cannot be done both live on, and whatever is paid is credited.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import ColumnElement, and_, func, select

from shared.db import Tx, is_postgres, reading, transaction
from shared.events import Allocation
from shared.gateway import contacts, payments
from shared.gateway.gateway import Gateway
from shared.gateway.payments import payment as table
from shared.gateway.provider import ProviderPayment, Status
from shared.gateway.receipt import Customer
from shared.gateway.settle import Payment
from shared.gateway.settling import Truth, absorb, announce

LEFT_MIN: Final = timedelta(minutes=2)
"""A code that ends sooner is not handed out again: nobody could pay by it in time."""
OTHERS_MAX: Final = 5
"""As many codes of one contract are ended at once; there is seldom more than one."""

_log = structlog.get_logger(__name__)


def code_of(allocations: Sequence[Allocation]) -> str:
    """Return whose code a payment is: its contracts, in one order."""
    return "\n".join(sorted(part.contract for part in allocations))


async def reusable(
    tx: Tx,
    gateway: Gateway,
    shop: str,
    wanted: tuple[Sequence[Allocation], Customer],
    at: datetime,
) -> Payment | None:
    """Return the live code for these contracts, sums and receipt; others wait until we commit."""
    allocations, customer = wanted
    key = code_of(allocations)
    if is_postgres(tx):
        # A row that is not there yet cannot be locked; SQLite has one writer at a time anyway.
        await tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))
    ours = and_(_live(key), table.c.shop == shop, table.c.consent.is_(None))
    newest = select(table).where(ours).order_by(table.c.created_at.desc()).limit(OTHERS_MAX)
    for row in await tx.execute(newest):
        found = payments.to_payment(row)
        same = sorted(found.allocations, key=_name) == sorted(allocations, key=_name)
        lasting = found.expires_at is None or found.expires_at - at >= LEFT_MIN
        if same and lasting and contacts.unseal(gateway.vault, row.contact) == customer:
            return found
    return None


async def supersede(gateway: Gateway, new: Payment) -> None:
    """End the codes of the same contracts that were made before this one."""
    ours = and_(
        _live(code_of(new.allocations)),
        table.c.provider_payment_id.is_not(None),
        table.c.id != new.id,
        table.c.created_at <= new.created_at,
    )
    older = select(table).where(ours).order_by(table.c.created_at).limit(OTHERS_MAX)
    async with reading(gateway.db) as tx:
        found = [payments.to_payment(row) for row in await tx.execute(older)]
    for old in found:
        await _end(gateway, old)


async def _end(gateway: Gateway, old: Payment) -> None:
    ender = gateway.enders.get(old.shop)
    if ender is None or old.provider_payment_id is None:
        return
    outcome = await ender.cancel(old.provider_payment_id)
    if not isinstance(outcome, ProviderPayment):
        _log.warning("code.not_ended", payment_id=str(old.id), outcome=type(outcome).__name__)
        return
    async with transaction(gateway.db) as tx:
        told = Truth(old.shop, outcome, old.id)
        (decision,) = await absorb(tx, gateway, [told], gateway.clock())
    announce(decision)


def _live(key: str) -> ColumnElement[bool]:
    return and_(
        table.c.code_of == key,
        table.c.due_at.is_not(None),
        table.c.status.in_([str(Status.CREATING), str(Status.PENDING)]),
        table.c.charge_id.is_(None),
    )


def _name(part: Allocation) -> str:
    return part.contract
