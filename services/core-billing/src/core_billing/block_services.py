"""Contracts whose services do not depend on the balance: their tariffs say that nobody is cut off.

A contract without services is not among them: nothing says that it may be used for nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from sqlalchemy import case, func, or_, select

from core_billing.services import service, service_tariff
from core_billing.tariffs import tariff
from shared.db import Tx
from shared.rows import among


async def exempt(tx: Tx, contract_ids: Collection[int], day: date) -> set[int]:
    """Return those of these contracts that have services on a day, none of which blocks."""
    if not contract_ids:
        return set()
    turn = service_tariff.alias()
    newest = (
        select(func.max(turn.c.since))
        .where(turn.c.service_id == service.c.id, turn.c.since <= day)
        .scalar_subquery()
    )
    held = (
        select(service.c.contract_id)
        .join(service_tariff, service_tariff.c.service_id == service.c.id)
        .join(tariff, tariff.c.id == service_tariff.c.tariff_id)
        .where(among(tx, service.c.contract_id, contract_ids), service.c.starts_on <= day)
        .where(or_(service.c.ends_on.is_(None), service.c.ends_on >= day))
        .where(service_tariff.c.since == newest)
        .group_by(service.c.contract_id)
        .having(func.max(case((tariff.c.blocks, 1), else_=0)) == 0)
    )
    return set((await tx.execute(held)).scalars())
