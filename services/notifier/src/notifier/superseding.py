"""Of the states of a contract's access only the newest is told; older ones are dropped unsent."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Text, cast, literal, select, update

from notifier.access import HEARD, access
from notifier.message_table import UNSENT, message
from notifier.news import ACCESS
from shared.db import Tx
from shared.events import Event
from shared.rows import among


async def supersede(tx: Tx, events: Iterable[Event], at: datetime) -> None:
    """Drop what waits of states that newer ones have replaced, for the contracts of these events.

    To be called after the states and the messages of the same events are written: whoever writes
    an older state at this moment has waited for the newer one, or is waited for.
    """
    contracts = sorted({str(event.data["contract"]) for event in events if event.type in HEARD})
    if not contracts:
        return
    newest = select(literal(ACCESS) + cast(access.c.revision, Text))
    newest = newest.where(access.c.contract == message.c.contract)
    await tx.execute(
        update(message)
        .where(
            UNSENT,
            message.c.kind.in_(("blocked", "unblocked")),
            among(tx, message.c.contract, contracts),
            message.c.fact != newest.scalar_subquery(),
        )
        .values(state="dropped", reason="superseded", done_at=at)
    )
