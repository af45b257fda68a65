"""What a contract's subscriber was told, and by which way: the messages of the notifier.

Nothing of their texts or addresses is kept here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    Row,
    Table,
    Text,
    Uuid,
    delete,
    or_,
    select,
)

from core_billing import contracts
from shared.db import Database, Instant, Tx, metadata, transaction
from shared.errors import invalid
from shared.events import Event
from shared.events_autopay import MessageFailed, MessageSent
from shared.metrics import alarm
from shared.rows import insert_new

KEPT: Final = timedelta(days=400)
PRUNE_MAX: Final = 10_000
PAGE_MAX: Final = 200
SENT: Final = "sent"
FAILED: Final = "failed"
_CURSOR: Final = re.compile(r"(\d{1,17})-(\d{1,18})", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

schema = metadata()
message = Table(
    "message",
    schema,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("event_id", Uuid, nullable=False, unique=True),
    Column("contract_id", Integer, nullable=False),
    Column("at", Instant, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("channel", Text, nullable=False),
    # sent or failed, and why it failed.
    Column("state", Text, nullable=False),
    Column("reason", Text),
    # The id of the event that it tells of.
    Column("about", Text, nullable=False),
    Index("ix_message_contract_id", "contract_id", "at", "id"),
    Index("ix_message_at", "at"),
)


class Cursor(NamedTuple):
    """The last message of the page before."""

    at: datetime
    id: int

    def __str__(self) -> str:
        """Write it as `read` reads it: microseconds and id, which need no escape in an address."""
        return f"{(self.at - _EPOCH) // _MICROSECOND}-{self.id}"

    @classmethod
    def read(cls, written: str) -> Cursor:
        """Read what `str` wrote; raises Invalid for anything else."""
        match = _CURSOR.fullmatch(written)
        if match is None:
            raise invalid(
                "cursor",
                "take `next_cursor` of the page before",
                "возьмите `next_cursor` предыдущей страницы",
            )
        return cls(_EPOCH + int(match[1]) * _MICROSECOND, int(match[2]))


async def hear(tx: Tx, events: Sequence[Event]) -> None:
    """Keep the messages among the events, each once; those about no contract are passed over."""
    bodies: list[tuple[Event, MessageSent | MessageFailed]] = []
    for event in events:
        if event.type == MessageSent.TYPE:
            bodies.append((event, MessageSent.of(event)))
        elif event.type == MessageFailed.TYPE:
            bodies.append((event, MessageFailed.of(event)))
    named = {body.contract for _, body in bodies if body.contract}
    ids = await contracts.ids(tx, named)
    if len(ids) < len(named):
        alarm("message_of_unknown_contract", contracts=sorted(named - ids.keys())[:10])
    rows = [_row(event, body, ids[body.contract]) for event, body in bodies if body.contract in ids]
    await insert_new(tx, message, rows, "id")


async def page(tx: Tx, contract_id: int, after: Cursor | None, limit: int) -> Sequence[Row[Any]]:
    """Return messages of a contract, newest first, those that follow the cursor."""
    c = message.c
    mine = select(message).where(c.contract_id == contract_id)
    if after is not None:
        same = (c.at == after.at) & (c.id < after.id)
        mine = mine.where(or_(c.at < after.at, same))
    return (await tx.execute(mine.order_by(c.at.desc(), c.id.desc()).limit(limit))).all()


async def prune(db: Database, at: datetime) -> int:
    """Delete messages of more than 400 days ago, at most 10 000; return how many."""
    old = select(message.c.id).where(message.c.at < at - KEPT).limit(PRUNE_MAX)
    async with transaction(db) as tx:
        return (await tx.execute(delete(message).where(message.c.id.in_(old)))).rowcount


def _row(event: Event, body: MessageSent | MessageFailed, contract_id: int) -> dict[str, Any]:
    failed = isinstance(body, MessageFailed)
    return {
        "event_id": event.id,
        "contract_id": contract_id,
        "at": body.occurred_at,
        "message_id": body.message_id,
        "kind": body.kind,
        "channel": body.channel,
        "state": FAILED if failed else SENT,
        "reason": body.reason if isinstance(body, MessageFailed) else None,
        "about": body.about,
    }
