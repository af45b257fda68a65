"""How each contract stood when core-billing last said so; the row is what holds a contract.

Balances and needed sums come from several events in any order: of two the one of core's later
moment holds. Whoever changes anything of a contract's autopay locks this row first, so two
replicas never decide for one contract at a time.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Date, Table, Text, false

from shared.db import Instant, metadata

schema = metadata()
account = Table(
    "account",
    schema,
    Column("contract", Text, primary_key=True),
    Column("balance_kopecks", BigInteger),
    Column("available_kopecks", BigInteger),
    Column("balance_at", Instant),
    Column("needed_kopecks", BigInteger),
    # What the balance was when the needed sum was said.
    Column("needed_balance_kopecks", BigInteger),
    Column("needed_at", Instant),
    Column("lines", Text, nullable=False, server_default="[]"),
    Column("blocks_on", Date),
    Column("blocked", Boolean, nullable=False, server_default=false()),
    Column("access_revision", BigInteger, nullable=False, server_default="0"),
)
