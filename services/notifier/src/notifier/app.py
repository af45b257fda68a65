"""The notifier put together; nothing else wires its parts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Final

from notifier import (
    access,
    access_delivery,
    consumer,
    delivery,
    journal,
    prepare,
    reports,
    unreachable,
    web,
    web_access,
    web_preferences,
    web_preview,
    web_progress,
    web_reports,
    web_templates,
    webhook,
)
from notifier.access_delivery import Lane, Target
from notifier.channels import making
from notifier.channels.port import Channel
from notifier.choosing import Choosing
from notifier.consumer import Freshness
from notifier.delivery import Delivery, Patience
from notifier.links import Links
from notifier.pages import application
from notifier.prepare import Preparation
from notifier.reports import Reports
from notifier.settings import Settings
from notifier.web_reports import Box
from notifier.web_templates import Desk
from shared.clock import Clock, system_clock
from shared.db import Database, reading, transaction
from shared.loop import Loop
from shared.service import Service

NAME: Final = "notifier"
PRUNE_SECONDS: Final = 3600.0
WATCH_SECONDS: Final = 60.0
AREAS: Final = (
    web,
    web_access,
    web_templates,
    web_preview,
    web_preferences,
    web_progress,
)
"""The areas of the API: importing them registers their addresses."""


def build(settings: Settings, clock: Clock = system_clock) -> Service:
    """Return the notifier as a value the runner understands."""
    db = settings.database(NAME)
    vault = settings.vault()
    api = web.api.application(settings.api_tokens)
    api[web.DB] = db
    api[web.VAULT] = vault
    api[web_templates.DESK] = Desk(
        clock,
        settings.operator_name,
        _cabinet(settings),
        settings.sms_price_kopecks,
        settings.operator_names,
    )
    here = _choosing(settings, db, clock)
    api[web_preferences.CHOOSING] = here
    application.mount(api, here, settings.signer(), settings.public_url)
    freshness = Freshness(settings.payment_max_age, settings.low_balance_max_age)
    reporting = Reports(db, vault, clock, settings.reaching(), settings.producer(NAME))
    web_reports.mount(api, _box(settings, reporting))
    deliveries = [
        Delivery(
            db,
            vault,
            channel,
            _patience(settings, channel),
            clock,
            settings.rules(),
            settings.reaching(),
            settings.producer(NAME),
        )
        for channel in making.channels(settings, reporting, clock)
    ]
    lane = _lane(settings, db, clock)
    return Service(
        name=NAME,
        db=db,
        producer=settings.producer(NAME),
        mounts={web.PREFIX: api},
        consumers=(consumer.make(db, vault, freshness, clock, settings.reaching()),),
        loops=(
            _preparing(settings, db, clock),
            *(_delivering(settings, d) for d in deliveries),
            *_controlling(settings, lane),
            _pruning(settings, db, clock),
            Loop("reports", partial(reports.step, reporting), reports.STEP_SECONDS),
            Loop("unreachable", partial(_count_unreachable, db), WATCH_SECONDS),
        ),
        lifespan=lambda: _open([d.channel for d in deliveries], lane),
    )


@asynccontextmanager
async def _open(channels: list[Channel], lane: Lane | None) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        if lane is not None:
            await stack.enter_async_context(access_delivery.opened(lane))
        for channel in channels:
            await stack.enter_async_context(channel.opened())
        yield


def _box(settings: Settings, reporting: Reports) -> Box:
    return Box(
        reporting,
        settings.report_secret.get_secret_value(),
        settings.report_networks or None,
        settings.trusted_proxies,
        web_reports.readers(settings.smsru_api_id.get_secret_value()),
    )


def _patience(settings: Settings, channel: Channel) -> Patience:
    return Patience(
        attempts_max=settings.attempts_max,
        delays=settings.delivery_delays,
        timeout=settings.send_timeout,
        per_second=making.per_second(settings, channel),
    )


def _preparing(settings: Settings, db: Database, clock: Clock) -> Loop:
    vault = settings.vault()
    how = Preparation(
        operator=settings.operator_name,
        operators=settings.operator_names,
        cabinet_url=_cabinet(settings),
        recipient_wait=settings.recipient_wait,
        look_delays=settings.recipient_delays,
        reaching=settings.reaching(),
        quiet=settings.rules().quiet,
        patience=settings.turns(),
        links=Links(settings.signer(), settings.public_url),
        producer=settings.producer(NAME),
    )

    async def step() -> bool:
        return await prepare.step(db, vault, how, clock)

    return Loop("prepare", step, settings.poll_seconds, db.signal(journal.NEW_SIGNAL))


def _cabinet(settings: Settings) -> str:
    return f"{settings.public_url}/cabinet/"


def _delivering(settings: Settings, deliver: Delivery) -> Loop:
    async def step() -> bool:
        return await delivery.step(deliver)

    # At least once a second, because a channel's rate is counted in seconds.
    pause = min(1.0, settings.poll_seconds)
    name = deliver.channel.name
    return Loop(f"deliver-{name}", step, pause, deliver.db.signal(journal.ready_signal(name)))


def _lane(settings: Settings, db: Database, clock: Clock) -> Lane | None:
    """Return the way to the access controller; None where there is none, and states are kept."""
    url = settings.webhook_url.get_secret_value()
    if not url:
        return None
    target = Target(
        url=url,
        secrets=tuple(webhook.secret(s.get_secret_value()) for s in settings.webhook_secrets),
        timeout=settings.webhook_timeout,
        delays=settings.webhook_delays,
        parallel=settings.webhook_parallel,
    )
    return Lane(db, clock, target)


def _controlling(settings: Settings, lane: Lane | None) -> tuple[Loop, ...]:
    if lane is None:
        return ()
    pause = min(1.0, settings.poll_seconds)
    return (
        Loop("access", partial(access_delivery.step, lane), pause, lane.db.signal(access.SIGNAL)),
        Loop("access-watch", partial(access_delivery.watch, lane), WATCH_SECONDS),
    )


def _choosing(settings: Settings, db: Database, clock: Clock) -> Choosing:
    return Choosing(
        db,
        settings.vault(),
        clock,
        settings.reaching(),
        settings.producer(NAME),
        settings.low_balance_kopecks,
        settings.operator_name,
        settings.operator_names,
    )


async def _count_unreachable(db: Database) -> bool:
    async with reading(db) as tx:
        await unreachable.count(tx)
    return False


def _pruning(settings: Settings, db: Database, clock: Clock) -> Loop:
    keep: timedelta = settings.keep_messages

    async def step() -> bool:
        async with transaction(db) as tx:
            return await journal.prune(tx, clock() - keep) >= journal.PRUNE_MAX

    return Loop("prune", step, PRUNE_SECONDS)
