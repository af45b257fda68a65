"""A terminal of T-Bank for tests, beside the small bank of `sbp_tbank`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from uuid import UUID, uuid4

from pydantic import SecretStr

from gateway_sbp.acquirers.tbank.api import Account, TBank
from sbp_tbank import PASSWORD, TERMINAL, Bank
from shared.clock import ManualClock
from shared.db import Database, transaction
from shared.events import Allocation
from shared.gateway import payments
from shared.gateway.provider import Order, ProviderPayment, RefundOrder, Status
from shared.gateway.settle import Payment

NOON = datetime(2026, 11, 28, 9, tzinfo=UTC)
LIFETIME = timedelta(minutes=30)
PRICE = 35_050


@dataclass
class Place:
    """A terminal, its bank, and the clock of both."""

    shop: TBank
    bank: Bank
    db: Database
    clock: ManualClock
    account: Account

    @classmethod
    def at(cls, url: str, bank: Bank, db: Database) -> Self:
        """Return a terminal of the bank at this address."""
        account = Account(
            terminal_key=TERMINAL,
            password=SecretStr(PASSWORD),
            api_url=url,
            test=True,
            requests_per_second=1000.0,
            lifetime=LIFETIME,
            create_seconds=0.5,
            fetch_seconds=0.5,
        )
        clock = ManualClock(NOON)
        return cls(TBank(account, db, clock), bank, db, clock, account)

    def order(self, **changes: Any) -> Order:
        """Return what is to be paid."""
        part = Allocation(contract="100245", amount_kopecks=PRICE)
        return replace(Order(uuid4(), (part,), PRICE, "https://pay.example/back"), **changes)

    async def code(self, **changes: Any) -> ProviderPayment:
        """Return a code that can be paid, of a payment that our database knows."""
        order = self.order(**changes)
        made = await self.shop.create("key", self.shop.request(order))
        assert isinstance(made, ProviderPayment), made
        await self.know(made, order)
        return made

    async def know(self, made: ProviderPayment, order: Order) -> None:
        """Write a payment down as the gateway does."""
        row = Payment(
            id=order.payment_id,
            shop=self.shop.shop,
            status=Status.PENDING,
            amount_kopecks=order.amount_kopecks,
            allocations=order.allocations,
            correlation_id="c",
            created_at=made.created_at,
            provider_payment_id=made.id,
            expires_at=made.expires_at,
        )
        async with transaction(self.db) as tx:
            assert await payments.insert(tx, row, {})

    async def paid(self) -> str:
        """Return the id of a payment that has succeeded."""
        made = await self.code()
        self.bank.pay(made.id)
        return made.id

    def back(self, payment: str, kopecks: int = 10_000, refund: UUID | None = None) -> bytes:
        """Return the bytes that ask for a refund."""
        whole = kopecks == PRICE
        return self.shop.refund_request(
            RefundOrder(refund or uuid4(), payment, kopecks, whole=whole)
        )
