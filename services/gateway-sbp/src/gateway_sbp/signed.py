"""Payments by codes on paper: what a bank has signed, booked once.

Two keys guard each: the transaction, which is not signed, and what is: order, amount and moment.
Whatever agrees with one of them and not with the other is an alarm and no credit: a genuine
callback told again under another transaction would otherwise be money twice. A payment that was
recovered from the bank's register before its callback came stays that payment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import NAMESPACE_URL, uuid5

import structlog
from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Row,
    Table,
    Text,
    UniqueConstraint,
    and_,
    exists,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from gateway_sbp import paper_rows, papers, row_events
from gateway_sbp.acquirer import Proven
from gateway_sbp.paper_row import Key, PaperRow, State
from gateway_sbp.paper_rows import paper_row
from shared.db import Database, Instant, Tx, is_postgres, metadata, reading, transaction
from shared.events import Allocation
from shared.gateway import settling
from shared.gateway.gateway import Gateway
from shared.gateway.provider import ProviderPayment, Status
from shared.gateway.settle import Decision
from shared.gateway.settling import Truth
from shared.metrics import alarm
from shared.money import RUB

CLASH: Final = "signed_payment_clash"

_log = structlog.get_logger(__name__)

schema = metadata()
signed_payment = Table(
    "signed_payment",
    schema,
    Column("shop", Text, primary_key=True),
    Column("transaction_id", Text, primary_key=True),
    Column("order_id", Text, nullable=False),
    Column("qr_id", Text, nullable=False),
    Column("amount_kopecks", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("paid_at", Instant, nullable=False),
    Column("contract", Text),
    Column("received_at", Instant, nullable=False),
    UniqueConstraint("shop", "order_id", "amount_kopecks", "paid_at", name="uq_signed_payment"),
    Index("ix_signed_payment_code", "shop", "qr_id", "paid_at"),
)


@dataclass(frozen=True, slots=True)
class SignedPayment:
    """A payment by a code on paper, as it was booked."""

    order: str
    payment: ProviderPayment
    transaction: str | None
    """None for one that is known from the register alone: its callback was lost."""


async def book(gateway: Gateway, proven: Proven, at: datetime) -> None:
    """Book a signed payment, once; told again it changes nothing, a clash is an alarm."""
    payment = proven.payment
    async with transaction(gateway.db) as tx:
        key = _key(proven)
        await paper_rows.lock(tx, [key])
        contract = await papers.contract_of(tx, payment.shop, proven.order)
        new = await _insert(tx, proven, contract, at)
        clash = not new and not await _repeats(tx, proven)
        row = await _row_of(tx, gateway, key, payment.id, at, new=new)
        recovered = row is not None and row.state is State.RECOVERED
        credit = not clash and not recovered
        decisions = await _absorb(tx, gateway, payment, contract, at) if credit else []
    if clash:
        facts = {"provider": payment.shop, "provider_payment_id": payment.id}
        alarm(CLASH, **facts, order=proven.order, amount_kopecks=payment.amount_kopecks)
    for decision in decisions:
        settling.announce(decision)


async def find(db: Database, shop: str, payment_id: str) -> SignedPayment | None:
    """Return a payment that was booked so, by its transaction or by the row of a register."""
    async with reading(db) as tx:
        row = await paper_rows.find(tx, shop, payment_id)
        if row is None:
            row = await paper_rows.find_transaction(tx, shop, payment_id)
        if row is not None and row.state is State.RECOVERED:
            payment = recovered(row, test=False)
            return SignedPayment(row.key.order, payment, row.transaction_id)
        s = signed_payment.c
        transaction_id = payment_id if row is None else row.transaction_id
        where = and_(s.shop == shop, s.transaction_id == transaction_id)
        found = (await tx.execute(select(signed_payment).where(where))).one_or_none()
    return None if found is None else _payment(found)


async def unmatched(tx: Tx, key: Key, near: timedelta = timedelta(0)) -> list[str]:
    """Return the transactions of a key that no row of a register is yet, oldest first.

    `near` widens its minute on both sides.
    """
    s = signed_payment.c
    row = and_(paper_row.c.shop == s.shop, paper_row.c.transaction_id == s.transaction_id)
    any_code = s.qr_id.in_([key.qr_id, ""]) if key.qr_id else true()
    query = (
        select(s.transaction_id)
        .where(s.shop == key.shop, s.order_id == key.order)
        .where(s.amount_kopecks == key.amount_kopecks, any_code)
        .where(s.paid_at >= key.minute - near, s.paid_at < key.until + near)
        .where(not_(exists().where(row)))
        .order_by(s.paid_at, s.transaction_id)
    )
    return list((await tx.execute(query)).scalars())


async def of_day(
    tx: Tx, shop: str, qr_id: str, amount_kopecks: int, since: datetime, until: datetime
) -> list[str]:
    """Return the transactions by a code and of an amount between two moments, oldest first."""
    s = signed_payment.c
    mine = and_(s.shop == shop, s.qr_id == qr_id, s.amount_kopecks == amount_kopecks)
    query = select(s.transaction_id).where(mine, s.paid_at >= since, s.paid_at < until)
    return list((await tx.execute(query.order_by(s.paid_at, s.transaction_id))).scalars())


async def code_of(tx: Tx, shop: str, payment_id: str) -> str | None:
    """Return the code that a payment was made by, where that was a code on paper."""
    s = signed_payment.c
    mine = and_(s.shop == shop, s.transaction_id == payment_id)
    found = (await tx.execute(select(s.qr_id).where(mine))).scalar()
    if found is not None:
        return str(found)
    row = await paper_rows.find(tx, shop, payment_id)
    return None if row is None else row.key.qr_id


def recovered(row: PaperRow, *, test: bool) -> ProviderPayment:
    """Return the payment that a row of a register is, where its callback was lost."""
    return ProviderPayment(
        id=row.id,
        shop=row.key.shop,
        status=Status.SUCCEEDED,
        said="REGISTER",
        amount_kopecks=row.key.amount_kopecks,
        currency=RUB,
        test=test,
        created_at=row.key.minute,
        paid_at=row.key.minute,
        method="sbp",
        payment_id=uuid5(NAMESPACE_URL, f"sbp:{row.key.shop}:{row.id}"),
        allocations=_whose(row.contract, row.key.amount_kopecks),
    )


async def _row_of(
    tx: Tx, gateway: Gateway, key: Key, transaction_id: str, at: datetime, *, new: bool
) -> PaperRow | None:
    """Return the row of the bank's register that a payment is, found now where it is new."""
    if not new:
        return await paper_rows.find_transaction(tx, key.shop, transaction_id)
    row = await paper_rows.claim(tx, key, transaction_id)
    if row is not None and row.state is State.MATCHED:
        await row_events.say(tx, gateway, row, at)
    return row


async def _absorb(
    tx: Tx, gateway: Gateway, payment: ProviderPayment, contract: str | None, at: datetime
) -> list[Decision | None]:
    whose = _whose(contract, payment.amount_kopecks)
    truth = Truth(payment.shop, replace(payment, allocations=whose), payment.payment_id)
    return await settling.absorb(tx, gateway, [truth], at)


async def _insert(tx: Tx, proven: Proven, contract: str | None, at: datetime) -> bool:
    payment = proven.payment
    make = postgres_insert if is_postgres(tx) else sqlite_insert
    row = {
        "shop": payment.shop,
        "transaction_id": payment.id,
        "order_id": proven.order,
        "qr_id": proven.qr_id,
        "amount_kopecks": payment.amount_kopecks,
        "currency": payment.currency,
        "paid_at": payment.paid_at,
        "contract": contract,
        "received_at": at,
    }
    statement = make(signed_payment).values(**row).on_conflict_do_nothing()
    return (await tx.execute(statement.returning(signed_payment.c.shop))).first() is not None


async def _repeats(tx: Tx, proven: Proven) -> bool:
    """Say whether what stands there already is this very payment, by both keys."""
    s, payment = signed_payment.c, proven.payment
    fact = (s.order_id, s.amount_kopecks, s.paid_at)
    said = (proven.order, payment.amount_kopecks, payment.paid_at)
    signed = and_(*(column == value for column, value in zip(fact, said, strict=True)))
    where = and_(s.shop == payment.shop, or_(s.transaction_id == payment.id, signed))
    rows = (await tx.execute(select(s.transaction_id, *fact).where(where))).all()
    return [tuple(row) for row in rows] == [(payment.id, *said)]


def _payment(row: Row[tuple[object, ...]]) -> SignedPayment:
    payment = ProviderPayment(
        id=row.transaction_id,
        shop=row.shop,
        status=Status.SUCCEEDED,
        said="SUCCESS",
        amount_kopecks=row.amount_kopecks,
        currency=row.currency,
        test=False,
        created_at=row.paid_at,
        paid_at=row.paid_at,
        method="sbp",
        allocations=_whose(row.contract, row.amount_kopecks),
    )
    return SignedPayment(row.order_id, payment, row.transaction_id)


def _key(proven: Proven) -> Key:
    payment = proven.payment
    at = payment.paid_at or payment.created_at
    return Key.of(payment.shop, proven.order, proven.qr_id, payment.amount_kopecks, at)


def _whose(contract: str | None, kopecks: int) -> tuple[Allocation, ...]:
    return () if contract is None else (Allocation(contract=contract, amount_kopecks=kopecks),)
