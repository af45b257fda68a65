"""Proof of the refunds: each row of their table against the postings it stands for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import Column, Select, and_, func, literal, or_, select

from core_billing.accounts import REFUND, REQUEST, account, reserve_of, source
from core_billing.postings import payment
from core_billing.refund_rows import refund
from shared.db import Tx
from shared.money import Money

SHOWN_MAX: Final = 20
"""Rows of one kind of fault that are looked at."""

Fault = Callable[[str], None]
_OPERATIONS: Final = ((REQUEST, refund.c.refund_id), (REFUND, refund.c.provider_refund_id))


async def check(tx: Tx, fault: Fault, sums: Mapping[int, int]) -> None:
    """Report what does not agree; `sums` are the credits less the debits of every account."""
    await _check_reserves(tx, fault, sums)
    for prefix, own_id in _OPERATIONS:
        for row in await tx.execute(_unbooked(prefix, own_id)):
            fault(
                f"refund {prefix}{row.provider}:{row.external_id}: its row says"
                f" {Money(row.amount_kopecks)}, the ledger {Money(-(row.booked or 0))}"
            )
        for row in await tx.execute(_unknown(prefix, own_id)):
            fault(f"payment {row.id} ({row.name}:{row.external_id}): no refund is known for it")


async def _check_reserves(tx: Tx, fault: Fault, sums: Mapping[int, int]) -> None:
    """What lies ready is what has been asked for and was neither sent nor given back."""
    under_way = and_(
        refund.c.requested_at.is_not(None),
        refund.c.failed_at.is_(None),
        refund.c.succeeded_at.is_(None),
    )
    rows = await tx.execute(
        select(refund.c.provider, func.sum(refund.c.amount_kopecks).label("kopecks"))
        .where(under_way)
        .group_by(refund.c.provider)
    )
    asked = {reserve_of(row.provider): int(row.kopecks) for row in rows}
    reserves = (
        select(account.c.id, account.c.name)
        .join(source, source.c.account_id == account.c.id)
        .where(source.c.name.startswith(REQUEST))
    )
    lying = {row.name: sums.get(row.id, 0) for row in await tx.execute(reserves)}
    for name in sorted(asked.keys() | lying.keys()):
        if lying.get(name, 0) != asked.get(name, 0):
            fault(
                f"{name}: it holds {Money(lying.get(name, 0))},"
                f" refunds under way are {Money(asked.get(name, 0))}"
            )


def _unbooked(prefix: str, own_id: Column[Any]) -> Select[Any]:
    """Select refunds that the ledger does not know, or knows with another amount."""
    booked = and_(
        payment.c.source_id == source.c.id,
        payment.c.external_id == own_id,
        payment.c.revision == 1,
    )
    return (
        select(
            refund.c.provider,
            own_id.label("external_id"),
            refund.c.amount_kopecks,
            payment.c.amount_kopecks.label("booked"),
        )
        .join(source, source.c.name == literal(prefix) + refund.c.provider, isouter=True)
        .join(payment, booked, isouter=True)
        .where(own_id.is_not(None))
        .where(or_(payment.c.id.is_(None), payment.c.amount_kopecks != -refund.c.amount_kopecks))
        .order_by(refund.c.id)
        .limit(SHOWN_MAX)
    )


def _unknown(prefix: str, own_id: Column[Any]) -> Select[Any]:
    """Select what the ledger has booked as a refund and no row of ours stands for."""
    known = and_(
        own_id == payment.c.external_id, source.c.name == literal(prefix) + refund.c.provider
    )
    return (
        select(payment.c.id, source.c.name, payment.c.external_id)
        .join(source, source.c.id == payment.c.source_id)
        .join(refund, known, isouter=True)
        .where(source.c.name.startswith(prefix), payment.c.revision == 1, refund.c.id.is_(None))
        .order_by(payment.c.id)
        .limit(SHOWN_MAX)
    )
