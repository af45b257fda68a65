"""Messages of the memory bus, kept as rows of the consumer's inbox table."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import or_, select, update

from shared import conflict
from shared.db import Tx, raise_signal, transaction
from shared.envelope import decode
from shared.errors import Poison
from shared.inbox import Consumer
from shared.inbox_table import inbox
from shared.metrics import alarm
from shared.outbox import Letter
from shared.rows import insert_new

LEASE: Final = timedelta(seconds=60)


def signal_of(queue: str) -> str:
    """Return the name of the signal that wakes the worker of a queue."""
    return f"inbox:{queue}"


async def insert(
    tx: Tx, queue: str, letters: Sequence[Letter], at: datetime, *, replay: bool
) -> None:
    """Make the letters due rows; one that was done or buried becomes due again.

    A row that is being worked on is left alone, unless a person replays it: then the lease is
    taken from the worker, so that its verdict cannot bury the replay.
    """
    offered = [_row(queue, letter, at) for letter in letters]
    first: dict[UUID, dict[str, Any]] = {}
    for row in offered:
        first.setdefault(row["event_id"], row)
    new = set(await insert_new(tx, inbox, list(first.values()), "event_id"))
    met = [r for r in offered if r["event_id"] not in new or r is not first[r["event_id"]]]
    if met:
        await _meet(tx, met, at, replay=replay)
    raise_signal(tx, signal_of(queue))


async def lease(consumer: Consumer, token: UUID, at: datetime) -> list[Any]:
    """Take a batch of due rows for a minute."""
    due = (
        select(inbox.c.event_id)
        .where(inbox.c.queue == consumer.queue, inbox.c.due_at <= at)
        .where(or_(inbox.c.leased_until.is_(None), inbox.c.leased_until <= at))
        .order_by(inbox.c.due_at)
        .limit(consumer.batch_max)
        .with_for_update(skip_locked=True)
    )
    async with transaction(consumer.db) as tx:
        leased = await tx.execute(
            update(inbox)
            .where(inbox.c.event_id.in_(due.scalar_subquery()))
            .values(lease_token=token, leased_until=at + LEASE)
            .returning(inbox.c.event_id, inbox.c.body, inbox.c.signature, inbox.c.attempts)
        )
        return list(leased)


async def _meet(tx: Tx, rows: Sequence[dict[str, Any]], at: datetime, *, replay: bool) -> None:
    """Make rows that are there already due again, or keep what contradicts them.

    A buried row holds nobody's word: it may have been a forgery, so the next letter replaces it.
    """
    wanted = inbox.c.event_id.in_([row["event_id"] for row in rows])
    columns = select(inbox.c.event_id, inbox.c.digest, inbox.c.dead_at)
    known = {found.event_id: found for found in await tx.execute(columns.where(wanted))}
    for row in rows:
        found = known[row["event_id"]]
        if found.digest != row["digest"] and found.dead_at is None:
            await _contradict(tx, row, at)
            continue
        mine = inbox.c.event_id == row["event_id"]
        again = {key: row[key] for key in ("digest", "body", "signature", "due_at", "attempts")}
        again |= {"dead_at": None, "lease_token": None, "leased_until": None}
        target = mine if replay else mine & inbox.c.due_at.is_(None)
        await tx.execute(update(inbox).where(target).values(**again))


async def _contradict(tx: Tx, row: dict[str, Any], at: datetime) -> None:
    try:
        event = decode(row["body"])
    except Poison:
        alarm("event_conflict", side="inbox", event_id=str(row["event_id"]), event_type="")
    else:
        await conflict.keep(tx, "inbox", [event], at)


def _row(queue: str, letter: Letter, at: datetime) -> dict[str, Any]:
    return {
        "event_id": letter.event_id,
        "queue": queue,
        "digest": _digest(letter.body),
        "body": letter.body,
        "signature": letter.signature,
        "due_at": at,
        "attempts": 0,
        "stored_at": at,
    }


def _digest(body: bytes) -> bytes:
    try:
        return decode(body).digest()
    except Poison:
        return hashlib.blake2b(body, digest_size=16).digest()
