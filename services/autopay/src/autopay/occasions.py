"""Occasions to charge: a crossing of the threshold, a day of fees, a day of the calendar.

An occasion is named by what it is of, `balance:7`, `fee:2026-12-01` or `day:2026-12-10`, so an
event that comes again finds it. What is closed stays as a row and is not opened again.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Date, Index, Integer, Table, Text, Uuid

from shared.db import Instant, metadata

schema = metadata()
occasion = Table(
    "occasion",
    schema,
    Column("contract", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("mandate_id", Uuid),
    Column("why", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("opened_at", Instant, nullable=False),
    Column("closed_at", Instant),
    Column("day", Date),
    Column("balance_kopecks", BigInteger),
    Column("needed_kopecks", BigInteger),
    Column("lines", Text, nullable=False, server_default="[]"),
    Column("blocks_on", Date),
    Column("charges", Integer, nullable=False, server_default="0"),
    # Why nothing is planned although it is open, and until when.
    Column("hold", Text),
    Column("hold_until", Instant),
)
_open = occasion.c.state == "open"
Index("ix_occasion_open", occasion.c.contract, postgresql_where=_open, sqlite_where=_open)
