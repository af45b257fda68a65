"""Autopay's own directory: which contracts there are, and their subscribers' language and zone.

It is built from `contract.changed` and `subscriber.changed` alone. A state is written only over an
older one, so events may come in any order. Names, telephones and addresses are not kept.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Table, Text

from shared.db import metadata

schema = metadata()
contract = Table(
    "contract",
    schema,
    Column("number", Text, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("subscriber_id", Text, nullable=False),
    Column("operator", Text, nullable=False),
    Column("status", Text, nullable=False),
)
Index("ix_contract_subscriber_id", contract.c.subscriber_id)
subscriber = Table(
    "subscriber",
    schema,
    Column("id", Text, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("language", Text, nullable=False),
    Column("timezone", Text, nullable=False),
)
