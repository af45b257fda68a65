"""Events that came under a known id with other data: kept as they are, and alarmed.

Such a pair is never a repeat. Either a producer has a fault or somebody holds our signing key,
and both need a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from sqlalchemy import Column, LargeBinary, Table, Text, Uuid

from shared.db import Instant, Tx, metadata
from shared.events import Event, encode
from shared.metrics import alarm
from shared.rows import insert_new

schema = metadata()
event_conflict = Table(
    "event_conflict",
    schema,
    Column("event_id", Uuid, primary_key=True),
    Column("side", Text, primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("seen_at", Instant, nullable=False),
)


async def keep(
    tx: Tx, side: Literal["outbox", "inbox"], events: Sequence[Event], at: datetime
) -> None:
    """Store conflicting events for a person to look at, and raise one alarm for each."""
    rows = [
        {
            "event_id": event.id,
            "side": side,
            "digest": event.digest(),
            "body": encode(event),
            "seen_at": at,
        }
        for event in events
    ]
    await insert_new(tx, event_conflict, rows, "event_id")
    for event in events:
        alarm("event_conflict", side=side, event_id=str(event.id), event_type=event.type)
