"""Saved cards and accounts: one row each, which stays for ever once its owner has removed it.

The provider's token is sealed, and dropped when the method is removed; a keyed hash of it finds
the row. What was saved with a payment has an id made of that payment's, so that the same payment,
told again, meets the row of its removed method instead of making another.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final
from uuid import UUID, uuid5

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    Row,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    and_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from shared.db import Instant, Tx, is_postgres, metadata
from shared.gateway.consent import Consent
from shared.gateway.method import MethodStatus
from shared.gateway.methods_rules import Method
from shared.rows import among

LISTED_MAX: Final = 100

_BY_PAYMENT: Final = UUID("5b0c1a52-6f0e-4c86-9d54-6f7f6c1f9a11")

schema = metadata()
payment_method = Table(
    "payment_method",
    schema,
    Column("id", Uuid, primary_key=True),
    Column("shop", Text, nullable=False),
    Column("contract", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("revision", BigInteger, nullable=False, server_default="0"),
    Column("kind", Text, nullable=False, server_default=""),
    Column("title", Text, nullable=False, server_default=""),
    Column("expires", Text),
    Column("reason", Text, nullable=False, server_default=""),
    Column("consent", Text, nullable=False),
    Column("token", Text),
    Column("token_hash", Text),
    Column("contact", Text),
    Column("payment_id", Uuid),
    Column("correlation_id", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("removed_at", Instant),
    Column("confirmation_url", Text),
    # Who asked for a binding, and under which key of theirs.
    Column("caller", Text),
    Column("caller_key", Text),
    Column("caller_digest", LargeBinary),
    # What was sent to the provider, byte for byte, and under which key.
    Column("key", Text),
    Column("request", LargeBinary),
    Column("first_sent_at", Instant),
    Column("due_at", Instant),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("lease_token", Uuid),
    Column("leased_until", Instant),
    UniqueConstraint("payment_id", name="uq_payment_method_payment"),
    UniqueConstraint("caller", "caller_key", name="uq_payment_method_caller"),
)
_due = payment_method.c.due_at.is_not(None)
_live = payment_method.c.status != str(MethodStatus.REMOVED)
# A card that its provider would not charge any more may be saved again.
_holds = payment_method.c.status.not_in([str(MethodStatus.REMOVED), str(MethodStatus.INACTIVE)])
Index("ix_payment_method_due", payment_method.c.due_at, postgresql_where=_due, sqlite_where=_due)
Index("ix_payment_method_contract", payment_method.c.contract)
Index(
    "uq_payment_method_token",
    payment_method.c.shop,
    payment_method.c.token_hash,
    unique=True,
    postgresql_where=_holds,
    sqlite_where=_holds,
)

_FACTS: Final = (
    "revision",
    "kind",
    "title",
    "expires",
    "reason",
    "removed_at",
    "confirmation_url",
)
_KNOWN: Final = ("id", "shop", "contract", "correlation_id", "created_at", *_FACTS)


def id_of(payment_id: UUID) -> UUID:
    """Return the id of the method that a payment of ours saves: always the same one."""
    return uuid5(_BY_PAYMENT, str(payment_id))


def parse(method_ref: str) -> UUID | None:
    """Return the id that a text names, if it names one."""
    try:
        return UUID(method_ref)
    except ValueError:
        return None


async def insert(tx: Tx, new: Method, extra: Mapping[str, Any]) -> bool:
    """Write a new row; False where its id, payment, caller's key or live token is taken."""
    make = postgres_insert if is_postgres(tx) else sqlite_insert
    row = {name: getattr(new, name) for name in _KNOWN}
    row |= {"status": str(new.status), "consent": new.consent.written(), **extra}
    statement = make(payment_method).values(**row).on_conflict_do_nothing()
    made = await tx.execute(statement.returning(payment_method.c.id))
    return made.first() is not None


async def write(tx: Tx, method: Method, **changes: Any) -> None:
    """Write what is known of a locked method; what is removed keeps no way to be charged."""
    facts = {name: getattr(method, name) for name in _FACTS}
    values = {**facts, "status": str(method.status), **changes}
    if method.status is MethodStatus.REMOVED:
        values |= dict.fromkeys(("token", "request", "contact", "due_at"))
    mine = update(payment_method).where(payment_method.c.id == method.id)
    await tx.execute(mine.values(values))


async def find(tx: Tx, method_id: UUID) -> Method | None:
    """Return a method by our id."""
    return await _one(tx, payment_method.c.id == method_id)


async def lock(tx: Tx, method_id: UUID) -> Method | None:
    """Return a method by our id; nobody else writes it until the transaction ends."""
    return await _one(tx, payment_method.c.id == method_id, locked=True)


async def lock_all(tx: Tx, method_ids: Collection[UUID]) -> Sequence[Method]:
    """Return those of many methods that there are, locked in the order of their ids.

    One order for everybody, so that two batches never wait for each other.
    """
    mine = select(payment_method).where(among(tx, payment_method.c.id, method_ids))
    rows = await tx.execute(mine.order_by(payment_method.c.id).with_for_update())
    return [to_method(row) for row in rows]


async def row_of(tx: Tx, method_id: UUID) -> Row[Any] | None:
    """Return a method's whole row, with what is sealed in it."""
    query = select(payment_method).where(payment_method.c.id == method_id)
    return (await tx.execute(query)).one_or_none()


async def holding(tx: Tx, shop: str, prints: Sequence[str]) -> UUID | None:
    """Return the method, not removed or ended, that has a token of these fingerprints."""
    same = (payment_method.c.shop == shop, payment_method.c.token_hash.in_(prints), _holds)
    return (await tx.execute(select(payment_method.c.id).where(*same))).scalar_one_or_none()


async def of_contract(tx: Tx, contract: str) -> Sequence[Method]:
    """Return the methods of a contract that are not removed, newest first, at most a hundred."""
    mine = select(payment_method).where(payment_method.c.contract == contract, _live)
    newest = mine.order_by(payment_method.c.created_at.desc(), payment_method.c.id)
    return [to_method(row) for row in await tx.execute(newest.limit(LISTED_MAX))]


async def page(tx: Tx, after: UUID, limit: int) -> Sequence[Method]:
    """Return methods in the order of their ids, those after one of them."""
    mine = select(payment_method).where(payment_method.c.id > after)
    rows = await tx.execute(mine.order_by(payment_method.c.id).limit(limit))
    return [to_method(row) for row in rows]


async def find_asked(tx: Tx, caller: str, key: str) -> tuple[Method, bytes] | None:
    """Return the method a caller asked for under a key, and the digest of that request."""
    mine = and_(payment_method.c.caller == caller, payment_method.c.caller_key == key)
    row = (await tx.execute(select(payment_method).where(mine))).one_or_none()
    return None if row is None else (to_method(row), row.caller_digest)


def to_method(row: Row[Any]) -> Method:
    """Return a row as what the rules know."""
    return Method(
        status=MethodStatus(row.status),
        consent=Consent.read(row.consent),
        **{name: getattr(row, name) for name in _KNOWN},
    )


async def _one(tx: Tx, where: Any, *, locked: bool = False) -> Method | None:
    statement = select(payment_method).where(where)
    row = (await tx.execute(statement.with_for_update() if locked else statement)).one_or_none()
    return None if row is None else to_method(row)
