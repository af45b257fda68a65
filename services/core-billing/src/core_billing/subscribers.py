"""Subscribers: the people behind the contracts. What is personal is encrypted at rest."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Integer, Row, Table, Text, select

from core_billing.registration import NewSubscriber
from core_billing.rules import Rules
from shared.crypto import Vault
from shared.db import Tx, metadata
from shared.events import Event, SubscriberChanged
from shared.rows import among, insert_new

schema = metadata()
subscriber = Table(
    "subscriber",
    schema,
    Column("id", Text, primary_key=True),
    # Encrypted by `Vault`: a stolen copy of the database names nobody.
    Column("name", Text, nullable=False),
    Column("phone", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("revision", Integer, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A person, readable."""

    id: str
    name: str
    phone: str
    email: str
    language: str
    timezone: str
    revision: int


@dataclass(frozen=True, slots=True)
class Reader:
    """How to show pages to a subscriber, without anything personal."""

    id: str
    language: str
    timezone: str


async def reader(tx: Tx, subscriber_id: str) -> Reader | None:
    """Return how to show pages to a subscriber, if there is one with this id."""
    columns = select(subscriber.c.id, subscriber.c.language, subscriber.c.timezone)
    row = (await tx.execute(columns.where(subscriber.c.id == subscriber_id))).one_or_none()
    return None if row is None else Reader(*row)


async def find(tx: Tx, vault: Vault, ids: Collection[str]) -> dict[str, Subscriber]:
    """Return the known ones of these subscribers."""
    if not ids:
        return {}
    rows = await tx.execute(select(subscriber).where(among(tx, subscriber.c.id, ids)))
    return {row.id: _read(vault, row) for row in rows}


async def add(tx: Tx, vault: Vault, people: Sequence[Subscriber]) -> set[str]:
    """Insert people; return the ids of those that somebody else has not added meanwhile."""
    rows = [
        {
            "id": person.id,
            "name": vault.encrypt(person.name),
            "phone": vault.encrypt(person.phone),
            "email": vault.encrypt(person.email),
            "language": person.language,
            "timezone": person.timezone,
            "revision": person.revision,
        }
        for person in people
    ]
    return set(await insert_new(tx, subscriber, rows, "id"))


async def page(tx: Tx, vault: Vault, after: str, limit: int) -> list[Subscriber]:
    """Return subscribers in the order of their ids, those after an id."""
    following = select(subscriber).where(subscriber.c.id > after)
    rows = await tx.execute(following.order_by(subscriber.c.id).limit(limit))
    return [_read(vault, row) for row in rows]


def differences(one: Subscriber, other: Subscriber | NewSubscriber) -> list[str]:
    """Return the names of the fields in which they differ."""
    fields = ("name", "phone", "email", "language", "timezone")
    return [name for name in fields if getattr(one, name) != getattr(other, name)]


def changed(
    rules: Rules, person: Subscriber, at: datetime, correlation_id: str, run: str = ""
) -> Event:
    """Make the event that tells the whole state of a subscriber; `run` names a republication."""
    body = SubscriberChanged(
        occurred_at=at,
        revision=person.revision,
        subscriber_id=person.id,
        name=person.name,
        phone=person.phone,
        email=person.email,
        language=person.language,
        timezone=person.timezone,
    )
    return body.event(
        rules.producer.name,
        subject=person.id,
        revision=f"{person.revision}{run}",
        correlation_id=correlation_id,
    )


def _read(vault: Vault, row: Row[Any]) -> Subscriber:
    return Subscriber(
        id=row.id,
        name=vault.decrypt(row.name),
        phone=vault.decrypt(row.phone),
        email=vault.decrypt(row.email),
        language=row.language,
        timezone=row.timezone,
        revision=row.revision,
    )
