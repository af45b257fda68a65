"""Raiffeisen's books in tests: registers as it would send them, and a gateway that reads them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import select

from gateway_sbp import papers, recovery, register_files, signed
from gateway_sbp.acquirer import Proven
from gateway_sbp.registers import Expected
from shared.clock import MOSCOW, ManualClock
from shared.crypto import Signer, Vault, new_encryption_key
from shared.db import Database, reading, transaction
from shared.events import Allocation, Event, decode
from shared.gateway import payments, reconciliation, verifying
from shared.gateway.differences import difference
from shared.gateway.gateway import Gateway, Timing
from shared.gateway.provider import Missing, ProviderPayment, ProviderRefund, Status
from shared.gateway.settle import Payment
from shared.gateway.terms import Terms
from shared.money import Money
from shared.outbox import Producer, outbox
from shared.topology import Topology

MERCHANT = "MA0000099999"
SHOP = f"raiffeisen:{MERCHANT}"
EXPECTED = Expected({MERCHANT: SHOP})
CONTRACT = "100245"
ORDER = papers.order_for(CONTRACT)
PAPER = "AS1000SIMULATEDQRID0000000000001"
CODE = "AD1000SIMULATEDQRID0000000000001"
DAY = date(2026, 2, 3)
NOON = datetime(2026, 2, 3, 12, tzinfo=MOSCOW).astimezone(UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
TIMING = Timing(
    poll=(20 * SECOND,),
    retry=(2 * SECOND,),
    stale=(SECOND,),
    repeat=(MINUTE,),
    list_after=HOUR,
    doubt=MINUTE,
    acknowledged_within=HOUR,
    answer_within=5 * SECOND,
    create_lease=80 * SECOND,
    fetch_lease=16 * SECOND,
    receipts=(30 * SECOND,),
    receipt_overdue=timedelta(days=3),
    poll_seconds=0.001,
)
HEADER = (
    "Мерчант;Дата операции МСК;Тип;id заказа;id возврата;Комментарий;Способ оплаты;Данные оплаты;"
    "id клиента;Сумма;Комиссия;Дополнительные поля"
)


@dataclass(frozen=True)
class Line:
    """A row of a register, as it is written there."""

    at: datetime = NOON
    amount: str = "350.50"
    order: str = ORDER
    qr: str = PAPER
    fee: str = "1.40"
    type: str = "Payment"
    refund: str = ""
    method: str = "Instant Payment QR"
    merchant: str = MERCHANT

    def __str__(self) -> str:
        at = self.at.astimezone(MOSCOW)
        moment = f"{at:%d.%m.%Y} {at.hour}:{at:%M}"
        head = f"{self.merchant};{moment};{self.type};{self.order};{self.refund};;{self.method}"
        return f"{head};{self.qr};0079******12;{self.amount};{self.fee};"


def title(first: date = DAY, last: date | None = None) -> str:
    days = f"{first:%d/%m/%Y}" if last is None else f"{first:%d/%m/%Y} to {last:%d/%m/%Y}"
    return f"Instant Payments C2B Transactions report for {days} / Отчет по СБП за {days}"


def register(
    lines: Iterable[Line] = (), total: str | None = None, fee: str | None = None, **how: Any
) -> bytes:
    """Return a register of these rows, with the totals that belong to them."""
    rows, more = list(lines), how.get("more", "")
    amounts = [Money.parse(line.amount) for line in rows]
    fees = [Money.parse(line.fee) for line in rows]
    total = total or str(sum(amounts, Money(0)))
    fee = fee or str(sum(fees, Money(0)))
    said = [
        how.get("title", title()) + ";" * 11,
        ";" * 11,
        HEADER,
        *map(str, rows),
        f"ИТОГО;;;;;;;;;{total};{fee};",
    ]
    return "".join(f"{line}{more}\r\n" for line in said).encode(how.get("encoding", "cp1251"))


@dataclass
class Bank:
    """A bank account: what it is asked about it knows, or does not."""

    shop: str = SHOP
    test: bool = False
    paid: dict[str, ProviderPayment] = field(default_factory=dict)
    back: dict[str, ProviderRefund] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def fetch(self, provider_payment_id: str) -> Any:
        self.asked.append(provider_payment_id)
        return self.paid.get(provider_payment_id, Missing())

    async def fetch_refund(self, provider_refund_id: str) -> Any:
        self.asked.append(provider_refund_id)
        return self.back.get(provider_refund_id, Missing())

    def pays(self, code: str, amount: int = 35_050, at: datetime = NOON) -> None:
        """Know of a payment by a code for one payment."""
        part = Allocation(contract=CONTRACT, amount_kopecks=amount)
        self.paid[code] = _payment(code, amount, at, allocations=(part,))


def _payment(name: str, amount: int, at: datetime, **more: Any) -> ProviderPayment:
    return ProviderPayment(
        id=name,
        shop=SHOP,
        status=Status.SUCCEEDED,
        said="SUCCESS",
        amount_kopecks=amount,
        currency="RUB",
        test=False,
        created_at=at,
        paid_at=at,
        method="sbp",
        **more,
    )


def proven(
    transaction_id: str,
    at: datetime = NOON,
    amount: int = 35_050,
    order: str = ORDER,
    qr: str = PAPER,
) -> Proven:
    """Return what a callback has proven."""
    return Proven(order, qr, _payment(transaction_id, amount, at))


class Place:
    """A gateway and hands to move it."""

    def __init__(self, gateway: Gateway, clock: ManualClock, bank: Bank) -> None:
        self.gateway, self.clock, self.bank = gateway, clock, bank

    async def callback(self, *args: Any, **more: Any) -> None:
        await signed.book(self.gateway, proven(*args, **more), self.clock())

    async def read(self, body: bytes, name: str = "register.csv") -> Sequence[Any]:
        """Take a file and apply all that it holds; return what was taken."""
        opened = await register_files.receive(EXPECTED, self.gateway, io.BytesIO(body), name)
        taken = []
        for one in opened:
            try:
                taken.append(await reconciliation.apply(self.gateway, one.taken, one.spool))
            finally:
                one.close()
        self.notes = [note.en for one in opened for note in one.notes]
        return taken

    async def recover(self) -> None:
        while await recovery.step(self.gateway):
            pass

    async def pass_time(self, by: timedelta) -> None:
        self.clock.advance(by)
        await self.recover()

    async def ask(self) -> None:
        """Have the bank asked about what differs."""
        while await verifying.step(self.gateway):
            await self.gateway.polls.drain()
        await self.gateway.polls.drain()

    async def said(self, kind: str = "payment.succeeded") -> list[Event]:
        async with reading(self.gateway.db) as tx:
            rows = await tx.execute(select(outbox.c.body).order_by(outbox.c.id))
            events = [decode(row.body) for row in rows]
        return [event for event in events if event.type == kind]

    async def credited(self) -> dict[str, int]:
        """Return what was said to be paid, by the id of the payment."""
        events = await self.said()
        return {one.data["provider_payment_id"]: one.data["amount_kopecks"] for one in events}

    async def rows(self, table: Any) -> list[Any]:
        async with reading(self.gateway.db) as tx:
            return list(await tx.execute(select(table)))

    async def differences(self, state: str = "open") -> dict[str, str]:
        rows = await self.rows(difference)
        return {row.provider_id: row.name for row in rows if row.state == state}

    async def booked(self, code: str, amount: int = 35_050, at: datetime = NOON) -> None:
        """Have a payment by a code for one payment stand here."""
        part = Allocation(contract=CONTRACT, amount_kopecks=amount)
        made = Payment(
            id=uuid4(),
            shop=SHOP,
            status=Status.SUCCEEDED,
            amount_kopecks=amount,
            allocations=(part,),
            correlation_id="corr",
            created_at=at,
            provider_payment_id=code,
            received_kopecks=amount,
            paid_at=at,
        )
        async with transaction(self.gateway.db) as tx:
            assert await payments.insert(tx, made, {})


def make_place(db: Database, at: datetime = NOON) -> Place:
    """Return a gateway on a database."""
    clock, bank, signer = ManualClock(at), Bank(), Signer(["a signing key of the tests"])
    topology = Topology(frozenset({"core-billing", "gateway-sbp"}))
    provider: Any = bank
    gateway = Gateway(
        service="gateway-sbp",
        db=db,
        producer=Producer("gateway-sbp", topology, signer),
        clock=clock,
        signer=signer,
        vault=Vault([new_encryption_key()]),
        providers={SHOP: provider},
        terms={SHOP: Terms(Money(100), Money(100_000_000))},
        timing=TIMING,
    )
    return Place(gateway, clock, bank)
