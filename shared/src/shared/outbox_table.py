"""The outbox table: one row for each event a service has said, until a day after it is sent."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text, Uuid

from shared.db import Instant, metadata

schema = metadata()
outbox = Table(
    "outbox",
    schema,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("event_id", Uuid, nullable=False, unique=True),
    Column("type", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("signature", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("lease_token", Uuid),
    Column("leased_until", Instant),
    Column("sent_at", Instant),
)
unsent = outbox.c.sent_at.is_(None)
Index("ix_outbox_unsent", outbox.c.due_at, postgresql_where=unsent, sqlite_where=unsent)
