"""Who else has asked for a code that was live already: their key and order stand for it as well."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import Column, LargeBinary, Row, Table, Text, UniqueConstraint, Uuid, and_, select

from shared.db import Instant, Tx, metadata
from shared.gateway.provider import Status
from shared.rows import insert_new

schema = metadata()
alias = Table(
    "payment_alias",
    schema,
    Column("id", Uuid, primary_key=True),
    Column("payment_id", Uuid, nullable=False),
    Column("order_id", Text),
    Column("caller", Text),
    Column("caller_key", Text),
    Column("caller_digest", LargeBinary),
    Column("answered", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("order_id", name="uq_payment_alias_order"),
    UniqueConstraint("caller", "caller_key", name="uq_payment_alias_caller"),
)


@dataclass(frozen=True, slots=True)
class Alias:
    """Somebody's key or order that stands for another's payment."""

    payment_id: UUID
    order_id: str | None
    caller: str | None
    caller_key: str | None
    digest: bytes
    answered: Status
    """What its asker was told first."""


async def insert(tx: Tx, new: Alias, at: datetime) -> bool:
    """Write it down; False where its key or order stands for something already."""
    row = {
        "id": uuid4(),
        "payment_id": new.payment_id,
        "order_id": new.order_id,
        "caller": new.caller if new.caller_key is not None else None,
        "caller_key": new.caller_key,
        "caller_digest": new.digest,
        "answered": str(new.answered),
        "created_at": at,
    }
    return bool(await insert_new(tx, alias, [row], "id"))


async def find_asked(tx: Tx, caller: str, key: str) -> Alias | None:
    """Return what a caller's key stands for."""
    mine = and_(alias.c.caller == caller, alias.c.caller_key == key)
    row = (await tx.execute(select(alias).where(mine))).one_or_none()
    return None if row is None else _alias(row)


async def find_order(tx: Tx, order_id: str) -> Alias | None:
    """Return what an order stands for."""
    row = (await tx.execute(select(alias).where(alias.c.order_id == order_id))).one_or_none()
    return None if row is None else _alias(row)


def _alias(row: Row[tuple[object, ...]]) -> Alias:
    return Alias(
        row.payment_id,
        row.order_id,
        row.caller,
        row.caller_key,
        row.caller_digest,
        Status(row.answered),
    )
