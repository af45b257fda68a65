"""Accounts of providers through which nobody is charged for a while, since they may not charge."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Table, Text

from shared.db import Instant, metadata

schema = metadata()
pause = Table(
    "pause",
    schema,
    Column("provider", Text, primary_key=True),
    Column("paused_at", Instant, nullable=False),
    Column("paused_until", Instant, nullable=False),
    Column("reason", Text, nullable=False),
    # Proved by a charge that was not refused for the shop's sake.
    Column("over", Boolean, nullable=False),
)
