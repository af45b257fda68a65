"""Stand-ins that several test files share: events, a broker and a consumer that misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Column, Integer, Table, Text, insert, select, update

from shared import inbox, outbox
from shared.clock import ManualClock
from shared.crypto import Signer
from shared.db import Database, Tx, metadata, transaction
from shared.envelope import Event, encode, event_id, sign
from shared.inbox import Consumer, Handle, Outcome, Result, apply
from shared.outbox import Letter, Producer
from shared.topology import SERVICES, Topology

NOW: Final = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SIGNER: Final = Signer(["the signing key of the tests"])
PRODUCER: Final = Producer("gateway-yookassa", Topology(frozenset(SERVICES)), SIGNER)


def make_event(number: int, amount: int = 100, kind: str = "payment.succeeded") -> Event:
    """Return the event of payment `number`; the amount is no part of its id."""
    identity = event_id("gateway", kind, str(number), "1")
    data = {"amount_kopecks": amount}
    return Event(identity, "gateway", kind, str(number), NOW, "1", f"correlation-{number}", data)


def make_letter(event: Event, signer: Signer = SIGNER, attempt: int = 1) -> Letter:
    """Return the letter that the outbox would make of an event."""
    body = encode(event)
    return Letter(event.id, event.type, body, sign(signer, body), attempt)


@dataclass
class Broker:
    """A publisher that notes what it is given, and refuses or breaks where it is told to."""

    refused: set[UUID] = field(default_factory=set)
    breaks: bool = False
    given: list[list[Letter]] = field(default_factory=list)

    async def publish(self, letters: Sequence[Letter]) -> Sequence[Exception | None]:
        """Take the letters; breaks only after it has them, as a killed process does."""
        self.given.append(list(letters))
        await asyncio.sleep(0)
        if self.breaks:
            raise ConnectionResetError("killed after the broker had them")
        return [ValueError("full") if item.event_id in self.refused else None for item in letters]

    @property
    def ids(self) -> list[UUID]:
        """Return the ids of all letters, in the order they came."""
        return [letter.event_id for batch in self.given for letter in batch]


@dataclass
class Speaker:
    """A service that says events through its outbox, and the broker they go to."""

    db: Database
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW))
    broker: Broker = field(default_factory=Broker)

    async def say(self, *events: Event, producer: Producer = PRODUCER) -> None:
        """Say events in a transaction of their own."""
        async with transaction(self.db) as tx:
            await outbox.add(tx, producer, events, self.clock())

    async def relay(self, broker: Broker | None = None) -> bool:
        """Publish one batch of what is due."""
        return await outbox.relay(self.db, broker or self.broker, self.clock, "gateway")

    async def rows(self) -> list[Any]:
        """Return the rows of the outbox in the order they were written."""
        async with transaction(self.db) as tx:
            return list(await tx.execute(select(outbox.outbox).order_by(outbox.outbox.c.id)))


_schema = metadata()
_balance = Table(
    "balance", _schema, Column("name", Text, primary_key=True), Column("amount", Integer)
)


@dataclass
class Bank:
    """A consumer that adds each amount to one balance; `fail` is asked before the commit."""

    db: Database
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW))
    fail: Callable[[Sequence[Event]], None] = lambda _events: None
    batches: list[list[UUID]] = field(default_factory=list)

    async def handle(self, tx: Tx, events: Sequence[Event]) -> Mapping[UUID, str] | None:
        """Add the amounts of the events."""
        self.batches.append([event.id for event in events])
        for event in events:
            await add(tx, "payments", event.data["amount_kopecks"])
        self.fail(events)
        return None

    async def apply(self, *events: Event, handle: Handle | None = None) -> list[Result]:
        """Give the events to the inbox."""
        return await apply(Consumer("notifier", self.db, handle or self.handle), events, self.clock)

    async def outcomes(self, *events: Event, handle: Handle | None = None) -> list[Outcome]:
        """Give the events to the inbox and return their outcomes only."""
        return [result.outcome for result in await self.apply(*events, handle=handle)]

    async def balance(self, name: str = "payments") -> int:
        """Return an account's balance."""
        async with transaction(self.db) as tx:
            rows = await tx.execute(select(_balance.c.amount).where(_balance.c.name == name))
            return int(rows.scalar_one())

    async def rows(self) -> dict[UUID, Any]:
        """Return the rows of the inbox by event id."""
        async with transaction(self.db) as tx:
            return {row.event_id: row for row in await tx.execute(select(inbox.inbox))}


async def add(tx: Tx, name: str, amount: int) -> None:
    """Add an amount to an account."""
    mine = update(_balance).where(_balance.c.name == name)
    await tx.execute(mine.values(amount=_balance.c.amount + amount))


async def open_bank(db: Database) -> Bank:
    """Create the accounts beside the inbox of a database."""
    async with transaction(db) as tx:
        await tx.run_sync(_schema.create_all)
        names = ("payments", "refunds")
        await tx.execute(insert(_balance), [{"name": name, "amount": 0} for name in names])
    return Bank(db)
