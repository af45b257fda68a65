"""What was told to whom, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Uuid, literal, select, tuple_

from notifier.message_table import State, in_state, message
from shared.db import Instant, Tx


async def page(
    tx: Tx,
    *,
    limit: int,
    contract: str | None = None,
    state: State | None = None,
    before: tuple[datetime, UUID] | None = None,
) -> Sequence[Row[Any]]:
    """Return messages, newest first, that come after the given one in that order."""
    wanted = select(message).order_by(message.c.created_at.desc(), message.c.id.desc())
    if contract is not None:
        wanted = wanted.where(message.c.contract == contract)
    if state is not None:
        wanted = wanted.where(in_state(state))
    if before is not None:
        place = tuple_(literal(before[0], Instant), literal(before[1], Uuid))
        wanted = wanted.where(tuple_(message.c.created_at, message.c.id) < place)
    return (await tx.execute(wanted.limit(limit))).all()


async def one(tx: Tx, this: UUID) -> Row[Any] | None:
    """Return one message, or None."""
    return (await tx.execute(select(message).where(message.c.id == this))).one_or_none()
