"""The desk: what a manager writes beside a payment that they take, by the payment's first id.

The money itself stands in the ledger: its source is the manager's drawer or the operator's bank.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import BigInteger, Column, Index, Table, Text, select

from core_billing.accounts import source
from core_billing.drafts import Reference
from core_billing.postings import payment
from shared.db import Tx, metadata
from shared.rows import among, insert_new

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


@dataclass(frozen=True, slots=True)
class Taken:
    """Whose payment has a receipt's number."""

    payment_id: int
    manager: str
    registered_at: datetime


async def add(tx: Tx, note: Note) -> bool:
    """Write down what stands beside a payment; say no where its receipt's number is taken."""
    return bool(await insert_new(tx, desk, [asdict(note)], "payment_id"))


async def find_receipt(tx: Tx, number: str) -> Taken | None:
    """Return the payment that a receipt's number belongs to, if there is one."""
    columns = select(desk.c.payment_id, desk.c.manager, payment.c.registered_at)
    joined = columns.join(payment, payment.c.id == desk.c.payment_id)
    row = (await tx.execute(joined.where(desk.c.receipt_number == number))).one_or_none()
    return None if row is None else Taken(*row)


async def find_one(tx: Tx, payment_id: int) -> tuple[Note, Reference] | None:
    """Return what was written beside a payment, and what makes it this payment and no other."""
    note = (await find_all(tx, [payment_id])).get(payment_id)
    if note is None:
        return None
    columns = select(source.c.name, payment.c.external_id)
    joined = columns.join(payment, payment.c.source_id == source.c.id)
    row = (await tx.execute(joined.where(payment.c.id == payment_id))).one()
    return note, (row.name, row.external_id)
