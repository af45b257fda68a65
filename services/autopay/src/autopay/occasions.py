"""Occasions to charge: a crossing of the threshold, a day of fees, a day of the calendar.

An occasion is named by what it is of, `balance:7`, `fee:2026-12-01` or `day:2026-12-10`, so an
event that comes again finds it. What is closed stays as a row and is not opened again; so does
what was over before it was heard of.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    Integer,
    Row,
    Select,
    Table,
    Text,
    Uuid,
    and_,
    bindparam,
    or_,
    select,
    tuple_,
    update,
)

from autopay.case import Occasion
from autopay.mandate import Trigger
from shared.db import Instant, Tx, is_postgres, metadata
from shared.rows import insert_new, listed, update_each

OPEN: Final = "open"
CLOSED: Final = "closed"
RECOVERED: Final = "recovered"
DAYS_KNOWN: Final = timedelta(days=60)

schema = metadata()
occasion = Table(
    "occasion",
    schema,
    Column("contract", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("mandate_id", Uuid),
    Column("why", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("opened_at", Instant, nullable=False),
    Column("closed_at", Instant),
    Column("day", Date),
    Column("balance_kopecks", BigInteger),
    Column("needed_kopecks", BigInteger),
    Column("lines", Text, nullable=False, server_default="[]"),
    Column("blocks_on", Date),
    Column("charges", Integer, nullable=False, server_default="0"),
    # Why nothing is planned although it is open, and until when.
    Column("hold", Text),
    Column("hold_until", Instant),
)
_open = occasion.c.state == OPEN

_FIELDS: Final = tuple(each.name for each in fields(Occasion))
_COLUMNS: Final = tuple(occasion.c.keys())

_RECOVER: Final = (
    update(occasion)
    .where(occasion.c.contract == bindparam("of"), occasion.c.why == str(Trigger.BALANCE), _open)
    .where(
        or_(
            (occasion.c.number > 0) & (occasion.c.number <= bindparam("crossing")),
            (occasion.c.number == 0) & (occasion.c.opened_at <= bindparam("said_at")),
        )
    )
    .values(state=CLOSED, reason=RECOVERED, closed_at=bindparam("at"))
)


@dataclass(frozen=True, slots=True)
class Recovery:
    """The crossing of a number is over, and so is every one before it."""

    contract: str
    crossing: int
    occurred_at: datetime


async def open_new(tx: Tx, opened: Iterable[Occasion]) -> None:
    """Write down occasions that are not known yet; a contract must be locked."""
    rows = {(each.contract, each.key): _row(each) for each in opened}
    await insert_new(tx, occasion, [rows[key] for key in sorted(rows)], "key")


async def recover(tx: Tx, recoveries: Sequence[Recovery], at: datetime) -> None:
    """Close crossings that are over, also those that have not been heard of yet.

    With them goes what was opened without a crossing, unless it was opened later.
    """
    over = [
        Occasion(
            contract=each.contract,
            key=crossing(each.crossing),
            why=str(Trigger.BALANCE),
            number=each.crossing,
            opened_at=each.occurred_at,
            state=CLOSED,
            reason=RECOVERED,
            closed_at=at,
        )
        for each in recoveries
    ]
    await open_new(tx, over)
    ended = [
        {"of": each.contract, "crossing": each.crossing, "said_at": each.occurred_at, "at": at}
        for each in sorted(recoveries, key=lambda each: (each.contract, each.crossing))
    ]
    if ended:
        await tx.execute(_RECOVER, ended)


async def write(tx: Tx, changed: Sequence[Occasion]) -> None:
    """Write down how occasions of locked contracts stand now."""
    await update_each(tx, occasion, [_row(each) for each in changed], "contract", "key")


async def of(tx: Tx, contracts: Collection[str], at: datetime) -> dict[str, list[Occasion]]:
    """Return what is open, and the last days of calendar and fees even if closed, by contract."""
    known = {"contracts": list(contracts), "since": at.date() - DAYS_KNOWN}
    found: dict[str, list[Occasion]] = {}
    for row in await tx.execute(_known(is_postgres(tx)), known):
        found.setdefault(row.contract, []).append(_occasion(row))
    return found


async def named(tx: Tx, names: Collection[tuple[str, str]]) -> dict[tuple[str, str], Occasion]:
    """Return occasions by contract and key, also such as are closed."""
    if not names:
        return {}
    wanted = tuple_(occasion.c.contract, occasion.c.key).in_(sorted(names))
    rows = await tx.execute(select(occasion).where(wanted))
    return {(row.contract, row.key): _occasion(row) for row in rows}


def crossing(number: int) -> str:
    """Return the key of a crossing."""
    return f"{Trigger.BALANCE}:{number}"


def _row(one: Occasion) -> dict[str, Any]:
    return {name: getattr(one, name) for name in _FIELDS}


def _occasion(row: Row[Any]) -> Occasion:
    return Occasion(**dict(zip(_COLUMNS, row, strict=True)))


@cache
def _known(postgres: bool) -> Select[Any]:
    """Make the statement that finds what is open, and the days since one, of contracts."""
    dated = occasion.c.why.in_([str(Trigger.DAY), str(Trigger.FEE)])
    days = and_(dated, occasion.c.day > bindparam("since"))
    theirs = listed(postgres, occasion.c.contract, "contracts")
    wanted = select(occasion).where(theirs, or_(_open, days))
    return wanted.order_by(occasion.c.contract, occasion.c.key)
