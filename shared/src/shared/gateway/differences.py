"""Where a provider's books and ours differ: each difference has a name and stands here once.

A difference is open until both agree again, whoever sees that: the next register, the next sweep,
or the provider itself when it is asked about the payment.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    Index,
    Integer,
    Row,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    and_,
    func,
    or_,
    select,
    update,
)

from shared.db import Database, Instant, Tx, metadata, raise_signal, reading
from shared.gateway.provider import Kind
from shared.metrics import DIFFERENCES as SHOWN
from shared.metrics import alarm
from shared.rows import among, insert_new, update_each


class Name(StrEnum):
    """What kind of difference it is; of several the first one is named."""

    MISSING_HERE = "missing_here"
    STATUS = "status"
    AMOUNT = "amount"
    FEE = "fee"
    MISSING_THERE = "missing_there"


class Source(StrEnum):
    """Where the provider's side was read."""

    REGISTER = "register"
    LIST = "list"


schema = metadata()
difference = Table(
    "difference",
    schema,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("shop", Text, nullable=False),
    Column("day", Date, nullable=False),
    Column("kind", Text, nullable=False),
    Column("provider_id", Text, nullable=False),
    Column("provider_payment_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("expected", Text, nullable=False),
    Column("found", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="open"),
    Column("outcome", Text, nullable=False, server_default=""),
    Column("first_seen_at", Instant, nullable=False),
    Column("last_seen_at", Instant, nullable=False),
    Column("settled_at", Instant),
    # The provider is asked about those that a question can settle.
    Column("due_at", Instant),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("lease_token", Uuid),
    Column("leased_until", Instant),
    UniqueConstraint("shop", "kind", "provider_id", "name", "source", name="uq_difference"),
)
_open = difference.c.state == "open"
_due = difference.c.due_at.is_not(None)
Index("ix_difference_day", difference.c.shop, difference.c.day)
Index("ix_difference_open", difference.c.name, postgresql_where=_open, sqlite_where=_open)
Index("ix_difference_due", difference.c.due_at, postgresql_where=_due, sqlite_where=_due)

DIFFERENCES: Final = "gateway.differences"
"""The signal that differences may be due."""
OPEN: Final = "open"
SETTLED: Final = "settled"
AGREED: Final = "agreed"
"""The outcome of a difference that a later register or sweep no longer found."""

_ASKED: Final = frozenset(
    {
        (Source.REGISTER, Name.MISSING_HERE),
        (Source.REGISTER, Name.STATUS),
        (Source.LIST, Name.MISSING_HERE),
        (Source.LIST, Name.STATUS),
        (Source.LIST, Name.MISSING_THERE),
    }
)
"""What the provider's own word can settle: a register is not changed by asking."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference, as it is found."""

    kind: Kind
    provider_id: str
    provider_payment_id: str
    name: Name
    expected: str
    """What we have, in words of ours or roubles; empty where we have nothing."""
    found: str
    """What the provider has."""


@dataclass(frozen=True, slots=True)
class Books:
    """Which of the provider's books were compared."""

    shop: str
    day: date
    source: Source


async def note(tx: Tx, books: Books, found: Sequence[Difference], at: datetime) -> int:
    """Keep differences, those known already as seen again; return how many are new."""
    if not found:
        return 0
    rows = [
        {
            "shop": books.shop,
            "day": books.day,
            "kind": str(one.kind),
            "provider_id": one.provider_id,
            "provider_payment_id": one.provider_payment_id,
            "name": str(one.name),
            "source": str(books.source),
            "expected": one.expected,
            "found": one.found,
            "first_seen_at": at,
            "last_seen_at": at,
            "due_at": at if (books.source, one.name) in _ASKED else None,
        }
        for one in found
    ]
    raise_signal(tx, DIFFERENCES)
    new = len(await insert_new(tx, difference, rows, "provider_id"))
    if new < len(rows):
        again = [{**row, "state": OPEN, "outcome": ""} for row in rows]
        for row in again:
            del row["first_seen_at"], row["day"], row["provider_payment_id"]
        key = ("shop", "kind", "provider_id", "name", "source")
        await update_each(tx, difference, again, *key, clear=("settled_at",))
    return new


async def agree(tx: Tx, books: Books, kind: Kind, ids: Sequence[str], at: datetime) -> int:
    """Settle the open differences of what both sides agree on now; return how many.

    What the other of the provider's books says of amounts and fees is not settled by this one.
    """
    c = difference.c
    both = (str(Name.MISSING_HERE), str(Name.STATUS))
    mine = and_(c.shop == books.shop, c.kind == str(kind), among(tx, c.provider_id, ids), _open)
    settled = {"state": SETTLED, "outcome": AGREED, "settled_at": at, "due_at": None}
    ours = or_(c.source == str(books.source), c.name.in_(both))
    done = await tx.execute(update(difference).where(mine, ours).values(settled))
    return int(done.rowcount)


def cry(books: Books, found: Sequence[Difference], **facts: Any) -> None:
    """Alarm once for each name, however many there are; called after the commit."""
    first = {one.name: one for one in reversed(found)}
    for name, count in Counter(one.name for one in found).items():
        alarm(
            f"difference_{name}",
            provider=books.shop,
            day=books.day.isoformat(),
            count=count,
            provider_id=first[name].provider_id,
            **facts,
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which differences somebody wants to see."""

    shop: str | None = None
    day: date | None = None
    state: str | None = None
    after: int = 0


async def listed(tx: Tx, wanted: Wanted, limit: int) -> Sequence[Row[Any]]:
    """Return differences in the order in which they were found first."""
    c = difference.c
    query = select(difference).where(c.id > wanted.after).order_by(c.id).limit(limit)
    for column, value in ((c.shop, wanted.shop), (c.day, wanted.day), (c.state, wanted.state)):
        if value is not None:
            query = query.where(column == value)
    return (await tx.execute(query)).all()


async def counted(tx: Tx, shop: str, since: date, until: date) -> dict[tuple[date, str], int]:
    """Count a shop's open differences by day and source."""
    c = difference.c
    query = (
        select(c.day, c.source, func.count().label("number"))
        .where(c.shop == shop, c.day >= since, c.day <= until, _open)
        .group_by(c.day, c.source)
    )
    return {(row.day, row.source): row.number for row in await tx.execute(query)}


async def measure(db: Database, service: str) -> None:
    """Show Prometheus how many differences are open, by name."""
    query = select(difference.c.name, func.count().label("number")).where(_open)
    async with reading(db) as tx:
        rows = await tx.execute(query.group_by(difference.c.name))
        found = {row.name: row.number for row in rows}
    for name in Name:
        SHOWN.labels(service, str(name)).set(found.get(str(name), 0))
