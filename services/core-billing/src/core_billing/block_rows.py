"""The table of blocks: one row for each contract that has ever been short of money."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, Table, Text

from shared.db import Instant, metadata

schema = metadata()
block = Table(
    "block",
    schema,
    Column("contract_id", Integer, primary_key=True, autoincrement=False),
    Column("blocked", Boolean, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("changed_at", Instant),
    # Since when less than nothing is available; none while there is something.
    Column("short_since", Instant),
    # A payment that its payer has confirmed postpones a block, once until it is settled.
    Column("postponed_until", Instant),
)
Index(
    "ix_block_blocked",
    block.c.contract_id,
    postgresql_where=block.c.blocked,
    sqlite_where=block.c.blocked,
)
