"""Autopay put together; nothing else wires its parts."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from autopay import consumer, expiring, work
from autopay.autopay import Autopay, Rules
from autopay.mandate import Limits
from autopay.schedule import Notice
from autopay.settings import Settings
from autopay.web.application import PREFIX, application
from shared import idempotency
from shared.clock import Clock, system_clock
from shared.loop import Loop
from shared.service import Service

NAME: Final = "autopay"
ASK_SECONDS: Final = 15.0
SLOW_SECONDS: Final = 60.0
EXPIRING_SECONDS: Final = 3600.0
PRUNE_SECONDS: Final = 3600.0


def build(settings: Settings, clock: Clock = system_clock) -> Service:
    """Return autopay as a value the runner understands."""
    autopay = made(settings, clock)
    return Service(
        name=NAME,
        db=autopay.db,
        producer=autopay.producer,
        mounts={PREFIX: application(autopay, settings.api_tokens, settings.trusted_proxies)},
        consumers=(consumer.make(autopay),),
        loops=loops(settings, autopay),
    )


def made(settings: Settings, clock: Clock) -> Autopay:
    """Return what the parts of autopay are given."""
    db = settings.database(NAME)
    return Autopay(db, clock, settings.producer(NAME), rules(settings), settings.public_url)


def loops(settings: Settings, autopay: Autopay) -> tuple[Loop, ...]:
    """Return what autopay does by itself."""
    return (
        Loop("announce", partial(work.announce_due, autopay), settings.poll_seconds),
        Loop("request", partial(work.request_due, autopay), settings.poll_seconds),
        Loop("look", partial(work.look_due, autopay), settings.poll_seconds),
        Loop("ask again", partial(work.ask_again, autopay), ASK_SECONDS),
        Loop("unclear", partial(work.watch_unclear, autopay), SLOW_SECONDS),
        Loop("expiring", partial(expiring.step, autopay), EXPIRING_SECONDS),
        Loop("prune", partial(_prune, autopay), PRUNE_SECONDS),
    )


async def _prune(autopay: Autopay) -> bool:
    """Forget old idempotency keys; say whether there are more."""
    return await idempotency.prune(autopay.db, autopay.clock()) >= idempotency.PRUNE_MAX


def rules(settings: Settings) -> Rules:
    """Return what the operator has set."""
    notice = Notice(settings.notice, settings.notice_least, settings.hours)
    least = min(notice.least, settings.notice_balance)
    short = replace(notice, length=settings.notice_balance, least=least)
    return Rules(
        limits=Limits(settings.amount_min.kopecks, settings.amount_max.kopecks),
        notice=notice,
        notice_balance=short,
        not_after=settings.not_after,
        unclear_after=settings.unclear_after,
        late_max=settings.late_max,
        news_wait=settings.news_wait,
        link_life=settings.link_life,
        retries=settings.retry_rules(),
    )
