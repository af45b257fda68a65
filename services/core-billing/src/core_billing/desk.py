"""The desk: what a manager writes beside a payment that they take, by the payment's first id.

The money itself stands in the ledger: its source is the manager's drawer or the operator's bank.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, Index, Table, Text, select

from shared.db import Tx, metadata
from shared.rows import among

schema = metadata()
desk = Table(
    "desk",
    schema,
    # The id of the payment's first revision; corrections are further payments without a row.
    Column("payment_id", BigInteger, primary_key=True, autoincrement=False),
    # Never given twice, not even after the payment is annulled.
    Column("receipt_number", Text, unique=True),
    Column("payment_order_number", Text),
    Column("comment", Text, nullable=False),
    # The name of the manager's token.
    Column("manager", Text, nullable=False),
    Column("operator", Text, nullable=False),
)
_ordered = desk.c.payment_order_number.is_not(None)
Index(
    "ix_desk_payment_order_number",
    desk.c.payment_order_number,
    postgresql_where=_ordered,
    sqlite_where=_ordered,
)


@dataclass(frozen=True, slots=True)
class Note:
    """What was written beside a payment."""

    payment_id: int
    receipt_number: str | None
    payment_order_number: str | None
    comment: str
    manager: str
    operator: str


async def find_all(tx: Tx, payment_ids: Collection[int]) -> dict[int, Note]:
    """Return what was written beside these payments, by the id of their first revision."""
    if not payment_ids:
        return {}
    rows = await tx.execute(select(desk).where(among(tx, desk.c.payment_id, payment_ids)))
    return {row.payment_id: Note(*row) for row in rows}
