"""Reports of delivery as they came in; each is kept until its message is found, or for a while."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, Table, Text, false

from shared.db import Instant, metadata

schema = metadata()
report = Table(
    "report",
    schema,
    Column("channel", Text, primary_key=True),
    Column("provider_id", Text, primary_key=True),
    Column("provider", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    # The number itself is wrong or out of service.
    Column("dead", Boolean, nullable=False, server_default=false()),
    Column("reported_at", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
)
Index("ix_report_due", report.c.due_at)
