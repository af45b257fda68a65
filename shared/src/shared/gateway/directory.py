"""Which contracts there are: the gateway's own copy of what core-billing says of them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from sqlalchemy import BigInteger, Column, Table, Text, select
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from shared.db import Database, Tx, is_postgres, metadata, reading
from shared.errors import FieldError, Invalid
from shared.errors import Text as Words
from shared.events import ContractChanged, Event

CLOSED: Final = "closed"
_LOOK_SECONDS: Final = 0.1
UNKNOWN: Final = Words(
    "there is no such contract: check the number", "такого договора нет: проверьте номер"
)
_CLOSED: Final = Words(
    "the contract is closed and takes no payments", "договор закрыт и платежей не принимает"
)

schema = metadata()
contract = Table(
    "contract",
    schema,
    Column("number", Text, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("operator", Text, nullable=False),
)


async def keep(tx: Tx, events: Sequence[Event]) -> None:
    """Write what is newer than what we know; a closed contract stays as such."""
    newest: dict[str, ContractChanged] = {}
    for event in events:
        if event.type != ContractChanged.TYPE:
            continue
        said = ContractChanged.of(event)
        number = said.contract or event.subject
        if number not in newest or said.revision > newest[number].revision:
            newest[number] = said
    # In one order everywhere, so that two replicas never wait for each other.
    for number in sorted(newest):
        await _put(tx, number, newest[number])


class Entry(NamedTuple):
    """What we know of a contract."""

    status: str
    operator: str


async def entries(tx: Tx, numbers: Collection[str]) -> dict[str, Entry]:
    """Return what we know of each known contract among these."""
    known = select(contract.c.number, contract.c.status, contract.c.operator)
    # What no database can hold is no contract.
    sound = [number for number in numbers if "\0" not in number]
    found = await tx.execute(known.where(contract.c.number.in_(sound)))
    return {row.number: Entry(row.status, row.operator) for row in found}


async def awaited(db: Database, numbers: Collection[str], wait: timedelta) -> dict[str, Entry]:
    """Return what we know of these contracts, once all are known or the wait is over.

    A contract made a moment ago is on its way to us, so an unknown one is waited for a little.
    """
    looks = max(1, round(wait.total_seconds() / _LOOK_SECONDS))
    while True:
        looks -= 1
        async with reading(db) as tx:
            known = await entries(tx, numbers)
        if len(known) == len(numbers) or looks <= 0:
            return known
        await asyncio.sleep(_LOOK_SECONDS)


async def require_open(db: Database, fields: Mapping[str, str], wait: timedelta) -> dict[str, str]:
    """Return each contract's operator; `fields` is number → field.

    Raises Invalid where a contract is still unknown after the wait, or closed.
    """
    known = await awaited(db, fields, wait)
    wrong = [
        FieldError(field, UNKNOWN if number not in known else _CLOSED)
        for number, field in fields.items()
        if number not in known or known[number].status == CLOSED
    ]
    if wrong:
        raise Invalid(*wrong)
    return {number: entry.operator for number, entry in known.items()}


def closed(field: str) -> FieldError:
    """Return what is said of a closed contract."""
    return FieldError(field, _CLOSED)


async def _put(tx: Tx, number: str, said: ContractChanged) -> None:
    make = postgres_insert if is_postgres(tx) else sqlite_insert
    row = {"revision": said.revision, "status": said.status, "operator": said.operator}
    statement = make(contract).values(number=number, **row)
    newer = contract.c.revision < statement.excluded.revision
    await tx.execute(
        statement.on_conflict_do_update(index_elements=["number"], set_=row, where=newer)
    )
