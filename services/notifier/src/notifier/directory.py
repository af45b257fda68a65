"""The notifier's own directory: which subscriber a contract belongs to, and how to reach them.

It is built from `contract.changed` and `subscriber.changed` alone and can be refilled by them. A
state is written only over an older one, so events may come in any order; a closed contract and a
subscriber without data stay as rows, because a late older event must not bring them back. Who the
subscriber is lies encrypted; ids, language and time zone do not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

from pydantic import BaseModel, ConfigDict
from sqlalchemy import BigInteger, Column, Index, Table, Text, select

from shared.crypto import Vault
from shared.db import Tx, metadata
from shared.errors import Poison
from shared.events import ContractChanged, SubscriberChanged
from shared.metrics import alarm
from shared.rows import keep_newest

CLOSED: Final = "closed"

schema = metadata()
contract = Table(
    "contract",
    schema,
    Column("number", Text, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("subscriber_id", Text, nullable=False),
    Column("operator", Text, nullable=False),
    Column("status", Text, nullable=False),
)
Index("ix_contract_subscriber_id", contract.c.subscriber_id)
subscriber = Table(
    "subscriber",
    schema,
    Column("id", Text, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("language", Text, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("sealed", Text, nullable=False),
    Column("key_id", Text, nullable=False),
)


class Person(BaseModel):
    """What is known about a subscriber that nobody may read in the database."""

    model_config = ConfigDict(frozen=True)

    name: str
    phone: str
    email: str


class Entry(BaseModel):
    """A contract as the notifier knows it, with the person behind it."""

    model_config = ConfigDict(frozen=True)

    operator: str
    closed: bool
    person: Person
    language: str
    timezone: str


async def keep_contracts(tx: Tx, states: Iterable[ContractChanged]) -> set[str]:
    """Write states newer than the known ones; return the numbers of the contracts changed.

    Raises Poison for a state without a contract.
    """
    rows = []
    for state in states:
        if not state.contract:
            raise Poison("contract.changed names no contract")
        rows.append(
            {
                "number": state.contract,
                "revision": state.revision,
                "subscriber_id": state.subscriber_id,
                "operator": state.operator,
                "status": state.status,
            }
        )
    return {row["number"] for row in await keep_newest(tx, contract, "number", rows)}


async def keep_subscribers(tx: Tx, vault: Vault, states: Iterable[SubscriberChanged]) -> set[str]:
    """Write states newer than the known ones, sealed; return the ids of the subscribers changed."""
    rows = [
        {
            "id": state.subscriber_id,
            "revision": state.revision,
            "language": state.language,
            "timezone": state.timezone,
            "sealed": _seal(vault, state),
            "key_id": vault.key_id,
        }
        for state in states
    ]
    return {row["id"] for row in await keep_newest(tx, subscriber, "id", rows)}


async def contracts_of(tx: Tx, subscribers: Collection[str]) -> set[str]:
    """Return the contracts that belong to any of the subscribers."""
    if not subscribers:
        return set()
    theirs = contract.c.subscriber_id.in_(sorted(subscribers))
    return set((await tx.execute(select(contract.c.number).where(theirs))).scalars())


async def find(tx: Tx, vault: Vault, numbers: Collection[str]) -> dict[str, Entry]:
    """Return what is known of the contracts; one whose subscriber is unknown is left out.

    So is one that no listed key reads, with an alarm: the key may be given back.
    """
    if not numbers:
        return {}
    both = contract.join(subscriber, subscriber.c.id == contract.c.subscriber_id)
    rows = await tx.execute(
        select(contract, subscriber.c.language, subscriber.c.timezone, subscriber.c.sealed)
        .select_from(both)
        .where(contract.c.number.in_(sorted(numbers)))
    )
    found: dict[str, Entry] = {}
    for row in rows:
        try:
            found[row.number] = _entry(vault, row)
        except ValueError as error:
            alarm("directory_unreadable", contract=row.number, error=str(error))
    return found


def _seal(vault: Vault, state: SubscriberChanged) -> str:
    person = Person(name=state.name, phone=state.phone, email=state.email)
    return vault.encrypt(person.model_dump_json())


def _entry(vault: Vault, row: Any) -> Entry:
    return Entry(
        operator=row.operator,
        closed=row.status == CLOSED,
        person=Person.model_validate_json(vault.decrypt(row.sealed)),
        language=row.language,
        timezone=row.timezone,
    )
