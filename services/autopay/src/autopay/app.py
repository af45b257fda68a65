"""Autopay put together; nothing else wires its parts."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from autopay import consumer
from autopay.autopay import Autopay, Rules
from autopay.mandate import Limits
from autopay.schedule import Notice
from autopay.settings import Settings
from shared.clock import Clock, system_clock
from shared.service import Service

NAME: Final = "autopay"


def build(settings: Settings, clock: Clock = system_clock) -> Service:
    """Return autopay as a value the runner understands."""
    db = settings.database(NAME)
    autopay = Autopay(db, clock, settings.producer(NAME), rules(settings), settings.public_url)
    return Service(
        name=NAME,
        db=db,
        producer=autopay.producer,
        mounts={},
        consumers=(consumer.make(autopay),),
    )


def rules(settings: Settings) -> Rules:
    """Return what the operator has set."""
    notice = Notice(settings.notice, settings.notice_least, settings.hours)
    short = replace(notice, length=settings.notice_balance)
    return Rules(
        limits=Limits(settings.amount_min.kopecks, settings.amount_max.kopecks),
        notice=notice,
        notice_balance=short,
        not_after=settings.not_after,
        unclear_after=settings.unclear_after,
        late_max=settings.late_max,
        news_wait=settings.news_wait,
        shop_pause=settings.shop_pause,
        link_life=settings.link_life,
    )
