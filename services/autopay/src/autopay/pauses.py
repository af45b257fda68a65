"""Accounts of providers through which nobody is charged for a while, since they may not charge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Row, Table, Text, select
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from shared.db import Instant, Tx, is_postgres, metadata
from shared.metrics import alarm

schema = metadata()
pause = Table(
    "pause",
    schema,
    Column("provider", Text, primary_key=True),
    Column("paused_at", Instant, nullable=False),
    Column("paused_until", Instant, nullable=False),
    Column("reason", Text, nullable=False),
)


async def put(tx: Tx, pauses: Mapping[str, tuple[datetime, str]], at: datetime) -> None:
    """Have accounts wait until a moment, for a reason; of two pauses the longer one holds.

    One that begins is an alarm, one that is made longer is not.
    """
    if not pauses:
        return
    known = {row.provider: row.paused_until for row in await listed(tx, at)}
    for provider, (until, reason) in sorted(pauses.items()):
        make = postgres_insert if is_postgres(tx) else sqlite_insert
        row = {"paused_at": at, "paused_until": until, "reason": reason}
        statement = make(pause).values(provider=provider, **row)
        longer = pause.c.paused_until < until
        await tx.execute(
            statement.on_conflict_do_update(index_elements=["provider"], set_=row, where=longer)
        )
        if provider not in known:
            alarm("autopay_paused", provider=provider, reason=reason, until=until.isoformat())


async def listed(tx: Tx, at: datetime) -> Sequence[Row[Any]]:
    """Return the pauses that stand at a moment."""
    stands = select(pause).where(pause.c.paused_until > at).order_by(pause.c.provider)
    return (await tx.execute(stands)).all()
