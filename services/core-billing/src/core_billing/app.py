"""Core billing put together: the only place that knows all its parts."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from aiohttp import web

from core_billing import (
    attempts,
    block_gate,
    block_job,
    consumer,
    dead,
    due_jobs,
    fee_jobs,
    pending,
    promise_jobs,
    refund_reminders,
    sessions,
    statement_job,
    timeline,
    topups,
    watch_jobs,
)
from core_billing.rules import Core, Rules
from core_billing.settings import Settings
from core_billing.topups import CARD, PAY_PATHS, Amounts
from core_billing.web import api, cabinet
from core_billing.web.visit import Cabinet
from shared import idempotency
from shared.bus import Bus
from shared.clock import Clock, system_clock
from shared.loop import Loop
from shared.service import Service

NAME: Final = "core-billing"
PACKAGE: Final = "core_billing"
PRUNE_SECONDS: Final = timedelta(minutes=10).total_seconds()
REMIND_SECONDS: Final = 60.0
FEES_SECONDS: Final = 60.0


def core(settings: Settings, clock: Clock = system_clock) -> Core:
    """Return what addresses and commands work with; nothing is connected yet."""
    rules = Rules(
        producer=settings.producer(NAME),
        low_balance_kopecks=settings.low_balance_kopecks,
        margin_percent=settings.margin_percent,
        low_balance_days=settings.low_balance_days,
        fee_notice_days=settings.fee_notice_days,
        cutover_at=settings.cutover_at,
        zone=settings.timezone,
    )
    return Core(settings.database(PACKAGE), rules, settings.vault(), clock)


def build(settings: Settings, clock: Clock = system_clock) -> Service:
    """Return the service: its addresses, what it consumes and what it does by itself."""
    made = core(settings, clock)
    mounts = {
        api.PREFIX: api.application(made, settings.api_tokens),
        "/cabinet": _cabinet(made, settings),
    }
    return Service(
        name=NAME,
        db=made.db,
        producer=made.rules.producer,
        mounts=mounts,
        consumers=consumer.consumers(made.db, made.rules, clock),
        loops=(*_loops(made), *_telling(made, settings)),
        dead=dead.storing(made.db, clock),
        replay=lambda send: dead.replay(made.db, send, clock),
        on_bus=lambda bus: (_blocking(made, settings, bus),),
    )


def _blocking(made: Core, settings: Settings, bus: Bus) -> Loop:
    gate = block_gate.Gate(made, bus.usable)
    return Loop("blocks", lambda: block_job.step(gate), settings.block_seconds)


def _cabinet(made: Core, settings: Settings) -> web.Application:
    gateways = [name for name in PAY_PATHS if name in settings.services] or [CARD]
    return cabinet.application(
        Cabinet(
            db=made.db,
            signer=made.rules.producer.signer,
            clock=made.clock,
            public_url=settings.public_url,
            poll_seconds=settings.poll_seconds,
            trusted_proxies=settings.trusted_proxies,
            suggested_kopecks=settings.topup_suggested.kopecks,
            gateways=gateways,
            saves=settings.save_methods and CARD in gateways,
            services=frozenset(settings.services),
            amounts=Amounts(settings.topup_min.kopecks, settings.topup_max.kopecks),
        )
    )


def _loops(made: Core) -> tuple[Loop, ...]:
    db, clock = made.db, made.clock

    async def forget() -> bool:
        at = clock()
        left = [
            await sessions.prune(db, at),
            await topups.prune(db, at),
            await attempts.prune(db, at),
            await idempotency.prune(db, at),
            await dead.prune(db, at),
            await pending.prune(db, at),
            await timeline.prune(db, at),
        ]
        return max(left) >= idempotency.PRUNE_MAX

    async def remind() -> bool:
        return await refund_reminders.step(made)

    async def promise() -> bool:
        return await promise_jobs.step(made)

    return (
        Loop("forget", forget, PRUNE_SECONDS),
        Loop("refund requests", remind, REMIND_SECONDS),
        Loop("fees", fee_jobs.stepping(made), FEES_SECONDS),
        Loop("promises", promise, promise_jobs.EVERY_SECONDS),
    )


def _telling(made: Core, settings: Settings) -> tuple[Loop, ...]:
    """Return what is said by the calendar, or because money has moved."""
    statements = statement_job.stepping(made, settings.statement_day, settings.statement_hour)

    async def due() -> bool:
        return await due_jobs.step(made)

    return (
        Loop("watches", watch_jobs.stepping(made), watch_jobs.EVERY_SECONDS),
        Loop("contracts due", due, due_jobs.EVERY_SECONDS),
        Loop("statements", statements, statement_job.EVERY_SECONDS),
    )
