"""Refunds as they were sent to T-Bank: a row each, committed before the first byte leaves.

One payment has at most one refund whose end is not known, because only the difference that it makes
to the payment tells what came of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Row,
    Table,
    Text,
    and_,
    delete,
    func,
    insert,
    select,
    update,
)

from gateway_sbp.acquirers.tbank.wire.refunds import Sent, State
from shared.db import Database, Instant, Tx, is_postgres, metadata, reading, transaction
from shared.metrics import alarm

PARKED: Final = "refund_parked"
LISTED_MAX: Final = 1000
OPEN: Final = tuple(str(state) for state in State if not state.final)

schema = metadata()
tbank_refund = Table(
    "tbank_refund",
    schema,
    Column("shop", Text, primary_key=True),
    Column("refund_id", Text, primary_key=True),
    Column("provider_payment_id", Text, nullable=False),
    Column("amount_kopecks", BigInteger, nullable=False),
    # How the payment stood immediately before: what has changed since tells what came of it.
    Column("baseline_kopecks", BigInteger, nullable=False),
    Column("baseline_status", Text, nullable=False),
    Column("sent_at", Instant, nullable=False),
    Column("state", Text, nullable=False),
    Column("answer", Text, nullable=False, server_default=""),
    Column("answered_at", Instant),
)
_c = tbank_refund.c
_open = _c.state.in_(OPEN)
Index(
    "uq_tbank_refund_open",
    _c.shop,
    _c.provider_payment_id,
    unique=True,
    postgresql_where=_open,
    sqlite_where=_open,
)
Index("ix_tbank_refund_payment", _c.shop, _c.provider_payment_id, _c.sent_at)


async def find(db: Database, shop: str, refund_id: str) -> Sent | None:
    """Return a refund by its id."""
    async with reading(db) as tx:
        row = (await tx.execute(select(tbank_refund).where(_mine(shop, refund_id)))).one_or_none()
    return None if row is None else _sent(row)


async def of_payment(tx: Tx, shop: str, payment: str) -> list[Sent]:
    """Return the refunds of a payment, oldest first, at most a thousand."""
    mine = and_(_c.shop == shop, _c.provider_payment_id == payment)
    ordered = select(tbank_refund).where(mine).order_by(_c.sent_at, _c.refund_id)
    return [_sent(row) for row in await tx.execute(ordered.limit(LISTED_MAX))]


async def begin(db: Database, shop: str, new: Sent, before: Sequence[Sent]) -> bool:
    """Write a refund down that is about to be sent, or one that was found.

    Returns False where the payment's refunds are no longer those `before`, by which it was judged
    whether to send, or where one of them is not at its end.
    """
    async with transaction(db) as tx:
        if is_postgres(tx):
            # Rows that are not there yet cannot be locked; SQLite has one writer at a time anyway.
            key = func.hashtextextended(f"tbank refund {shop} {new.payment}", 0)
            await tx.execute(select(func.pg_advisory_xact_lock(key)))
        now = await of_payment(tx, shop, new.payment)
        if now != list(before) or not all(one.state.final for one in now):
            return False
        await tx.execute(insert(tbank_refund).values(shop=shop, **_row(new)))
    return True


async def put(db: Database, shop: str, known: Sent) -> Sent:
    """Write down what has become of a refund; return it as it stands, which may be by others."""
    changes = {"state": str(known.state), "answer": known.answer, "answered_at": known.answered_at}
    mine = _mine(shop, known.refund_id)
    async with transaction(db) as tx:
        changed = update(tbank_refund).where(mine, _open).values(changes)
        if (await tx.execute(changed)).rowcount:
            return known
        row = (await tx.execute(select(tbank_refund).where(mine))).one_or_none()
    return replace(known, state=State.SENT) if row is None else _sent(row)


async def park(db: Database, shop: str, known: Sent) -> Sent:
    """Give a refund to a person, with an alarm; told again it says nothing again."""
    waiting = _c.state.in_([str(State.SENT), str(State.TAKEN)])
    mine = and_(_mine(shop, known.refund_id), waiting)
    async with transaction(db) as tx:
        parked = await tx.execute(update(tbank_refund).where(mine).values(state=str(State.PARKED)))
    if parked.rowcount:
        facts = {"provider": shop, "provider_payment_id": known.payment}
        alarm(PARKED, **facts, refund_id=known.refund_id, amount_kopecks=known.amount_kopecks)
    return replace(known, state=State.PARKED)


async def forget(db: Database, shop: str, known: Sent) -> None:
    """Forget a refund that has certainly not left us, so that it can be sent."""
    mine = and_(_mine(shop, known.refund_id), _c.state == str(State.SENT))
    async with transaction(db) as tx:
        await tx.execute(delete(tbank_refund).where(mine))


async def resolve(db: Database, shop: str, refund_id: str, happened: bool) -> bool:
    """Write down what a person has found out about a parked refund; False where none is parked.

    One that has not happened is forgotten: whoever still wants it sends it anew. The id is our own,
    with or without dashes.
    """
    mine = and_(_mine(shop, refund_id.replace("-", "")), _c.state == str(State.PARKED))
    done = {"state": str(State.DONE), "answer": "RESOLVED", "answered_at": _c.sent_at}
    async with transaction(db) as tx:
        if happened:
            return (await tx.execute(update(tbank_refund).where(mine).values(done))).rowcount > 0
        return (await tx.execute(delete(tbank_refund).where(mine))).rowcount > 0


async def parked(tx: Tx) -> list[tuple[str, Sent]]:
    """Return the refunds that wait for a person with their shops, oldest first, not all of many."""
    waiting = select(tbank_refund).where(_c.state == str(State.PARKED)).order_by(_c.sent_at)
    return [(row.shop, _sent(row)) for row in await tx.execute(waiting.limit(LISTED_MAX))]


def _mine(shop: str, refund_id: str) -> Any:
    return and_(_c.shop == shop, _c.refund_id == refund_id)


def _row(known: Sent) -> dict[str, Any]:
    return {
        "refund_id": known.refund_id,
        "provider_payment_id": known.payment,
        "amount_kopecks": known.amount_kopecks,
        "baseline_kopecks": known.baseline_kopecks,
        "baseline_status": known.baseline_status,
        "sent_at": known.sent_at,
        "state": str(known.state),
        "answer": known.answer,
        "answered_at": known.answered_at,
    }


def _sent(row: Row[Any]) -> Sent:
    return Sent(
        refund_id=row.refund_id,
        payment=row.provider_payment_id,
        amount_kopecks=row.amount_kopecks,
        baseline_kopecks=row.baseline_kopecks,
        baseline_status=row.baseline_status,
        sent_at=row.sent_at,
        state=State(row.state),
        answer=row.answer,
        answered_at=row.answered_at,
    )
