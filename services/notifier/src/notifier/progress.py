"""How far the queues are: what waits, in which order it will leave, how fast, and how long yet."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select

from notifier.channels.port import CHANNEL_NAMES
from notifier.kinds import Urgency
from notifier.message_table import DOUBTED, UNSENT, in_state, message
from notifier.settings import Settings
from shared.cli import Command
from shared.clock import system_clock
from shared.db import Tx, reading

WINDOW: Final = timedelta(minutes=1)
"""Of which the present rate is taken."""
HELD: Final = "held"
"""Ready or new, and not due yet: quiet hours, limits, pauses, reminders."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Messages of one channel and urgency that are in the same state."""

    channel: str
    urgency: Urgency
    state: str
    """new, ready or held."""
    count: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a channel is emptied."""

    channel: str
    sent_lately: int
    """In the last minute."""
    seconds_left: int | None
    """Until what is due has left at this rate; None where nothing has left lately."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The state of all queues at one moment."""

    waiting: tuple[Waiting, ...]
    paces: tuple[Pace, ...]
    doubtful: int
    """Sent, perhaps twice, in the last day: their providers could not be asked."""


async def look(tx: Tx, at: datetime) -> Progress:
    """Return the state of all queues."""
    due = message.c.due_at <= at
    groups = (message.c.channel, message.c.urgency, message.c.state, due.label("due"))
    counted = await tx.execute(
        select(*groups, func.count().label("count"), func.min(message.c.created_at).label("oldest"))
        .where(UNSENT)
        .group_by(*groups)
    )
    found: dict[tuple[str, int, str], tuple[int, datetime]] = {}
    for row in counted:
        key = (row.channel, row.urgency, row.state if row.due else HELD)
        count, oldest = found.get(key, (0, row.oldest))
        found[key] = (count + row._mapping["count"], min(oldest, row.oldest))
    waiting = tuple(
        Waiting(channel, Urgency(urgency), state, *found[channel, urgency, state])
        for channel, urgency, state in sorted(found)
    )
    lately = await _lately(tx, at)
    channels = sorted({one.channel for one in waiting} | set(lately))
    paces = tuple(_pace(channel, waiting, lately.get(channel, 0)) for channel in channels)
    return Progress(waiting, paces, await _doubtful(tx, at))


def _pace(channel: str, waiting: tuple[Waiting, ...], lately: int) -> Pace:
    left = sum(one.count for one in waiting if one.channel == channel and one.state != HELD)
    if not left:
        return Pace(channel, lately, 0)
    seconds = round(left * WINDOW.total_seconds() / lately) if lately else None
    return Pace(channel, lately, seconds)


async def _lately(tx: Tx, at: datetime) -> Mapping[str, int]:
    # The channels are named, because the index of attempts begins with them.
    lately = message.c.channel.in_(CHANNEL_NAMES) & (message.c.tried_at > at - WINDOW)
    rows = await tx.execute(
        select(message.c.channel, func.count().label("count"))
        .where(lately, in_state("sent", "undelivered"))
        .group_by(message.c.channel)
    )
    return {row.channel: row._mapping["count"] for row in rows}


async def _doubtful(tx: Tx, at: datetime) -> int:
    day = message.c.created_at > at - timedelta(days=1)
    doubted = select(func.count()).where(day, DOUBTED)
    return int((await tx.execute(doubted)).scalar_one())


async def run(settings: Settings, _args: argparse.Namespace) -> int:
    """Print the state of all queues."""
    db = settings.database("notifier")
    try:
        async with reading(db) as tx:
            found = await look(tx, system_clock())
    finally:
        await db.close()
    for one in found.waiting:
        since = f"{one.oldest:%Y-%m-%d %H:%M}"
        print(f"{one.channel:8} {one.urgency.name.lower():6} {one.state:6} {one.count:>8}  {since}")
    for pace in found.paces:
        left = "unknown" if pace.seconds_left is None else f"{pace.seconds_left} s"
        print(f"{pace.channel}: {pace.sent_lately} in the last minute, time left: {left}")
    print(f"perhaps sent twice in the last day: {found.doubtful}")
    return 0


COMMAND: Final = Command("progress", "show what waits to be sent, and how long it takes yet", run)
