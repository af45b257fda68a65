"""Payments as a provider makes them: random contracts, ids that begin with the second."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random
from uuid import UUID

from bench.books import FIRST_CONTRACT, PROVIDER
from core_billing.accounts import PAYMENT
from core_billing.drafts import Payment
from shared.events import Allocation, Event, PaymentSucceeded
from shared.topology import GATEWAY_YOOKASSA

_EPOCH = 946_728_000
"""2000-01-01T12:00:00Z: YooKassa counts its seconds from here."""


def payments(contracts: int, seed: int) -> Iterator[Payment]:
    """Yield payments without end, each for one of so many contracts."""
    dice = Random(seed)
    while True:
        number = str(FIRST_CONTRACT + dice.randrange(contracts))
        kopecks = dice.randrange(10_000, 150_000)
        yield Payment(
            source=PAYMENT + PROVIDER,
            external_id=external_id(),
            amount_kopecks=kopecks,
            allocations=((number, kopecks),),
            paid_at=datetime.now(UTC),
            method="bank_card",
            order_id=str(UUID(int=dice.getrandbits(128))),
        )


def events(contracts: int, seed: int) -> Iterator[Event]:
    """Yield the gateway's events about such payments, as the bus brings them."""
    for payment in payments(contracts, seed):
        ((number, kopecks),) = payment.allocations
        yield PaymentSucceeded(
            contract=number,
            occurred_at=payment.paid_at,
            provider=PROVIDER,
            provider_payment_id=payment.external_id,
            amount_kopecks=kopecks,
            allocations=(Allocation(contract=number, amount_kopecks=kopecks),),
            method=payment.method,
            paid_at=payment.paid_at,
            order_id=payment.order_id,
        ).event(
            GATEWAY_YOOKASSA,
            subject=payment.order_id or "",
            revision=payment.external_id,
            correlation_id=secrets.token_hex(16),
        )


def external_id() -> str:
    """Make an id of the provider's kind."""
    return f"{int(time.time()) - _EPOCH:08x}-000f-5000-8000-{secrets.token_hex(6)}"
