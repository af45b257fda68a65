"""Callbacks as they came: stored once, answered after the commit, asked about afterwards.

A callback is a nudge. Its row says which payment to ask the provider about; what of its body may be
kept for a person is in the journal. Nothing in it is believed, so a forged one costs one question:
a callback about a payment we know goes first, all others share a slow lane and a daily allowance.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    bindparam,
    delete,
    func,
    select,
    text,
    tuple_,
)

from shared.db import Instant, Tx, is_postgres, metadata
from shared.gateway.payments import payment
from shared.gateway.provider import Nudge

KEPT: Final = timedelta(days=30)
AGAIN: Final = timedelta(seconds=2)
PRUNE_MAX: Final = 10_000

schema = metadata()
callback = Table(
    "callback",
    schema,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("event", Text, nullable=False),
    Column("shop", Text, nullable=False),
    Column("kind", Text, nullable=False, server_default="payment"),
    Column("provider_payment_id", Text, nullable=False),
    Column("about", Text),
    Column("payment_id", Uuid),
    Column("claims", Text, nullable=False),
    Column("known", Boolean, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("due_at", Instant),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("lease_token", Uuid),
    Column("leased_until", Instant),
    Column("outcome", Text),
    UniqueConstraint("provider_payment_id", "event", "shop", name="uq_callback_fact"),
)
_open = callback.c.due_at.is_not(None)
Index(
    "ix_callback_due",
    callback.c.known,
    callback.c.due_at,
    postgresql_where=_open,
    sqlite_where=_open,
)
_foreign = callback.c.known.is_(False)
Index(
    "ix_callback_foreign", callback.c.received_at, postgresql_where=_foreign, sqlite_where=_foreign
)

Key = tuple[str, str, str]
"""What makes two callbacks the same: the provider's id, the event, the shop."""


class Received(NamedTuple):
    """A callback that was read."""

    nudge: Nudge
    at: datetime

    @property
    def key(self) -> Key:
        """The same for every delivery of one callback."""
        return self.nudge.provider_payment_id, self.nudge.event, self.nudge.shop


class Stored(NamedTuple):
    """How many callbacks were new, and how many of these were about payments we do not know."""

    new: int
    foreign: int


async def store(tx: Tx, batch: Sequence[Received], room: bool) -> Stored:
    """Insert those that are not stored yet; return how many that were.

    Without `room` a callback about a payment we do not know is left out. The batch holds each key
    once and is sorted by it, else two writers could wait for each other. On PostgreSQL this is one
    statement that commits by itself, and a second one where some were there before.

    One that is stored and has led to nothing is asked about again, at most every two seconds: an
    invented callback must not make the real one a repeat. It counts as new.
    """
    asked = max(received.at for received in batch)
    times = {"asked": asked, "calm": asked - AGAIN, "soon": asked + AGAIN}
    if not is_postgres(tx):
        known: list[bool] = []
        for received in batch:
            row = _row(received)
            new = list((await tx.execute(_STORE_ONE, {**row, "room": room})).scalars())
            known += new or (await tx.execute(_AGAIN_ONE, {**row, **times})).scalars()
        return Stored(len(known), known.count(False))
    # Straight through the driver: the layers above it cost three times the statement.
    driver: Any = (await tx.get_raw_connection()).driver_connection
    stored = Stored(*await driver.fetchrow(_STORE_MANY, *_columns(batch), room))
    if stored.new == len(batch):
        return stored
    facts = zip(*(received.key for received in batch), strict=True)
    again = await driver.fetch(_AGAIN_MANY, *map(list, facts), *times.values())
    return Stored(stored.new + len(again), stored.foreign)


async def stored_before(tx: Tx, keys: Sequence[Key]) -> set[Key]:
    """Return which of these callbacks are there already."""
    fact = (callback.c.provider_payment_id, callback.c.event, callback.c.shop)
    found = await tx.execute(select(*fact).where(tuple_(*fact).in_(list(keys))))
    return {(row.provider_payment_id, row.event, row.shop) for row in found}


async def shop_of(tx: Tx, callback_id: int, shops: Sequence[str]) -> str | None:
    """Return which of the shops has the payment that a stored callback is about; None if unknown.

    A callback may name no shop, or a wrong one; our own row knows.
    """
    asked = (callback.c.about, callback.c.provider_payment_id, callback.c.payment_id)
    said = (await tx.execute(select(*asked).where(callback.c.id == callback_id))).one()
    p = payment.c
    named = (
        p.shop.in_(list(shops)),
        p.provider_payment_id == (said.about or said.provider_payment_id),
    )
    found = await tx.execute(select(p.shop).where(*named))
    if (shop := found.scalar()) is not None or said.payment_id is None:
        return shop
    unbound = (p.id == said.payment_id, p.provider_payment_id.is_(None), p.shop.in_(list(shops)))
    return (await tx.execute(select(p.shop).where(*unbound))).scalar()


async def foreign_since(tx: Tx, since: datetime) -> int:
    """Count the stored callbacks about payments we did not know."""
    where = (_foreign, callback.c.received_at >= since)
    return int((await tx.execute(select(func.count()).where(*where))).scalar_one())


async def prune(tx: Tx, at: datetime) -> int:
    """Delete finished callbacks of more than 30 days ago, at most 10 000; return how many."""
    done = (callback.c.due_at.is_(None), callback.c.received_at < at - KEPT)
    old = select(callback.c.id).where(*done).limit(PRUNE_MAX)
    return (await tx.execute(delete(callback).where(callback.c.id.in_(old)))).rowcount


_NAMES: Final = (
    "event",
    "shop",
    "kind",
    "provider_payment_id",
    "about",
    "payment_id",
    "claims",
    "received_at",
)


def _statement(source: str, room: str) -> str:
    # A payment that has its provider's id is known by that alone: else whoever has seen one of our
    # ids could send any number of invented ones through the fast lane. A refund is known by the
    # payment that it belongs to.
    columns = ", ".join(_NAMES)
    return (
        f"INSERT INTO callback ({columns}, due_at, attempts, known) "  # noqa: S608 - our own names
        f"SELECT {columns}, received_at, 0, known FROM (SELECT {columns}, "
        "(EXISTS (SELECT 1 FROM payment p WHERE p.shop = t.shop"
        " AND p.provider_payment_id = COALESCE(t.about, t.provider_payment_id))"
        " OR EXISTS (SELECT 1 FROM payment p WHERE p.id = t.payment_id"
        f" AND p.provider_payment_id IS NULL)) AS known FROM {source} AS t) AS judged "
        f"WHERE known OR {room} ON CONFLICT DO NOTHING RETURNING known"
    )


def _again(same: str, asked: str, calm: str, soon: str) -> str:
    # Settled ones are left alone, and so is what is asked about at this moment or soon anyway.
    return (
        f"UPDATE callback SET due_at = {asked}, outcome = NULL, received_at = {asked} "  # noqa: S608 - our own names
        f"WHERE {same} AND callback.known AND callback.received_at <= {calm}"
        " AND (callback.outcome IS NULL OR callback.outcome IN ('stale', 'forged', 'nothing'))"
        f" AND (callback.due_at IS NULL OR callback.due_at > {soon})"
        f" AND (callback.leased_until IS NULL OR callback.leased_until <= {asked})"
        " RETURNING callback.known"
    )


_KINDS: Final = (*("text",) * 5, "uuid", "text", "timestamptz")
_ARRAYS: Final = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(_KINDS, 1))
_MANY: Final = f"(SELECT * FROM unnest({_ARRAYS}) AS u ({', '.join(_NAMES)}))"  # noqa: S608
_ONE: Final = f"(SELECT {', '.join(f':{name} AS {name}' for name in _NAMES)})"
_COUNTED: Final = "SELECT count(*), count(*) FILTER (WHERE NOT known) FROM stored"
_STORE_MANY: Final = f"WITH stored AS ({_statement(_MANY, '$9::boolean')}) {_COUNTED}"
_FACT: Final = ("provider_payment_id", "event", "shop")
_AGAIN_MANY: Final = _again(
    f"({', '.join(f'callback.{name}' for name in _FACT)})"  # noqa: S608 - our own names
    " IN (SELECT * FROM unnest($1::text[], $2::text[], $3::text[]))",
    *("$4::timestamptz", "$5::timestamptz", "$6::timestamptz"),
)
_AGAIN_ONE: Final = text(
    _again(" AND ".join(f"callback.{name} = :{name}" for name in _FACT), ":asked", ":calm", ":soon")
).bindparams(*(bindparam(name, type_=Instant) for name in ("asked", "calm", "soon")))
_STORE_ONE: Final = text(_statement(_ONE, ":room")).bindparams(
    bindparam("payment_id", type_=Uuid), bindparam("received_at", type_=Instant)
)


def _row(received: Received) -> dict[str, Any]:
    nudge = received.nudge
    return {
        "event": nudge.event,
        "shop": nudge.shop,
        "kind": str(nudge.kind),
        "provider_payment_id": nudge.provider_payment_id,
        "about": nudge.about,
        "payment_id": nudge.payment_id,
        "claims": str(nudge.claims),
        "received_at": received.at,
    }


def _columns(batch: Sequence[Received]) -> list[list[Any]]:
    """Return what `_row` returns of each, by column."""
    nudges = [received.nudge for received in batch]
    return [
        [nudge.event for nudge in nudges],
        [nudge.shop for nudge in nudges],
        [nudge.kind.value for nudge in nudges],
        [nudge.provider_payment_id for nudge in nudges],
        [nudge.about for nudge in nudges],
        [nudge.payment_id for nudge in nudges],
        [nudge.claims.value for nudge in nudges],
        [received.at for received in batch],
    ]
