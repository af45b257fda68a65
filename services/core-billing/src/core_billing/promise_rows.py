"""The table of promised payments: one row each, at most one of a contract not closed yet."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text

from shared.db import Instant, metadata

schema = metadata()
promise = Table(
    "promise",
    schema,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("contract_id", Integer, nullable=False),
    Column("amount_kopecks", BigInteger, nullable=False),
    Column("fee_kopecks", BigInteger, nullable=False),
    # How much real payments have brought since it was given; at the amount it is repaid.
    Column("paid_kopecks", BigInteger, nullable=False),
    Column("granted_at", Instant, nullable=False),
    Column("until", Instant, nullable=False),
    # subscriber, manager or automatic; and the manager's name, where it was one.
    Column("origin", Text, nullable=False),
    Column("granted_by", Text, nullable=False),
    Column("overdue_at", Instant),
    Column("closed_at", Instant),
    # repaid, ended or canceled.
    Column("closed_how", Text),
    Column("closed_by", Text),
    Column("repaid_by", BigInteger),
    Column("ending_said_at", Instant),
    Column("revision", Integer, nullable=False),
)
_open = promise.c.closed_at.is_(None)
Index(
    "uq_promise_open",
    promise.c.contract_id,
    unique=True,
    postgresql_where=_open,
    sqlite_where=_open,
)
Index("ix_promise_contract_id", promise.c.contract_id, promise.c.id)
Index("ix_promise_until", promise.c.until, postgresql_where=_open, sqlite_where=_open)
