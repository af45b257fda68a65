"""Says to core what became of messages: once each, in the transaction that decides it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from shared import outbox
from shared.db import Tx
from shared.events_autopay import MessageFailed, MessageSent
from shared.outbox import Producer


@dataclass(frozen=True, slots=True)
class Told:
    """A message that has left or, with a reason, will reach nobody."""

    message_id: UUID
    contract: str
    channel: str
    kind: str
    event_id: UUID
    correlation_id: str
    reason: str | None = None

    @classmethod
    def of(cls, row: Any, reason: str | None = None) -> Told:
        """Return it for a row of the journal."""
        return cls(
            row.id, row.contract, row.channel, row.kind, row.event_id, row.correlation_id, reason
        )


async def tell(tx: Tx, producer: Producer | None, told: Sequence[Told], at: datetime) -> None:
    """Say what became of messages; nothing where nobody speaks for this notifier."""
    if producer is None or not told:
        return
    events = []
    for one in told:
        what: dict[str, Any] = {
            "contract": one.contract,
            "occurred_at": at,
            "message_id": str(one.message_id),
            "channel": one.channel,
            "kind": one.kind,
            "about": str(one.event_id),
        }
        body = (
            MessageSent(**what) if one.reason is None else MessageFailed(**what, reason=one.reason)
        )
        revision = "sent" if one.reason is None else "failed"
        events.append(
            body.event(
                producer.name,
                subject=str(one.message_id),
                revision=revision,
                correlation_id=one.correlation_id,
            )
        )
    await outbox.add(tx, producer, events, at)
