"""Signs of life: what the gateways and our own queue of money have said of themselves last.

They come through the queue of the money, so that each one that has arrived proves how far behind
the money is. Ours is asked for where a block depends on it, see `block_guards`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import BigInteger, Column, Table, Text, or_, select
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from core_billing.rules import Rules
from shared import outbox
from shared.db import Instant, Tx, is_postgres, metadata
from shared.events import Event
from shared.events_billing import GatewayAlive
from shared.outbox_table import outbox as outbox_table
from shared.outbox_table import unsent

schema = metadata()
life = Table(
    "gateway_life",
    schema,
    Column("name", Text, primary_key=True),
    Column("said_at", Instant),
    Column("heard_at", Instant),
    Column("unsettled_seconds", BigInteger, nullable=False),
    Column("unpublished_seconds", BigInteger, nullable=False),
    # Of our own queue: since when an answer has been waited for.
    Column("asked_at", Instant),
)

ASKED_EVERY: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Sign:
    """The newest sign of life of a service."""

    name: str
    said_at: datetime | None
    heard_at: datetime | None
    unsettled_seconds: int = 0
    """How long the oldest payment that is due to be looked at has been due."""
    unpublished_seconds: int = 0
    """How long the oldest event has waited to be published."""
    asked_at: datetime | None = None
    """Of our own queue: since when an answer has been waited for."""


async def hear(tx: Tx, events: Sequence[Event], at: datetime) -> None:
    """Keep the newest sign of each service among the events."""
    said = [GatewayAlive.of(event) for event in events if event.type == GatewayAlive.TYPE]
    newest = {one.gateway: one for one in sorted(said, key=lambda one: one.occurred_at)}
    make = postgres_insert if is_postgres(tx) else sqlite_insert
    for name in sorted(newest):
        one = newest[name]
        values = {
            "said_at": one.occurred_at,
            "heard_at": at,
            "unsettled_seconds": one.unsettled_seconds,
            "unpublished_seconds": one.unpublished_seconds,
            "asked_at": None,
        }
        statement = make(life).values(name=name, **values)
        newer = or_(life.c.said_at.is_(None), life.c.said_at < statement.excluded.said_at)
        await tx.execute(
            statement.on_conflict_do_update(index_elements=["name"], set_=values, where=newer)
        )


async def signs(tx: Tx) -> dict[str, Sign]:
    """Return the newest signs by the name of the service."""
    return {row.name: Sign(*row) for row in await tx.execute(select(life))}


async def is_stuck(tx: Tx) -> bool:
    """Say whether a sign of ours has been tried and could not be put on the bus."""
    tried = (unsent, outbox_table.c.type == GatewayAlive.TYPE, outbox_table.c.attempts > 0)
    return (await tx.execute(select(outbox_table.c.id).where(*tried).limit(1))).first() is not None


async def ask_queue(tx: Tx, rules: Rules, at: datetime) -> None:
    """Send a sign of ours through the queue of the money: when it is heard, its age is known.

    All replicas say the same one, so it is one in half a minute however often they ask.
    """
    every, name = ASKED_EVERY.total_seconds(), rules.producer.name
    slot = int(at.timestamp() // every)
    begun = datetime.fromtimestamp(slot * every, UTC)
    body = GatewayAlive(occurred_at=begun, gateway=name, unsettled_seconds=0, unpublished_seconds=0)
    event = body.event(name, subject=name, revision=slot, correlation_id=f"alive-{slot}")
    await outbox.add(tx, rules.producer, [event], at)
    make = postgres_insert if is_postgres(tx) else sqlite_insert
    nothing = {"unsettled_seconds": 0, "unpublished_seconds": 0}
    statement = make(life).values(name=name, asked_at=at, **nothing)
    unasked = life.c.asked_at.is_(None)
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=["name"], set_={"asked_at": at}, where=unasked
        )
    )
