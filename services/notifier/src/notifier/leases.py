"""Who works on a message now: rows are taken, leased for one attempt, and settled.

Finding the recipient needs no network, so it locks rows for its own transaction. Sending does:
rows are leased under a token and the lease is committed first. The outcome is written only where
the token still stands, so a worker that was too slow cannot overwrite its successor.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, bindparam, func, select, update

from notifier.channels.port import ChannelName
from notifier.journal import free, message
from shared.db import Tx, is_postgres

_WINDOW: Final = timedelta(seconds=1)
_RELEASED: Final = {"lease_token": None, "leased_until": None}


@dataclass(frozen=True, slots=True)
class Leased:
    """A message that this worker alone may send until its lease ends."""

    id: UUID
    token: UUID
    until: datetime
    contract: str
    kind: str
    sealed: str
    correlation_id: str
    created_at: datetime
    attempt: int
    """Counted from 1, this one included."""
    doubtful: bool
    """An earlier attempt began and its outcome was never learnt."""


async def take_new(tx: Tx, at: datetime, limit: int) -> Sequence[Row[Any]]:
    """Lock due messages that have no recipient yet, for this transaction."""
    due = (
        select(message)
        .where(message.c.state == "new", message.c.due_at <= at)
        .order_by(message.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return (await tx.execute(due)).all()


async def change(tx: Tx, changes: Sequence[Mapping[str, Any]]) -> None:
    """Write the same columns of several messages taken before; each change carries its `id`."""
    if changes:
        columns = [name for name in changes[0] if name != "id"]
        one = update(message).where(message.c.id == bindparam("this"))
        rows = [{"this": c["id"], **{f"new_{name}": c[name] for name in columns}} for c in changes]
        await tx.execute(one.values({name: bindparam(f"new_{name}") for name in columns}), rows)


async def lease(
    tx: Tx,
    channel: ChannelName,
    token: UUID,
    at: datetime,
    *,
    until: datetime,
    per_second: int,
    limit: int,
) -> list[Leased]:
    """Take due messages of a channel, as many as its rate still allows, over all replicas."""
    room = min(limit, per_second - await _taken_lately(tx, channel, at))
    if room <= 0:
        return []
    due = (
        select(message)
        .where(message.c.state == "ready", message.c.channel == channel)
        .where(message.c.due_at <= at, message.c.expires_at > at, free(at))
        .order_by(message.c.due_at)
        .limit(room)
        .with_for_update(skip_locked=True)
    )
    rows = (await tx.execute(due)).all()
    await tx.execute(
        update(message)
        .where(message.c.id.in_([row.id for row in rows]))
        .values(
            lease_token=token,
            leased_until=until,
            attempts=message.c.attempts + 1,
            doubtful=True,
            tried_at=at,
        )
    )
    return [_leased(row, token, until) for row in rows]


async def settle(tx: Tx, leased: Leased, **values: Any) -> bool:
    """Write what became of an attempt and end the lease; False where the token fell meanwhile.

    A message that was dropped while it was on its way stays dropped, unless it was sent.
    """
    mine = (message.c.id == leased.id) & (message.c.lease_token == leased.token)
    wanted = mine if values.get("state") == "sent" else mine & (message.c.state == "ready")
    written = await tx.execute(update(message).where(wanted).values(**values, **_RELEASED))
    if not written.rowcount:
        written = await tx.execute(update(message).where(mine).values(**_RELEASED))
    return bool(written.rowcount)


async def give_back(tx: Tx, untried: Iterable[Leased]) -> None:
    """End the leases of messages that were not tried at all: no attempt counts."""
    for leased in untried:
        await settle(tx, leased, attempts=leased.attempt - 1, doubtful=leased.doubtful)


async def _taken_lately(tx: Tx, channel: ChannelName, at: datetime) -> int:
    if is_postgres(tx):
        # Two replicas that count at the same moment would each take the whole allowance.
        await tx.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"notifier.{channel}"))))
    lately = (message.c.channel == channel) & (message.c.tried_at > at - _WINDOW)
    return int((await tx.execute(select(func.count()).where(lately))).scalar_one())


def _leased(row: Row[Any], token: UUID, until: datetime) -> Leased:
    return Leased(
        id=row.id,
        token=token,
        until=until,
        contract=row.contract,
        kind=row.kind,
        sealed=row.sealed,
        correlation_id=row.correlation_id,
        created_at=row.created_at,
        attempt=row.attempts + 1,
        doubtful=row.doubtful,
    )
