"""Saved cards and accounts, as their gateways tell of them, and which are charged no more."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Table, Text

from shared.db import Instant, metadata

schema = metadata()
method = Table(
    "method",
    schema,
    Column("provider", Text, primary_key=True),
    Column("method_ref", Text, primary_key=True),
    Column("contract", Text, nullable=False, server_default=""),
    Column("kind", Text, nullable=False, server_default=""),
    Column("title", Text, nullable=False, server_default=""),
    Column("expires", Text),
    Column("revision", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("changed_at", Instant, nullable=False),
    # The expiry that its owner has been told of.
    Column("told_expires", Text),
)
Index("ix_method_contract", method.c.contract)
