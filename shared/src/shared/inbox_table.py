"""The inbox table: one row for each event that a service has heard of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Column, Index, Integer, LargeBinary, Table, Text, Uuid

from shared.db import Instant, metadata

schema = metadata()
inbox = Table(
    "inbox",
    schema,
    Column("event_id", Uuid, primary_key=True),
    Column("queue", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("done_at", Instant),
    Column("waits_for", Text),
    Column("body", LargeBinary),
    Column("signature", Text),
    Column("due_at", Instant),
    Column("attempts", Integer),
    Column("lease_token", Uuid),
    Column("leased_until", Instant),
    Column("dead_at", Instant),
    Column("error", Text),
    Column("stored_at", Instant),
)
Index(
    "ix_inbox_due",
    inbox.c.queue,
    inbox.c.due_at,
    postgresql_where=inbox.c.due_at.is_not(None),
    sqlite_where=inbox.c.due_at.is_not(None),
)
Index(
    "ix_inbox_waits_for",
    inbox.c.waits_for,
    postgresql_where=inbox.c.waits_for.is_not(None),
    sqlite_where=inbox.c.waits_for.is_not(None),
)
Index("ix_inbox_done_at", inbox.c.done_at, postgresql_using="brin")

RELEASED: Final[Mapping[str, None]] = dict.fromkeys(
    ("waits_for", "body", "signature", "due_at", "lease_token", "leased_until", "dead_at")
)
"""The columns of a row that nobody works on any more."""
