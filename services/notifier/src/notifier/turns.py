"""Whose turn it is where a message goes by one channel after the other.

Each channel has its row from the beginning. The later ones wait as new messages that look again
from time to time, and at once when an earlier one has failed; so a death in between loses nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import Row, and_, or_, select, tuple_, update

from notifier.journal import NEW_SIGNAL
from notifier.message_table import in_state, message
from shared.db import Tx, raise_signal

LOOK_AGAIN: Final = timedelta(minutes=10)
TOLD: Final = "told"
"""Why a later channel stays silent."""

Key = tuple[str, str, str]
"""Fact, contract and kind: what the rows of one message have in common."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a channel has before the next one takes over."""

    stuck: timedelta = timedelta(hours=1)
    """A channel that has been trying all this time and got nothing through."""
    report: timedelta = timedelta(hours=1)
    """After this without a report of the provider a sent message counts as delivered."""


DEFAULT_PATIENCE: Final = Patience()


@dataclass(frozen=True, slots=True)
class Turn:
    """What a later channel does: take its turn, wait until a moment, or stay silent."""

    what: Literal["go", "wait", "told"]
    until: datetime | None = None
    gives_way: tuple[UUID, ...] = ()
    """Messages of stuck channels, which must not leave afterwards."""


async def siblings(tx: Tx, keys: Sequence[Key]) -> dict[Key, dict[str, Row[Any]]]:
    """Return the rows of messages by channel."""
    found: dict[Key, dict[str, Row[Any]]] = {}
    if keys:
        told = tuple_(message.c.fact, message.c.contract, message.c.kind)
        rows = await tx.execute(select(message).where(told.in_(sorted(set(keys)))))
        for row in rows:
            found.setdefault((row.fact, row.contract, row.kind), {})[row.channel] = row
    return found


async def silent(tx: Tx, channels: Sequence[str], patience: Patience, at: datetime) -> set[str]:
    """Return the channels that have got nothing through for a while, although they tried."""
    out = set()
    for channel in channels:
        lately = (message.c.channel == channel) & (message.c.tried_at > at - patience.stuck)
        through = lately & in_state("sent", "undelivered")
        # In this order the index of attempts is read, and no more than a while of it.
        newest = select(message.c.id).where(through).order_by(message.c.tried_at.desc()).limit(1)
        one = await tx.execute(newest)
        if one.first() is None:
            out.add(channel)
    return out


def turn(
    earlier: Sequence[Row[Any]], silent: Mapping[str, bool], patience: Patience, at: datetime
) -> Turn:
    """Decide for a row by those that go before it, in their order."""
    gives_way: list[UUID] = []
    for row in earlier:
        if row.state == "sent":
            if row.report == "delivered" or at >= row.done_at + patience.report:
                return Turn("told")
            return Turn("wait", min(at + LOOK_AGAIN, row.done_at + patience.report))
        if row.state in ("new", "ready"):
            if not _stuck(row, silent, patience, at):
                return Turn("wait", at + LOOK_AGAIN)
            gives_way.append(row.id)
    return Turn("go", gives_way=tuple(gives_way))


def _stuck(row: Row[Any], silent: Mapping[str, bool], patience: Patience, at: datetime) -> bool:
    """Say whether a message cannot leave because its channel does not work.

    One on its way this moment is left alone, and so is one that only waits for its hour.
    """
    if row.state != "ready" or (row.zone is not None and row.due_at > at and row.reason is None):
        return False
    on_its_way = row.leased_until is not None and row.leased_until > at
    return silent.get(row.channel, False) and not on_its_way and _old(row, patience, at)


def _old(row: Row[Any], patience: Patience, at: datetime) -> bool:
    return bool(row.created_at <= at - patience.stuck)


async def call_next(tx: Tx, failed: Collection[Key], at: datetime) -> None:
    """Let the other channels of messages take their turn at once.

    Also one that was silent because no report had come in time, while it is still of use.
    """
    if failed:
        told = tuple_(message.c.fact, message.c.contract, message.c.kind)
        silent = and_(in_state("skipped"), message.c.reason == TOLD, message.c.expires_at > at)
        theirs = (or_(in_state("new"), silent), told.in_(sorted(failed)))
        woken = update(message).where(*theirs)
        woken = woken.values(state="new", reason=None, done_at=None, due_at=at)
        if (await tx.execute(woken)).rowcount:
            raise_signal(tx, NEW_SIGNAL)
