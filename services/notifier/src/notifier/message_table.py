"""The table of messages; what its rows mean and become stands in `journal`."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    and_,
    false,
    literal_column,
    or_,
)

from shared.db import Instant, metadata

State = Literal["new", "ready", "sent", "undelivered", "failed", "dropped", "skipped"]

schema = metadata()
message = Table(
    "message",
    schema,
    Column("id", Uuid, primary_key=True),
    Column("fact", Text, nullable=False),
    Column("contract", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("channel", Text, nullable=False),
    # 0 leaves first; queues are drained in this order.
    Column("urgency", SmallInteger, nullable=False, server_default="1"),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("facts", Text, nullable=False),
    Column("event_id", Uuid, nullable=False),
    Column("correlation_id", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("doubtful", Boolean, nullable=False, server_default=false()),
    # The recipient's time zone, where quiet hours hold for this message.
    Column("zone", Text),
    Column("sealed", Text),
    Column("key_id", Text),
    Column("tried_at", Instant),
    Column("provider_id", Text),
    Column("done_at", Instant),
    Column("lease_token", Uuid),
    Column("leased_until", Instant),
    # What the provider has reported since: delivered, undelivered or expired.
    Column("report", Text),
    Column("delivered_at", Instant),
    UniqueConstraint("fact", "contract", "kind", "channel"),
)


def in_state(*states: State) -> ColumnElement[bool]:
    """Return the condition that a message is in a state.

    Written as literals: a partial index serves no prepared statement that has them as parameters.
    """
    words = [literal_column(f"'{state}'", Text) for state in states]
    return message.c.state == words[0] if len(words) == 1 else message.c.state.in_(words)


def free(at: datetime) -> ColumnElement[bool]:
    """Return the condition that nobody is sending a message now."""
    return or_(message.c.leased_until.is_(None), message.c.leased_until <= at)


UNSENT: Final = in_state("new", "ready")
_NEW: Final = in_state("new")
_READY: Final = in_state("ready")

Index(
    "ix_message_new",
    message.c.urgency,
    message.c.due_at,
    postgresql_where=_NEW,
    sqlite_where=_NEW,
)
Index(
    "ix_message_ready",
    message.c.channel,
    message.c.urgency,
    message.c.due_at,
    postgresql_where=_READY,
    sqlite_where=_READY,
)
Index(
    "ix_message_expires",
    message.c.expires_at,
    postgresql_where=UNSENT,
    sqlite_where=UNSENT,
)
ENDED: Final = in_state("undelivered", "failed", "dropped", "skipped")
DOUBTED: Final = and_(in_state("sent", "undelivered"), message.c.doubtful)
"""Sent, perhaps twice."""
_NAMED: Final = message.c.provider_id.is_not(None)
Index(
    "ix_message_provider",
    message.c.channel,
    message.c.provider_id,
    postgresql_where=_NAMED,
    sqlite_where=_NAMED,
)
# Those that somebody looks for among many that were sent.
Index(
    "ix_message_ended",
    message.c.state,
    message.c.created_at,
    message.c.id,
    postgresql_where=ENDED,
    sqlite_where=ENDED,
)
Index(
    "ix_message_doubted",
    message.c.created_at,
    postgresql_where=DOUBTED,
    sqlite_where=DOUBTED,
)
Index("ix_message_tried", message.c.channel, message.c.tried_at)
_TRIED: Final = message.c.tried_at.is_not(None)
Index(
    "ix_message_disturbed",
    message.c.contract,
    message.c.channel,
    message.c.tried_at,
    postgresql_where=_TRIED,
    sqlite_where=_TRIED,
)
Index("ix_message_contract", message.c.contract, message.c.created_at)
Index("ix_message_created", message.c.created_at, message.c.id)
