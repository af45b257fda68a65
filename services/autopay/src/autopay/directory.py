"""Autopay's own directory: which contracts there are, and their subscribers' language and zone.

It is built from `contract.changed` and `subscriber.changed` alone. A state is written only over an
older one, so events may come in any order. Names, telephones and addresses are not kept.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Index, Select, Table, Text, select

from shared.db import Tx, is_postgres, metadata
from shared.errors import Poison
from shared.events import ContractChanged, SubscriberChanged
from shared.rows import keep_newest, listed

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
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A contract as autopay knows it; language and zone are the usual ones where nobody said."""

    number: str
    operator: str
    closed: bool
    language: str
    timezone: str


async def keep_contracts(tx: Tx, states: Iterable[ContractChanged]) -> set[str]:
    """Write states newer than the known ones; return the contracts that are closed by them.

    Raises Poison for a state without a contract.
    """
    rows = [
        {
            "number": _number(state),
            "revision": state.revision,
            "subscriber_id": state.subscriber_id,
            "operator": state.operator,
            "status": state.status,
        }
        for state in states
    ]
    changed = await keep_newest(tx, contract, "number", rows)
    return {row["number"] for row in changed if row["status"] == CLOSED}


async def keep_subscribers(tx: Tx, states: Iterable[SubscriberChanged]) -> None:
    """Write states newer than the known ones, without who they are."""
    rows = [
        {
            "id": state.subscriber_id,
            "revision": state.revision,
            "language": state.language,
            "timezone": state.timezone,
        }
        for state in states
    ]
    await keep_newest(tx, subscriber, "id", rows)


async def find(tx: Tx, number: str) -> Entry | None:
    """Return what is known of a contract, or None."""
    both = contract.outerjoin(subscriber, subscriber.c.id == contract.c.subscriber_id)
    wanted = select(contract, subscriber.c.language, subscriber.c.timezone).select_from(both)
    row = (await tx.execute(wanted.where(contract.c.number == number))).one_or_none()
    if row is None:
        return None
    return Entry(
        number,
        row.operator,
        row.status == CLOSED,
        row.language or "ru",
        row.timezone or "Europe/Moscow",
    )


async def closed(tx: Tx, numbers: Collection[str]) -> set[str]:
    """Return those of the contracts that are closed."""
    rows = await tx.execute(_closed(is_postgres(tx)), {"numbers": list(numbers)})
    return set(rows.scalars())


@cache
def _closed(postgres: bool) -> Select[Any]:
    theirs = (listed(postgres, contract.c.number, "numbers"), contract.c.status == CLOSED)
    return select(contract.c.number).where(*theirs)


def _number(state: ContractChanged) -> str:
    if not state.contract:
        raise Poison("contract.changed names no contract")
    return state.contract
