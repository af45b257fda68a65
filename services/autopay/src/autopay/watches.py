"""What autopay has asked core-billing to watch, by revision: one row per contract and kind."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Integer, Table, Text

from shared.db import metadata

schema = metadata()
watch = Table(
    "watch",
    schema,
    Column("contract", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("cleared", Boolean, nullable=False),
    Column("threshold_kopecks", BigInteger),
    Column("days", Integer),
)
