"""Which contracts there are: the gateway's own copy of what core-billing says of them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import BigInteger, Column, Table, Text, select
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from shared.db import Database, Tx, is_postgres, metadata, reading
from shared.errors import FieldError, Invalid
from shared.errors import Text as Words
from shared.events import ContractChanged, Event

CLOSED: Final = "closed"
_LOOK_SECONDS: Final = 0.1
_UNKNOWN: Final = Words(
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


async def statuses(tx: Tx, numbers: Collection[str]) -> dict[str, str]:
    """Return the status of each known contract among these."""
    known = select(contract.c.number, contract.c.status)
    found = await tx.execute(known.where(contract.c.number.in_(list(numbers))))
    return {row.number: row.status for row in found}


async def require_open(db: Database, fields: dict[str, str], wait: timedelta) -> None:
    """Raise Invalid where a contract is unknown or closed; `fields` is number → field.

    A contract made a moment ago is on its way to us, so an unknown one is waited for a little.
    """
    looks = max(1, round(wait.total_seconds() / _LOOK_SECONDS))
    known: dict[str, str] = {}
    for look in range(looks):
        async with reading(db) as tx:
            known = await statuses(tx, fields)
        if len(known) == len(fields) or look == looks - 1:
            break
        await asyncio.sleep(_LOOK_SECONDS)
    wrong = [
        FieldError(field, _UNKNOWN if number not in known else _CLOSED)
        for number, field in fields.items()
        if known.get(number, CLOSED) == CLOSED
    ]
    if wrong:
        raise Invalid(*wrong)


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
