"""Wires the gateway: the only place that knows both YooKassa and what a gateway is made of."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from aiohttp import web

from gateway_yookassa import wire
from gateway_yookassa.api import YooKassa
from gateway_yookassa.settings import Settings
from shared import topology
from shared.clock import Clock, system_clock
from shared.gateway import door, folder, methods_binding, reconciliation_rest, rest, work
from shared.gateway import web as pay_page
from shared.gateway.commands.tools import Tools
from shared.gateway.gateway import Gateway
from shared.gateway.intake import Intake
from shared.gateway.journal import Journal
from shared.gateway.pool import Pool
from shared.gateway.provider import Nudge
from shared.gateway.visits import Keeping
from shared.loop import Loop
from shared.service import Service

NAME: Final = "gateway-yookassa"
PACKAGE: Final = "gateway_yookassa"
PREFIX: Final = "/yookassa"
HANDS_MAX: Final = 32


@dataclass(frozen=True)
class Parts:
    """What the service and its commands are made of."""

    gateway: Gateway
    shops: Sequence[YooKassa]
    journal: Journal

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Hold the connections to YooKassa open, and the journal of what is said there."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.journal.running())
            for shop in self.shops:
                await stack.enter_async_context(shop.client.connected())
            yield


def parts(settings: Settings, clock: Clock = system_clock) -> Parts:
    """Return the parts; nothing is connected yet."""
    accounts, db = settings.accounts(), settings.database(PACKAGE)
    journal = Journal(db, NAME, clock, settings.journal_kept)
    shops = [YooKassa(shop, journal) for shop in accounts]
    pace = sum(shop.requests_per_second for shop in accounts)
    gateway = Gateway(
        service=NAME,
        db=db,
        producer=settings.producer(NAME),
        clock=clock,
        signer=settings.signer(),
        vault=settings.vault(),
        providers={shop.shop: shop for shop in shops},
        terms=settings.terms(),
        tills={shop.shop: shop for shop in shops},
        keepers={shop.shop: shop for shop in shops},
        timing=settings.timing(),
        cutover_at=settings.cutover_at,
        sweep_at=settings.sweep_at,
        callbacks=Pool(_hands(2 * pace)),
        polls=Pool(_hands(pace)),
        printing=Pool(_hands(pace / 4)),
    )
    return Parts(gateway, shops, journal)


TOOLS: Final = Tools(PACKAGE, parts, lambda settings, gateway: settings.inlet(gateway.providers))


def build(settings: Settings, clock: Clock = system_clock) -> Service:
    """Return the service; nothing is connected yet."""
    made = parts(settings, clock)
    gateway = made.gateway
    loops = [*work.loops(gateway), made.journal.loop()]
    if (watched := settings.folder_of(settings.inlet(gateway.providers))) is not None:
        step = partial(folder.step, gateway, watched)
        loops.append(Loop("registers", step, folder.EVERY_SECONDS))
    return Service(
        name=NAME,
        db=gateway.db,
        producer=gateway.producer,
        mounts={PREFIX: _application(settings, made)},
        consumers=(work.consumer(gateway, topology.GATEWAY_YOOKASSA),),
        loops=loops,
        lifespan=lambda: work.finishing(gateway),
    )


def _hands(wanted: float) -> int:
    """As many as get their turn within seconds: more would only hold leases while they wait."""
    return max(1, min(HANDS_MAX, round(wanted)))


def _application(settings: Settings, made: Parts) -> web.Application:
    gateway, limits = made.gateway, settings.limits()
    api = rest.build(gateway, limits, "Saldo: payments through YooKassa", PREFIX)
    reconciliation_rest.add(api, gateway, settings.inlet(gateway.providers))
    app = api.application(settings.api_tokens)
    app[rest.GATEWAY] = gateway
    pay_page.setup(app, gateway, limits, NAME)
    intake = Intake(gateway.db, gateway.clock)
    known, default = frozenset(gateway.providers), made.shops[0].shop

    def read(_request: web.BaseRequest, body: bytes) -> Nudge | None:
        return wire.callback(body, known, default)

    visitors = door.Visitors(settings.networks(), settings.trusted_proxies)
    keeping = Keeping(made.journal, wire.masked_body)
    taking = door.Taking(intake, partial(methods_binding.nudge, gateway))
    receive = door.handler(NAME, read, gateway.clock, visitors, keeping, taking)
    app.router.add_post("/callbacks", receive)

    # Handlers use all three, and handlers outlive the loops: so they end with the application.
    async def resources(_app: web.Application) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(made.connected())
            for pool in (gateway.creations, gateway.registers):
                stack.push_async_callback(pool.drain)
            await stack.enter_async_context(intake.running())
            yield

    app.cleanup_ctx.append(resources)
    return app
