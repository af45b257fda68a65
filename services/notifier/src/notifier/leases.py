"""Who works on a message now: rows are taken, leased for one attempt, and settled.

Finding the recipient needs no network, so it locks rows for its own transaction. Sending does:
rows are leased under a token and the lease is committed first. The outcome is written only where
the token still stands, so a worker that was too slow cannot overwrite its successor.

Rows are taken by urgency, then by the moment they are due, one urgency after the other: so each
look reads the index from its beginning, however long the queue behind it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, func, select, update

from notifier.channels.port import ChannelName
from notifier.kinds import Urgency
from notifier.message_table import free, in_state, message
from shared.db import Tx, is_postgres
from shared.rows import among, update_each

_WINDOW: Final = timedelta(seconds=1)
_RELEASED: Final = ("lease_token", "leased_until")


@dataclass(frozen=True, slots=True)
class Leased:
    """A message that this worker alone may send until its lease ends."""

    id: UUID
    token: UUID
    until: datetime
    fact: str
    contract: str
    kind: str
    facts: str
    event_id: UUID
    sealed: str
    zone: str | None
    """Where the recipient's quiet hours hold; none where they do not count."""
    correlation_id: str
    created_at: datetime
    attempt: int
    """Counted from 1, this one included."""
    doubtful: bool
    """An earlier attempt began and its outcome was never learnt."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of one attempt: the columns that change, beside the end of the lease."""

    leased: Leased
    state: str
    reason: str | None
    due_at: datetime
    attempts: int
    doubtful: bool
    provider_id: str | None = None
    done_at: datetime | None = None


async def take_new(tx: Tx, at: datetime, limit: int) -> Sequence[Row[Any]]:
    """Lock due messages that have no recipient yet, for this transaction."""
    return await _by_urgency(tx, in_state("new"), at, limit)


async def change(tx: Tx, changes: Sequence[Mapping[str, Any]]) -> None:
    """Write the same columns of several messages taken before; each change carries its `id`."""
    await update_each(tx, message, changes, "id")


async def room(tx: Tx, channel: ChannelName, at: datetime, per_second: int) -> int:
    """Return how many messages the channel's rate still allows this second, over all replicas."""
    if is_postgres(tx):
        # Two replicas that count at the same moment would each take the whole allowance.
        await tx.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"notifier.{channel}"))))
    lately = (message.c.channel == channel) & (message.c.tried_at > at - _WINDOW)
    taken = (await tx.execute(select(func.count()).where(lately))).scalar_one()
    return max(0, per_second - int(taken))


async def due(tx: Tx, channel: ChannelName, at: datetime, limit: int) -> Sequence[Row[Any]]:
    """Lock due messages of a channel for this transaction, the most urgent ones first."""
    ready = in_state("ready") & (message.c.channel == channel)
    return await _by_urgency(tx, ready & (message.c.expires_at > at) & free(at), at, limit)


async def take(
    tx: Tx, rows: Sequence[Row[Any]], token: UUID, at: datetime, until: datetime
) -> list[Leased]:
    """Lease locked messages for one attempt each; nobody looks at them again before its end."""
    if rows:
        await tx.execute(
            update(message)
            .where(among(tx, message.c.id, [row.id for row in rows]))
            .values(
                lease_token=token,
                leased_until=until,
                due_at=until,
                attempts=message.c.attempts + 1,
                doubtful=True,
                tried_at=at,
            )
        )
    return [_leased(row, token, until) for row in rows]


async def settle(tx: Tx, settlements: Sequence[Settlement]) -> list[tuple[Settlement, str]]:
    """Write what became of attempts and end their leases.

    Returns those whose token still stood, each with the state its message had until now.
    A message that was dropped while it was on its way stays dropped, unless it was sent.
    """
    ids = [settlement.leased.id for settlement in settlements]
    held = await tx.execute(
        select(message.c.id, message.c.state, message.c.lease_token)
        .where(among(tx, message.c.id, ids))
        .order_by(message.c.id)
        .with_for_update()
    )
    states = {(row.id, row.lease_token): row.state for row in held}
    mine = [
        (settlement, state)
        for settlement in settlements
        if (state := states.get((settlement.leased.id, settlement.leased.token)))
    ]
    stood = [s for s, state in mine if s.state == "sent" or state == "ready"]
    fallen = [s for s, state in mine if s.state != "sent" and state != "ready"]
    await update_each(tx, message, [_columns(s) for s in stood], "id", clear=_RELEASED)
    await update_each(
        tx,
        message,
        [{"id": s.leased.id, "doubtful": s.doubtful} for s in fallen],
        "id",
        clear=_RELEASED,
    )
    return mine


def given_back(leased: Leased, at: datetime) -> Settlement:
    """Return that a message was not tried at all: no attempt counts."""
    return Settlement(leased, "ready", None, at, leased.attempt - 1, leased.doubtful)


def _columns(settlement: Settlement) -> dict[str, Any]:
    names = ("state", "reason", "due_at", "attempts", "doubtful", "provider_id", "done_at")
    return {"id": settlement.leased.id} | {name: getattr(settlement, name) for name in names}


async def _by_urgency(
    tx: Tx, wanted: ColumnElement[bool], at: datetime, limit: int
) -> Sequence[Row[Any]]:
    found: list[Row[Any]] = []
    for urgency in Urgency:
        if len(found) >= limit:
            break
        rows = await tx.execute(
            select(message)
            .where(wanted, message.c.urgency == int(urgency), message.c.due_at <= at)
            .order_by(message.c.due_at)
            .limit(limit - len(found))
            .with_for_update(skip_locked=True)
        )
        found += rows.all()
    return found


def _leased(row: Row[Any], token: UUID, until: datetime) -> Leased:
    return Leased(
        id=row.id,
        token=token,
        until=until,
        fact=row.fact,
        contract=row.contract,
        kind=row.kind,
        facts=row.facts,
        event_id=row.event_id,
        sealed=row.sealed,
        zone=row.zone,
        correlation_id=row.correlation_id,
        created_at=row.created_at,
        attempt=row.attempts + 1,
        doubtful=row.doubtful,
    )
