"""Wires the gateway: the only place that knows both YooKassa and what a gateway is made of."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Final

from aiohttp import web

from gateway_yookassa import wire
from gateway_yookassa.api import YooKassa
from gateway_yookassa.settings import Settings
from shared import topology
from shared.clock import Clock, system_clock
from shared.gateway import door, rest, work
from shared.gateway import web as pay_page
from shared.gateway.gateway import Gateway
from shared.gateway.intake import Intake
from shared.gateway.pool import Pool
from shared.gateway.provider import Nudge
from shared.service import Service

NAME: Final = "gateway-yookassa"
PACKAGE: Final = "gateway_yookassa"
PREFIX: Final = "/yookassa"
HANDS_MAX: Final = 32


def build(settings: Settings, clock: Clock = system_clock) -> Service:
    """Return the service; nothing is connected yet."""
    shops = [YooKassa(shop) for shop in settings.accounts()]
    gateway = Gateway(
        service=NAME,
        db=settings.database(PACKAGE),
        producer=settings.producer(NAME),
        clock=clock,
        signer=settings.signer(),
        vault=settings.vault(),
        providers={shop.shop: shop for shop in shops},
        timing=settings.timing(),
        cutover_at=settings.cutover_at,
        callbacks=Pool(_hands(2 * settings.requests_per_second)),
        polls=Pool(_hands(settings.requests_per_second)),
    )
    return Service(
        name=NAME,
        db=gateway.db,
        producer=gateway.producer,
        mounts={PREFIX: _application(settings, gateway, shops)},
        consumers=(work.consumer(gateway, topology.GATEWAY_YOOKASSA),),
        loops=work.loops(gateway),
        lifespan=lambda: work.finishing(gateway),
    )


def _hands(wanted: float) -> int:
    """As many as get their turn within seconds: more would only hold leases while they wait."""
    return max(1, min(HANDS_MAX, round(wanted)))


def _application(
    settings: Settings, gateway: Gateway, shops: Sequence[YooKassa]
) -> web.Application:
    limits = settings.limits()
    api = rest.build(gateway, limits, "Saldo: payments through YooKassa", PREFIX)
    app = api.application(settings.api_tokens)
    app[rest.GATEWAY] = gateway
    pay_page.setup(app, gateway, limits, NAME)
    intake = Intake(gateway.db, gateway.clock)
    known, default = frozenset(gateway.providers), gateway.maker.shop

    def read(body: bytes) -> Nudge | None:
        return wire.callback(body, known, default)

    visitors = door.Visitors(settings.networks(), settings.trusted_proxies)
    receive = door.handler(NAME, intake, read, gateway.clock, visitors)
    app.router.add_post("/callbacks", receive)

    # Handlers use both, and handlers outlive the loops: so they end with the application.
    async def resources(_app: web.Application) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for shop in shops:
                await stack.enter_async_context(shop.connected())
            stack.push_async_callback(gateway.creations.drain)
            await stack.enter_async_context(intake.running())
            yield

    app.cleanup_ctx.append(resources)
    return app
