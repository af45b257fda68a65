"""The payments of a gateway: one row each, written before the provider hears of it.

What a provider says of a payment is merged under the row's lock by `settle`, in any order and any
number of times. Who may send or ask at a time is the matter of `leases`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Index,
    Integer,
    LargeBinary,
    Row,
    Select,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    and_,
    select,
)
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from shared.db import Instant, Tx, is_postgres, metadata
from shared.events import Allocation
from shared.gateway.consent import Consent
from shared.gateway.provider import Status
from shared.gateway.receipt import read_line
from shared.gateway.settle import Payment
from shared.rows import listed, update_each

schema = metadata()
payment = Table(
    "payment",
    schema,
    Column("id", Uuid, primary_key=True),
    Column("shop", Text, nullable=False),
    Column("provider_payment_id", Text),
    Column("status", Text, nullable=False),
    Column("said", Text, nullable=False, server_default=""),
    Column("amount_kopecks", BigInteger, nullable=False),
    Column("allocations", Text, nullable=False),
    Column("received_kopecks", BigInteger),
    Column("income_kopecks", BigInteger),
    # What of it is on its way back or back; `reserve` alone writes it.
    Column("reserved_kopecks", BigInteger, nullable=False, server_default="0"),
    Column("method", Text, nullable=False, server_default=""),
    Column("reason", Text, nullable=False, server_default=""),
    Column("suspense", Text),
    Column("held", Text),
    Column("confirmation_url", Text),
    Column("qr_payload", Text),
    Column("expires_at", Instant),
    # What the payer chose to pay with before there was a payment; `method` is what was used.
    Column("means", Text),
    # Whose code it is, where codes can be ended before their time.
    Column("code_of", Text),
    Column("return_url", Text),
    Column("contact", Text),
    Column("receipt", Text),
    Column("order_id", Text, unique=True),
    # A charge of a saved method; or the payer's consent to have this payment's method saved.
    Column("charge_id", Text),
    Column("method_ref", Text),
    Column("not_after", Instant),
    Column("consent", Text),
    Column("correlation_id", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("paid_at", Instant),
    # When the provider first said that the payer had confirmed.
    Column("confirmed_at", Instant),
    # Who asked, under which key of theirs and for what; the status they were answered first.
    Column("caller", Text),
    Column("caller_key", Text),
    Column("caller_digest", LargeBinary),
    Column("answered", Text),
    # What was sent to the provider, byte for byte, and under which key.
    Column("key", Text),
    Column("request", LargeBinary),
    Column("first_sent_at", Instant),
    Column("list_at", Instant),
    Column("due_at", Instant),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("lease_token", Uuid),
    Column("leased_until", Instant),
    # Since when what was asked about it has failed; none where the last look was answered.
    Column("unanswered_since", Instant),
    # A success is said again until the ledger has acknowledged it.
    Column("say_at", Instant),
    Column("says", Integer, nullable=False, server_default="0"),
    Column("said_first_at", Instant),
    Column("acknowledged_at", Instant),
    UniqueConstraint("shop", "provider_payment_id", name="uq_payment_provider"),
    UniqueConstraint("caller", "caller_key", name="uq_payment_caller"),
)
_due = payment.c.due_at.is_not(None)
_unheard = payment.c.say_at.is_not(None)
_charges = payment.c.charge_id.is_not(None)
Index(
    "uq_payment_charge",
    payment.c.shop,
    payment.c.charge_id,
    unique=True,
    postgresql_where=_charges,
    sqlite_where=_charges,
)
_unanswered = payment.c.unanswered_since.is_not(None)
Index(
    "ix_payment_unanswered",
    payment.c.unanswered_since,
    postgresql_where=_unanswered,
    sqlite_where=_unanswered,
)
Index("ix_payment_due", payment.c.due_at, postgresql_where=_due, sqlite_where=_due)
_code = and_(payment.c.code_of.is_not(None), _due)
Index("ix_payment_code", payment.c.code_of, postgresql_where=_code, sqlite_where=_code)
_paid = payment.c.paid_at.is_not(None)
Index(
    "ix_payment_paid",
    payment.c.shop,
    payment.c.paid_at,
    postgresql_where=_paid,
    sqlite_where=_paid,
)
Index("ix_payment_say", payment.c.say_at, postgresql_where=_unheard, sqlite_where=_unheard)

_FACTS: Final = (
    "provider_payment_id",
    "said",
    "confirmation_url",
    "qr_payload",
    "expires_at",
    "received_kopecks",
    "income_kopecks",
    "method",
    "paid_at",
    "confirmed_at",
    "reason",
    "suspense",
    "held",
)
_KNOWN: Final = (
    "id",
    "shop",
    "amount_kopecks",
    "correlation_id",
    "created_at",
    "order_id",
    "reserved_kopecks",
    "means",
    "charge_id",
    "method_ref",
    "not_after",
    *_FACTS,
)


async def insert(tx: Tx, new: Payment, extra: Mapping[str, Any]) -> bool:
    """Write a new row; False where its id, order, caller's key or provider's id is taken."""
    make = postgres_insert if is_postgres(tx) else sqlite_insert
    row = {**_row(new), "id": new.id, "status": str(new.status), **extra}
    statement = make(payment).values(**row).on_conflict_do_nothing().returning(payment.c.id)
    return (await tx.execute(statement)).first() is not None


async def find(tx: Tx, payment_id: UUID) -> Payment | None:
    """Return a payment by our id."""
    return await _one(tx, payment.c.id == payment_id)


async def find_provided(tx: Tx, shop: str, provider_payment_id: str) -> Payment | None:
    """Return the payment that its provider knows under this id."""
    named = payment.c.provider_payment_id == provider_payment_id
    return await _one(tx, and_(payment.c.shop == shop, named))


async def find_order(tx: Tx, order_id: str) -> Payment | None:
    """Return the one payment of an order."""
    return await _one(tx, payment.c.order_id == order_id)


async def find_charge(tx: Tx, shop: str, charge_id: str) -> Payment | None:
    """Return the one payment of a charge."""
    return await _one(tx, and_(payment.c.shop == shop, payment.c.charge_id == charge_id))


async def find_asked(tx: Tx, caller: str, key: str) -> tuple[Payment, bytes, Status] | None:
    """Return what a caller asked under a key: the payment, the digest, what to answer."""
    mine = and_(payment.c.caller == caller, payment.c.caller_key == key)
    row = (await tx.execute(select(payment).where(mine))).one_or_none()
    if row is None:
        return None
    return to_payment(row), row.caller_digest, Status(row.answered or row.status)


async def lock(tx: Tx, payment_id: UUID) -> Payment | None:
    """Return a payment by our id; nobody else writes it until the transaction ends."""
    return await _one(tx, payment.c.id == payment_id, locked=True)


class Named(NamedTuple):
    """How a payment of the provider is known: by its id at a shop, and by the id we gave it."""

    shop: str
    provider_id: str
    ours: UUID | None


async def lock_by_provider(tx: Tx, named: Sequence[Named]) -> dict[Named, Payment]:
    """Return and lock the rows the provider's payments belong to.

    That is the row bound to its id, or else the row of our id that is bound to none yet. A second
    payment that carries our id is money of its own and has no row.
    """
    if not named:
        return {}
    ids = {"shops": list({one.shop for one in named}), "ids": [one.provider_id for one in named]}
    bound = await tx.execute(_locking_bound(is_postgres(tx)), ids)
    rows = {(row.shop, row.provider_payment_id): row for row in bound}
    found = {one: rows[one[:2]] for one in named if one[:2] in rows}
    wanted = {one.ours for one in named if one not in found and one.ours is not None}
    if wanted:
        free = await tx.execute(_locking_unbound(is_postgres(tx)), {"ids": list(wanted)})
        unbound = {(row.shop, row.id): row for row in free}
        for one in named:
            if one not in found and (row := unbound.pop((one.shop, one.ours), None)) is not None:
                found[one] = row
    return {one: to_payment(row) for one, row in found.items()}


async def write(tx: Tx, changed: Iterable[tuple[Payment, Mapping[str, Any]]]) -> None:
    """Write what is known of locked payments, each with further columns of its own."""
    alike: dict[frozenset[str], list[Mapping[str, Any]]] = {}
    for known, extra in changed:
        row = {"id": known.id, **{name: getattr(known, name) for name in _FACTS}}
        alike.setdefault(frozenset(extra), []).append({**row, "status": str(known.status), **extra})
    for rows in alike.values():
        await update_each(tx, payment, rows, "id")


async def _one(tx: Tx, where: Any, *, locked: bool = False) -> Payment | None:
    statement = select(payment).where(where)
    row = (await tx.execute(statement.with_for_update() if locked else statement)).one_or_none()
    return None if row is None else to_payment(row)


@cache
def _locking_bound(postgres: bool) -> Select[Any]:
    shops = listed(postgres, payment.c.shop, "shops")
    return _locking(shops, listed(postgres, payment.c.provider_payment_id, "ids"))


@cache
def _locking_unbound(postgres: bool) -> Select[Any]:
    free = payment.c.provider_payment_id.is_(None)
    return _locking(listed(postgres, payment.c.id, "ids"), free)


def _locking(*where: ColumnElement[bool]) -> Select[Any]:
    """Read rows and lock them, in one order for everybody."""
    return select(payment).where(*where).order_by(payment.c.id).with_for_update()


def _row(known: Payment) -> dict[str, Any]:
    parts = [[part.contract, part.amount_kopecks] for part in known.allocations]
    row = {name: getattr(known, name) for name in _KNOWN}
    receipt = None if known.receipt is None else known.receipt.written()
    consent = None if known.consent is None else known.consent.written()
    row |= {"allocations": orjson.dumps(parts).decode(), "receipt": receipt}
    return row | {"consent": consent}


def to_payment(row: Row[Any]) -> Payment:
    parts: Sequence[tuple[str, int]] = orjson.loads(row.allocations)
    return Payment(
        status=Status(row.status),
        allocations=tuple(Allocation(contract=c, amount_kopecks=k) for c, k in parts),
        receipt=None if row.receipt is None else read_line(row.receipt),
        consent=None if row.consent is None else Consent.read(row.consent),
        **{name: getattr(row, name) for name in _KNOWN},
    )
