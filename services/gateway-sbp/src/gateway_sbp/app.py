"""Wires the gateway: the only place that knows both the banks and what a gateway is made of."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from aiohttp import web

from gateway_sbp import paper_rest, recovery, sheet_rest, sheet_work, signed
from gateway_sbp.acquirer import Acquirer, Proven
from gateway_sbp.bank import Bank, Site
from gateway_sbp.settings import Settings
from gateway_sbp.texts import TEXTS
from shared import topology
from shared.clock import Clock, system_clock
from shared.db import Database
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

NAME: Final = "gateway-sbp"
PACKAGE: Final = "gateway_sbp"
PREFIX: Final = "/sbp"
HANDS_MAX: Final = 32

Receiver = Callable[[web.Request], Awaitable[web.Response]]


@dataclass(frozen=True)
class Parts:
    """What the service and its commands are made of."""

    gateway: Gateway
    acquirers: Mapping[str, Acquirer]
    """By the name of the bank, the one that makes new codes first."""
    journal: Journal

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Hold the connections to the banks open, and the journal of what is said there."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.journal.running())
            for acquirer in self.acquirers.values():
                await stack.enter_async_context(acquirer.connected())
            yield


def parts(settings: Settings, clock: Clock = system_clock) -> Parts:
    """Return the parts; nothing is connected yet."""
    db = settings.database(PACKAGE)
    journal = Journal(db, NAME, clock, settings.journal_kept)
    acquirers = {
        bank.name: bank.open(settings, _site(settings, bank, db, journal))
        for bank in settings.named_banks()
    }
    shops = {acquirer.shop: acquirer for acquirer in acquirers.values()}
    first = next(iter(shops))
    hands = _hands(settings.requests_per_second * len(shops))
    gateway = Gateway(
        service=NAME,
        db=db,
        producer=settings.producer(NAME),
        clock=clock,
        signer=settings.signer(),
        vault=settings.vault(),
        providers=shops,
        terms={shop: settings.terms(first=shop == first) for shop in shops},
        tills={shop: one.till for shop, one in shops.items() if one.till is not None},
        keepers=shops,
        enders=shops,
        finders=shops,
        timing=settings.timing(),
        cutover_at=settings.cutover_at,
        callbacks=Pool(hands),
        polls=Pool(hands),
    )
    return Parts(gateway, acquirers, journal)


TOOLS: Final = Tools(PACKAGE, parts, lambda settings, gateway: settings.inlet(gateway.providers))


def build(settings: Settings, clock: Clock = system_clock) -> Service:
    """Return the service; nothing is connected yet."""
    made = parts(settings, clock)
    gateway = made.gateway
    signal = gateway.db.signal(sheet_work.SHEETS)
    sheets = partial(sheet_work.step, gateway, tuple(made.acquirers.values()))
    loops = [
        *work.loops(gateway),
        made.journal.loop(),
        Loop("recovery", partial(recovery.step, gateway), recovery.EVERY_SECONDS),
        Loop("sheets", sheets, gateway.timing.poll_seconds, signal),
        Loop("old sheets", partial(sheet_work.prune, gateway), work.PRUNE_EVERY_SECONDS),
    ]
    watched = settings.folder_of(settings.inlet(gateway.providers))
    if watched is not None:
        step = partial(folder.step, gateway, watched)
        loops.append(Loop("registers", step, folder.EVERY_SECONDS))
    return Service(
        name=NAME,
        db=gateway.db,
        producer=gateway.producer,
        mounts={PREFIX: _application(settings, made)},
        consumers=(work.consumer(gateway, topology.GATEWAY_SBP),),
        loops=loops,
        lifespan=lambda: work.finishing(gateway),
    )


def _site(settings: Settings, bank: Bank, db: Database, journal: Journal) -> Site:
    return Site(
        db=db,
        clock=journal.clock,
        journal=journal,
        callback_url=f"{settings.public_url.rstrip('/')}{PREFIX}/callbacks/{bank.name}",
        code_term=settings.code_term,
        requests_per_second=settings.requests_per_second,
        create_seconds=settings.create_timeout.total_seconds(),
        fetch_seconds=settings.fetch_timeout.total_seconds(),
        breaker_failures=settings.breaker_failures,
        breaker_pauses=settings.breaker_pauses,
        receipts=settings.receipts is not None and settings.receipts.enabled,
    )


def _hands(wanted: float) -> int:
    """As many as get their turn within seconds: more would only hold leases while they wait."""
    return max(1, min(HANDS_MAX, round(wanted)))


def _application(settings: Settings, made: Parts) -> web.Application:
    gateway, limits = made.gateway, settings.limits()
    acquirers = tuple(made.acquirers.values())
    api = rest.build(gateway, limits, "Saldo: payments through SBP", PREFIX)
    reconciliation_rest.add(api, gateway, settings.inlet(gateway.providers))
    paper_rest.add(api, gateway, acquirers, limits)
    sheet_rest.add(api, gateway, limits, NAME, PREFIX)
    app = api.application(settings.api_tokens, body_bytes_max=sheet_rest.BODY_BYTES_MAX)
    app[rest.GATEWAY] = gateway
    pay_page.setup(app, gateway, limits, NAME, pay_page.Own(PACKAGE, TEXTS))
    sheet_rest.setup(app, gateway, NAME)
    intake = Intake(gateway.db, gateway.clock)
    for bank in settings.named_banks():
        receive = _receiver(settings, made, intake, bank)
        app.router.add_post(f"/callbacks/{bank.name}", receive)

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


def _receiver(settings: Settings, made: Parts, intake: Intake, bank: Bank) -> Receiver:
    gateway, acquirer = made.gateway, made.acquirers[bank.name]

    def read(request: web.BaseRequest, body: bytes) -> Nudge | None:
        return acquirer.hear(request.headers, body)

    async def prove(nudge: Nudge, at: datetime) -> None:
        if isinstance(nudge.proof, Proven):
            await signed.book(gateway, nudge.proof, at)

    taking = door.Taking(intake, partial(methods_binding.nudge, gateway), prove, acquirer.answer)
    visitors = door.Visitors(bank.networks(settings), settings.trusted_proxies)
    keeping = Keeping(made.journal, acquirer.masked)
    return door.handler(NAME, read, gateway.clock, visitors, keeping, taking)
