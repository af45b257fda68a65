"""What every operation of the simulated YooKassa works with."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from random import Random
from typing import Any

from aiohttp import web

from simulators.clock import SandboxClock
from simulators.settings import SandboxSettings, Shop
from simulators.store import Store
from simulators.yookassa import delivery
from simulators.yookassa.faults import FaultPlan


@dataclass(slots=True)
class Provider:
    """YooKassa's insides: its memory, its clock, its shops and its dice."""

    settings: SandboxSettings
    store: Store
    clock: SandboxClock
    dice: Random
    shops: dict[str, Shop]
    callback_url: str | None
    mischief: delivery.Mischief = field(default_factory=delivery.Mischief)
    faults: FaultPlan = field(default_factory=FaultPlan)
    bell: asyncio.Event = field(default_factory=asyncio.Event)
    """Rings when something may be due earlier than the courier thinks."""

    def announce(self, shop_id: str, event: str, object_: dict[str, Any]) -> None:
        """Have a notification delivered; inside the transaction that makes it true."""
        told = delivery.Told(shop_id, object_)
        delivery.announce(self.store, self.dice, self.mischief, self.clock.now(), event, told)
        self.bell.set()

    def scaled(self, seconds: float) -> int:
        """Return a delay of the provider in milliseconds, at the sandbox's pace."""
        return round(seconds * 1_000 * self.settings.time_scale)

    @property
    def home(self) -> str:
        """Return the address of the sandbox's index: where a payer goes who has nowhere else."""
        return f"{self.settings.public_url.rstrip('/')}/"

    def checkout(self, payment_id: str) -> str:
        """Return the address where a payment is paid."""
        return self.page(f"checkout/payments/v2/contract?orderId={payment_id}")

    def page(self, path: str) -> str:
        """Return the address of a page that a payer opens."""
        return f"{self.home}yookassa/{path}"


PROVIDER: web.AppKey[Provider] = web.AppKey("yookassa-provider", Provider)


def open_provider(settings: SandboxSettings, store: Store, clock: SandboxClock) -> Provider:
    """Make the provider for one sandbox."""
    dice = Random(settings.seed)
    return Provider(
        settings=settings,
        store=store,
        clock=clock,
        dice=dice,
        shops={shop.id: shop for shop in settings.shops},
        callback_url=settings.callback_url,
        faults=FaultPlan(dice),
    )
