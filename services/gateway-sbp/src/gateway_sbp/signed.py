"""Payments by codes on paper: what a bank has signed, booked once.

Two keys guard each: the transaction, which is not signed, and what is: order, amount and moment.
Whatever agrees with one of them and not with the other is an alarm and no credit: a genuine
callback told again under another transaction would otherwise be money twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import BigInteger, Column, Row, Table, Text, UniqueConstraint, and_, or_, select
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from gateway_sbp import papers
from gateway_sbp.acquirer import Proven
from shared.db import Database, Instant, Tx, is_postgres, metadata, reading, transaction
from shared.events import Allocation
from shared.gateway import settling
from shared.gateway.gateway import Gateway
from shared.gateway.provider import ProviderPayment, Status
from shared.gateway.settle import Decision
from shared.gateway.settling import Truth
from shared.metrics import alarm

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
)


@dataclass(frozen=True, slots=True)
class SignedPayment:
    """A payment that was booked by its signature."""

    order: str
    payment: ProviderPayment


async def book(gateway: Gateway, proven: Proven, at: datetime) -> None:
    """Book a signed payment, once; told again it changes nothing, a clash is an alarm."""
    payment = proven.payment
    async with transaction(gateway.db) as tx:
        contract = await papers.contract_of(tx, payment.shop, proven.order)
        clash = not await _insert(tx, proven, contract, at) and not await _repeats(tx, proven)
        decisions = [] if clash else await _absorb(tx, gateway, payment, contract, at)
    if clash:
        facts = {"provider": payment.shop, "provider_payment_id": payment.id}
        alarm(CLASH, **facts, order=proven.order, amount_kopecks=payment.amount_kopecks)
    for decision in decisions:
        settling.announce(decision)


async def find(db: Database, shop: str, transaction_id: str) -> SignedPayment | None:
    """Return a payment that was booked so."""
    s = signed_payment.c
    where = and_(s.shop == shop, s.transaction_id == transaction_id)
    async with reading(db) as tx:
        row = (await tx.execute(select(signed_payment).where(where))).one_or_none()
    return None if row is None else _payment(row)


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
    return SignedPayment(row.order_id, payment)


def _whose(contract: str | None, kopecks: int) -> tuple[Allocation, ...]:
    return () if contract is None else (Allocation(contract=contract, amount_kopecks=kopecks),)
