"""Every message that should reach a subscriber, as a row before it leaves and after.

A message is unique by what it tells: fact, contract, kind and channel. The same fact told again,
under whatever event, finds its row and makes no second message.

::

    new ──▶ ready ──▶ sent
     │        │         └──▶ undelivered    the provider took it and reported so later
     │        ├─────▶ failed     refused for good, or every attempt used up
     │        └─────▶ dropped    stale, or the balance recovered before it left
     └──▶ skipped, failed, dropped    nobody to send it to
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4, uuid5

from sqlalchemy import Row, delete, insert, select, tuple_, update

from notifier.channels.port import ChannelName
from notifier.facts import Fact
from notifier.kinds import KINDS, KindName, Urgency
from notifier.message_table import UNSENT, State, free, in_state, message, schema
from shared.db import Tx, is_postgres, raise_signal
from shared.rows import among, chosen, insert_new

__all__ = ["UNSENT", "State", "message", "schema"]

NEW_SIGNAL: Final = "notifier.new"
CHANNELS: Final[tuple[ChannelName, ...]] = ("sms", "email")
"""Where messages leave unless the settings say otherwise."""
REMINDERS: Final = {"low_balance": "low_balance_reminder"}
"""Kinds of which people are reminded, and how the reminder is called."""
REMINDERS_MAX: Final = 3

_NAMESPACE: Final = UUID("0d6f4f0e-3c0a-5f5b-8a3f-9a8e6a3c5b21")
_EXPIRE_MAX: Final = 1000
PRUNE_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a subscriber is to be told, by every channel that reaches them."""

    fact: str
    contract: str
    kind: KindName
    facts: Fact
    event_id: UUID
    correlation_id: str
    expires_at: datetime


def message_id(fact: str, contract: str, kind: str, channel: str) -> UUID:
    """Return the id of a message; the same words always give the same one."""
    return uuid5(_NAMESPACE, f"{fact}\x1f{contract}\x1f{kind}\x1f{channel}")


async def add(
    tx: Tx,
    notices: Iterable[Notice],
    at: datetime,
    state: State = "new",
    reason: str | None = None,
    *,
    channels: Sequence[ChannelName] = CHANNELS,
    due_at: datetime | None = None,
) -> None:
    """Write a row for each notice and channel; what is already known is left as it is.

    `channels` are those there are; a kind goes to some. Nobody looks at a row before `due_at`.
    """
    rows = [
        _row(n, channel, at, due_at or at, state, reason)
        for n in notices
        for channel in channels
        if goes_to(n.kind, channel)
    ]
    # In one order everywhere: two replicas that write the same rows must not wait in a circle.
    rows.sort(key=lambda row: row["id"])
    if await insert_new(tx, message, rows, "id"):
        raise_signal(tx, NEW_SIGNAL)


async def add_written(
    tx: Tx,
    contract: str,
    kind: str,
    channel: ChannelName,
    sealed: tuple[str, str],
    at: datetime,
    expires_at: datetime,
) -> UUID:
    """Write a message whose words exist already, sealed under a key; it is ready at once."""
    this = uuid4()
    row = {
        "id": this,
        "fact": str(this),
        "contract": contract,
        "kind": kind,
        "channel": channel,
        "urgency": int(Urgency.NOW),
        "state": "ready",
        "facts": "{}",
        "event_id": this,
        "correlation_id": str(this),
        "created_at": at,
        "expires_at": expires_at,
        "due_at": at,
        "sealed": sealed[0],
        "key_id": sealed[1],
    }
    await tx.execute(insert(message).values(row))
    raise_signal(tx, ready_signal(channel))
    return this


def ready_signal(channel: str) -> str:
    """Return the name of the signal that a channel has something to send."""
    return f"notifier.ready.{channel}"


def goes_to(kind: str, channel: str) -> bool:
    """Say whether a kind of message ever goes to a channel; a webhook hears of everything."""
    return channel == "webhook" or channel in KINDS[kind].channels


async def drop(
    tx: Tx,
    notices: Sequence[Notice],
    reason: str,
    at: datetime,
    *,
    channels: Sequence[ChannelName] = CHANNELS,
) -> None:
    """Keep unsent messages from leaving, also those whose event has not come yet.

    One that is being sent at this moment may still be marked as sent, but is not tried again.
    The reminders of a message fall with it.
    """
    await add(tx, notices, at, "dropped", reason, channels=channels)
    # One after the other: whoever waits for a message that is being marked as sent must see, once
    # it is, the reminder that was written with it.
    for keys in ([_key(n) for n in notices], [key for n in notices for key in _reminders(n)]):
        if keys:
            mine = tuple_(message.c.fact, message.c.contract, message.c.kind).in_(keys)
            await tx.execute(
                update(message)
                .where(mine, UNSENT)
                .values(state="dropped", reason=reason, done_at=at)
            )


def _key(notice: Notice) -> tuple[str, str, str]:
    return notice.fact, notice.contract, str(notice.kind)


def _reminders(notice: Notice) -> list[tuple[str, str, str]]:
    kind = REMINDERS.get(notice.kind)
    if kind is None:
        return []
    facts = (reminder_fact(notice.fact, nth) for nth in range(1, REMINDERS_MAX + 1))
    return [(fact, notice.contract, kind) for fact in facts]


def reminder_fact(fact: str, nth: int) -> str:
    """Return the fact of the nth reminder of a fact, counted from 1."""
    return fact if nth == 1 else f"{fact}#{nth}"


async def wake(tx: Tx, contracts: Collection[str], at: datetime) -> None:
    """Let the messages of these contracts look for their recipient at once.

    Those that wait for a moment of their own, such as reminders, have looked for nobody yet.
    """
    if contracts:
        theirs = among(tx, message.c.contract, sorted(contracts))
        waiting = (in_state("new"), message.c.attempts > 0, message.c.due_at > at)
        woken = update(message).where(theirs, *waiting).values(due_at=at)
        if (await tx.execute(woken)).rowcount:
            raise_signal(tx, NEW_SIGNAL)


async def expire(tx: Tx, at: datetime) -> list[Row[Any]]:
    """Drop what has become too old to be told, at most 1000 rows; return them."""
    stale = (
        select(message.c.id)
        .where(UNSENT, message.c.expires_at <= at, free(at))
        .order_by(message.c.expires_at)
        .limit(_EXPIRE_MAX)
        .with_for_update(skip_locked=True)
    )
    dropped = await tx.execute(
        update(message)
        .where(chosen(is_postgres(tx), message.c.id, stale))
        .values(state="dropped", reason="stale", done_at=at)
        .returning(*message.c)
    )
    return list(dropped)


async def prune(tx: Tx, before: datetime) -> int:
    """Delete messages created earlier, at most 10 000; return how many.

    Safe while `before` lies further back than any message stays fresh: a fact told again after
    that would be stale at once.
    """
    old = select(message.c.id).where(message.c.created_at < before).limit(PRUNE_MAX)
    these = chosen(is_postgres(tx), message.c.id, old)
    return (await tx.execute(delete(message).where(these))).rowcount


def _row(
    notice: Notice,
    channel: str,
    at: datetime,
    due_at: datetime,
    state: State,
    reason: str | None,
) -> dict[str, Any]:
    return {
        "id": message_id(notice.fact, notice.contract, notice.kind, channel),
        "fact": notice.fact,
        "contract": notice.contract,
        "kind": notice.kind,
        "channel": channel,
        "urgency": int(KINDS[notice.kind].urgency),
        "state": state,
        "reason": reason,
        "facts": notice.facts.model_dump_json(),
        "event_id": notice.event_id,
        "correlation_id": notice.correlation_id,
        "created_at": at,
        "expires_at": notice.expires_at,
        "due_at": due_at,
        "done_at": None if state in ("new", "ready") else at,
    }
