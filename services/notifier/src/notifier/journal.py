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
from typing import Any, Final, Literal
from uuid import UUID, uuid5

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Index,
    Integer,
    Row,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    delete,
    false,
    literal,
    or_,
    select,
    tuple_,
    update,
)

from notifier.channels.port import ChannelName
from notifier.messages import Facts, Kind
from shared.db import Instant, Tx, is_postgres, metadata, raise_signal
from shared.rows import chosen, insert_new

NEW_SIGNAL: Final = "notifier.new"
CHANNELS: Final[tuple[ChannelName, ...]] = ("sms", "email")
UNSENT: Final = ("new", "ready")

State = Literal["new", "ready", "sent", "undelivered", "failed", "dropped", "skipped"]

_NAMESPACE: Final = UUID("0d6f4f0e-3c0a-5f5b-8a3f-9a8e6a3c5b21")
_EXPIRE_MAX: Final = 1000
PRUNE_MAX: Final = 10_000

schema = metadata()
message = Table(
    "message",
    schema,
    Column("id", Uuid, primary_key=True),
    Column("fact", Text, nullable=False),
    Column("contract", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("facts", Text, nullable=False),
    Column("event_id", Uuid, nullable=False),
    Column("correlation_id", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("doubtful", Boolean, nullable=False, server_default=false()),
    Column("sealed", Text),
    Column("key_id", Text),
    Column("tried_at", Instant),
    Column("provider_id", Text),
    Column("done_at", Instant),
    Column("lease_token", Uuid),
    Column("leased_until", Instant),
    # What the provider has reported since: delivered, undelivered or expired.
    Column("report", Text),
    Column("delivered_at", Instant),
    UniqueConstraint("fact", "contract", "kind", "channel"),
)
_unsent = message.c.state.in_(UNSENT)
Index(
    "ix_message_unsent",
    message.c.state,
    message.c.channel,
    message.c.due_at,
    postgresql_where=_unsent,
    sqlite_where=_unsent,
)
_NAMED = message.c.provider_id.is_not(None)
Index(
    "ix_message_provider",
    message.c.channel,
    message.c.provider_id,
    postgresql_where=_NAMED,
    sqlite_where=_NAMED,
)
Index("ix_message_tried", message.c.channel, message.c.tried_at)
Index("ix_message_contract", message.c.contract, message.c.created_at)
Index("ix_message_created", message.c.created_at, message.c.id)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a subscriber is to be told, by every channel that reaches them."""

    fact: str
    contract: str
    kind: Kind
    facts: Facts
    event_id: UUID
    correlation_id: str
    expires_at: datetime


def message_id(fact: str, contract: str, kind: str, channel: str) -> UUID:
    """Return the id of a message; the same words always give the same one."""
    return uuid5(_NAMESPACE, f"{fact}\x1f{contract}\x1f{kind}\x1f{channel}")


async def add(
    tx: Tx, notices: Iterable[Notice], at: datetime, state: State = "new", reason: str | None = None
) -> None:
    """Write a row for each notice and channel; what is already known is left as it is."""
    rows = [_row(n, channel, at, state, reason) for n in notices for channel in CHANNELS]
    # In one order everywhere: two replicas that write the same rows must not wait in a circle.
    rows.sort(key=lambda row: row["id"])
    if await insert_new(tx, message, rows, "id"):
        raise_signal(tx, NEW_SIGNAL)


async def drop(tx: Tx, notices: Sequence[Notice], reason: str, at: datetime) -> None:
    """Keep unsent messages from leaving, also those whose event has not come yet.

    One that is being sent at this moment may still be marked as sent, but is not tried again.
    """
    await add(tx, notices, at, "dropped", reason)
    told = tuple_(message.c.fact, message.c.contract, message.c.kind)
    mine = told.in_([(n.fact, n.contract, n.kind) for n in notices])
    await tx.execute(
        update(message).where(mine, _unsent).values(state="dropped", reason=reason, done_at=at)
    )


async def wake(tx: Tx, contracts: Collection[str], at: datetime) -> None:
    """Let the messages of these contracts look for their recipient at once."""
    if contracts:
        theirs = message.c.contract.in_(sorted(contracts))
        woken = update(message).where(message.c.state == "new", theirs).values(due_at=at)
        if (await tx.execute(woken)).rowcount:
            raise_signal(tx, NEW_SIGNAL)


async def expire(tx: Tx, at: datetime) -> list[Row[Any]]:
    """Drop what has become too old to be told, at most 1000 rows; return id and contract."""
    stale = (
        select(message.c.id)
        .where(_unsent, message.c.expires_at <= at, free(at))
        .limit(_EXPIRE_MAX)
        .with_for_update(skip_locked=True)
    )
    dropped = await tx.execute(
        update(message)
        .where(chosen(is_postgres(tx), message.c.id, stale))
        .values(state="dropped", reason="stale", done_at=at)
        .returning(message.c.id, message.c.contract, message.c.channel, message.c.correlation_id)
    )
    return list(dropped)


def free(at: datetime) -> ColumnElement[bool]:
    """Return the condition that nobody is sending a message now."""
    return or_(message.c.leased_until.is_(None), message.c.leased_until <= at)


async def prune(tx: Tx, before: datetime) -> int:
    """Delete messages created earlier, at most 10 000; return how many.

    Safe while `before` lies further back than any message stays fresh: a fact told again after
    that would be stale at once.
    """
    old = select(message.c.id).where(message.c.created_at < before).limit(PRUNE_MAX)
    return (await tx.execute(delete(message).where(message.c.id.in_(old)))).rowcount


async def page(
    tx: Tx,
    *,
    limit: int,
    contract: str | None = None,
    state: str | None = None,
    before: tuple[datetime, UUID] | None = None,
) -> Sequence[Row[Any]]:
    """Return messages, newest first, that come after the given one in that order."""
    wanted = select(message).order_by(message.c.created_at.desc(), message.c.id.desc())
    if contract is not None:
        wanted = wanted.where(message.c.contract == contract)
    if state is not None:
        wanted = wanted.where(message.c.state == state)
    if before is not None:
        place = tuple_(literal(before[0], Instant), literal(before[1], Uuid))
        wanted = wanted.where(tuple_(message.c.created_at, message.c.id) < place)
    return (await tx.execute(wanted.limit(limit))).all()


async def one(tx: Tx, this: UUID) -> Row[Any] | None:
    """Return one message, or None."""
    return (await tx.execute(select(message).where(message.c.id == this))).one_or_none()


def _row(
    notice: Notice, channel: str, at: datetime, state: State, reason: str | None
) -> dict[str, Any]:
    return {
        "id": message_id(notice.fact, notice.contract, notice.kind, channel),
        "fact": notice.fact,
        "contract": notice.contract,
        "kind": notice.kind,
        "channel": channel,
        "state": state,
        "reason": reason,
        "facts": notice.facts.model_dump_json(),
        "event_id": notice.event_id,
        "correlation_id": notice.correlation_id,
        "created_at": at,
        "expires_at": notice.expires_at,
        "due_at": at,
        "done_at": None if state in UNSENT else at,
    }
