"""Events leave with the transaction that made them true, and are published afterwards.

The relay leases rows, commits, publishes and marks: no transaction is open while it talks to the
broker. Rows are taken by their own state, not by "greater than the last id", because the order of
ids is not the order of commits.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final, Protocol
from uuid import UUID, uuid4

import structlog
from sqlalchemy import (
    Row,
    Select,
    Update,
    bindparam,
    delete,
    func,
    or_,
    select,
    update,
)

from shared import conflict
from shared.clock import Clock
from shared.crypto import Signer, Vault
from shared.db import (
    Database,
    Tx,
    raise_signal,
    reading,
    transaction,
)
from shared.events import Event, encode, sign
from shared.metrics import OUTBOX_WAITING, alarm
from shared.outbox_table import outbox, schema, unsent
from shared.rows import chosen, insert_new, listed, update_each
from shared.topology import PERSONAL, Topology, delay_seconds

__all__ = ["outbox", "schema"]

SIGNAL: Final = "outbox"
BATCH_MAX: Final = 200
LEASE: Final = timedelta(seconds=60)
KEEP_SENT: Final = timedelta(days=1)
PRUNE_MAX: Final = 10_000
_BACKOFF_SECONDS: Final = (1, 2, 5, 15, 60)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Producer:
    """Who speaks: the service's name, its signing keys and who is there to listen."""

    name: str
    topology: Topology
    signer: Signer
    vault: Vault | None = None
    """Seals what an outbox keeps of personal data; without one it is kept as it is."""


@dataclass(frozen=True, slots=True)
class Letter:
    """An event ready to travel: exactly these bytes are signed, published and replayed."""

    event_id: UUID
    type: str
    body: bytes
    signature: str
    attempt: int = 1


class Publisher(Protocol):
    """The side of the bus that the relay needs."""

    async def publish(self, letters: Sequence[Letter]) -> Sequence[Exception | None]:
        """Publish each letter; None where the broker has confirmed it, else why it did not."""


async def add(tx: Tx, producer: Producer, events: Sequence[Event], at: datetime) -> None:
    """Say events together with the transaction's other effects.

    An event that is already there is a repeat and is left alone; one with the same id and other
    data is kept as a conflict. What no deployed service listens to is not written.
    """
    wanted = [event for event in events if producer.topology.bound(event.type)]
    first: dict[UUID, Event] = {}
    for event in wanted:
        first.setdefault(event.id, event)
    rows = [_row(producer, event, at) for event in first.values()]
    written = set(await insert_new(tx, outbox, rows, "event_id"))
    if len(written) < len(wanted):
        await _keep_conflicts(tx, wanted, at)
    if written:
        raise_signal(tx, SIGNAL)


async def say_again(tx: Tx, event_ids: Sequence[UUID], at: datetime) -> set[UUID]:
    """Make known events due once more; return those found, the others have been pruned.

    A lease is taken back, so that a relay at work on the row cannot mark this saying as sent.
    """
    mine = select(outbox.c.id).where(outbox.c.event_id.in_(list(event_ids)))
    locked = await tx.execute(mine.order_by(outbox.c.id).with_for_update())
    found = await tx.execute(
        update(outbox)
        .where(outbox.c.id.in_(list(locked.scalars())))
        .values(sent_at=None, due_at=at, attempts=0, lease_token=None, leased_until=None)
        .returning(outbox.c.event_id)
    )
    known = set(found.scalars())
    if known:
        raise_signal(tx, SIGNAL)
    return known


async def published(tx: Tx, event_ids: Collection[UUID]) -> dict[UUID, datetime]:
    """Return when events were last published; what waits and what has been pruned is left out."""
    mine = (outbox.c.event_id.in_(list(event_ids)), outbox.c.sent_at.is_not(None))
    found = await tx.execute(select(outbox.c.event_id, outbox.c.sent_at).where(*mine))
    return {row.event_id: row.sent_at for row in found}


async def withdraw(tx: Tx, event_ids: Sequence[UUID]) -> set[UUID]:
    """Take back what no relay has had in hand yet; return the events that will not be said.

    One that a broker may have been given, whatever it answered, is left as it is.
    """
    untouched = (unsent, outbox.c.leased_until.is_(None), outbox.c.attempts == 0)
    mine = outbox.c.event_id.in_(list(event_ids))
    taken = await tx.execute(delete(outbox).where(mine, *untouched).returning(outbox.c.event_id))
    return set(taken.scalars())


async def relay(
    db: Database, publisher: Publisher, clock: Clock, service: str, vault: Vault | None = None
) -> bool:
    """Publish one batch of due events; return whether more may be waiting."""
    token = uuid4()
    letters = await _lease(db, token, clock(), vault)
    if not letters:
        return False
    outcomes = await publisher.publish([letter for _, letter in letters])
    sent: list[int] = []
    failed: list[tuple[int, Letter]] = []
    for (row_id, letter), error in zip(letters, outcomes, strict=True):
        if error is None:
            sent.append(row_id)
        else:
            failed.append((row_id, letter))
            _log.warning("outbox.publish_failed", event_id=str(letter.event_id), error=repr(error))
    await _mark(db, token, sent, failed, clock())
    if failed:
        alarm("outbox_refused", service=service, count=len(failed))
    return len(letters) == BATCH_MAX


async def waiting(db: Database, service: str) -> int:
    """Count the unsent events and show the figure to Prometheus."""
    async with reading(db) as tx:
        count = (await tx.execute(select(func.count()).where(unsent))).scalar_one()
    OUTBOX_WAITING.labels(service).set(count)
    return int(count)


def pauses_before(attempts: int) -> timedelta:
    """Return how long an event has waited between so many failed attempts and the next one."""
    return timedelta(
        seconds=sum(delay_seconds(n, _BACKOFF_SECONDS) for n in range(1, attempts + 1))
    )


async def prune(db: Database, at: datetime) -> int:
    """Delete what was sent more than a day ago, at most 10 000 rows; return how many."""
    # Rows are sent nearly in the order of their ids, so a look at the oldest ones needs no index.
    oldest = select(outbox.c.id).order_by(outbox.c.id).limit(PRUNE_MAX)
    old = (outbox.c.id.in_(oldest), outbox.c.sent_at < at - KEEP_SENT)
    async with transaction(db) as tx:
        return (await tx.execute(delete(outbox).where(*old))).rowcount


def _row(producer: Producer, event: Event, at: datetime) -> dict[str, object]:
    body = encode(event)
    if producer.vault is not None and event.type in PERSONAL:
        kept = producer.vault.seal(body)
    else:
        kept = body
    return {
        "event_id": event.id,
        "type": event.type,
        "body": kept,
        "signature": sign(producer.signer, body),
        "digest": event.digest(),
        "due_at": at,
    }


async def _keep_conflicts(tx: Tx, said: Sequence[Event], at: datetime) -> None:
    known = await tx.execute(
        select(outbox.c.event_id, outbox.c.digest).where(
            outbox.c.event_id.in_([event.id for event in said])
        )
    )
    digests = {row.event_id: row.digest for row in known}
    conflicting = [e for e in said if digests.get(e.id, e.digest()) != e.digest()]
    if conflicting:
        await conflict.keep(tx, "outbox", conflicting, at)


@cache
def _leasing(postgres: bool) -> Update:
    """Make the statement that leases due rows, with names where values come in."""
    due = (
        select(outbox.c.id)
        .where(unsent, outbox.c.due_at <= bindparam("at"))
        .where(or_(outbox.c.leased_until.is_(None), outbox.c.leased_until <= bindparam("at")))
        .order_by(outbox.c.due_at)
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True)
    )
    return (
        update(outbox)
        .where(chosen(postgres, outbox.c.id, due))
        .values(lease_token=bindparam("token"), leased_until=bindparam("until"))
        .returning(
            outbox.c.id,
            outbox.c.event_id,
            outbox.c.type,
            outbox.c.body,
            outbox.c.signature,
            outbox.c.attempts,
        )
    )


async def _lease(
    db: Database, token: UUID, at: datetime, vault: Vault | None
) -> list[tuple[int, Letter]]:
    values = {"at": at, "most": BATCH_MAX, "token": token, "until": at + LEASE}
    async with transaction(db) as tx:
        leased = sorted(await tx.execute(_leasing(db.postgres), values), key=lambda row: row.id)
    letters = [(row.id, _letter(row, vault)) for row in leased]
    return [(row_id, letter) for row_id, letter in letters if letter is not None]


def _letter(row: Row[Any], vault: Vault | None) -> Letter | None:
    """Return what a row says; none where its key is gone: it waits, and holds up nobody."""
    try:
        body = vault.unsealed(row.body) if vault and row.type in PERSONAL else row.body
    except ValueError:
        alarm("outbox_unreadable", event_id=str(row.event_id), event_type=row.type)
        return None
    return Letter(row.event_id, row.type, body, row.signature, row.attempts + 1)


async def _mark(
    db: Database,
    token: UUID,
    sent: Sequence[int],
    failed: Sequence[tuple[int, Letter]],
    at: datetime,
) -> None:
    released = ("lease_token", "leased_until")
    done = [{"id": row_id, "lease_token": token, "sent_at": at} for row_id in sent]
    again = [
        {
            "id": row_id,
            "lease_token": token,
            "attempts": letter.attempt,
            "due_at": at + timedelta(seconds=delay_seconds(letter.attempt, _BACKOFF_SECONDS)),
        }
        for row_id, letter in failed
    ]
    async with transaction(db) as tx:
        # In the order in which `say_again` locks them, else each could wait for the other.
        await tx.execute(_locking(db.postgres), {"ids": [row["id"] for row in (*done, *again)]})
        for rows in (done, again):
            await update_each(tx, outbox, rows, "id", "lease_token", clear=released)


@cache
def _locking(postgres: bool) -> Select[int]:
    mine = select(outbox.c.id).where(listed(postgres, outbox.c.id, "ids"))
    return mine.order_by(outbox.c.id).with_for_update()
