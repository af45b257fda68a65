"""Cards that expire at the end of this month or the next: the owners of mandates are told, once."""

from __future__ import annotations

from datetime import date
from typing import Final

from sqlalchemy import and_, or_, select, tuple_

from autopay.autopay import Autopay
from autopay.links import mandate_url
from autopay.mandate_table import ACTIVE, mandate
from autopay.methods import LIVE, method
from autopay.schedule import month_after
from shared import outbox
from shared.clock import MOSCOW
from shared.db import transaction
from shared.events import Event
from shared.events_autopay import AutopayExpiring
from shared.rows import update_each

BATCH_MAX: Final = 500


async def step(autopay: Autopay) -> bool:
    """Tell a batch of owners; return whether more are waiting."""
    at = autopay.clock()
    today = at.astimezone(MOSCOW).date()
    months = [_month(today), _month(month_after(today))]
    here = tuple_(method.c.provider, method.c.method_ref)
    main = here == tuple_(mandate.c.provider, mandate.c.method_ref)
    reserve = here == tuple_(mandate.c.reserve_provider, mandate.c.reserve_ref)
    joined = and_(method.c.contract == mandate.c.contract, or_(main, reserve))
    untold = or_(method.c.told_expires.is_(None), method.c.told_expires != method.c.expires)
    wanted = (
        select(method, mandate.c.id.label("mandate_id"))
        .join(mandate, joined)
        .where(method.c.state == LIVE, mandate.c.state == ACTIVE)
        .where(method.c.expires.in_(months), untold)
        .order_by(method.c.provider, method.c.method_ref)
        .limit(BATCH_MAX)
        .with_for_update(of=method, skip_locked=True)
    )
    async with transaction(autopay.db) as tx:
        rows = (await tx.execute(wanted)).all()
        told = [
            {"provider": r.provider, "method_ref": r.method_ref, "told_expires": r.expires}
            for r in rows
        ]
        await update_each(tx, method, told, "provider", "method_ref")
        said: list[Event] = []
        for row in rows:
            body = AutopayExpiring(
                contract=row.contract,
                occurred_at=at,
                mandate_id=str(row.mandate_id),
                method_title=row.title,
                expires=row.expires,
                mandate_url=mandate_url(autopay, row.contract, at),
            )
            said.append(
                body.event(
                    autopay.producer.name,
                    subject=f"{row.provider}:{row.method_ref}",
                    revision=row.expires,
                    correlation_id=row.mandate_id.hex,
                )
            )
        await outbox.add(tx, autopay.producer, said, at)
    return len(rows) == BATCH_MAX


def _month(day: date) -> str:
    return day.strftime("%Y-%m")
