"""The registers that were taken: one row each, each file once, and how far each was applied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    select,
    update,
)
from sqlalchemy import Row as Found
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from shared.db import Instant, Tx, is_postgres, metadata
from shared.gateway.differences import Books, Source
from shared.gateway.provider import Kind
from shared.gateway.register import Register

LISTED_MAX: Final = 1000
STALLED_AFTER: Final = timedelta(minutes=10)
"""A batch takes less than a second; who has not moved for so long has been stopped."""

schema = metadata()
register = Table(
    "register",
    schema,
    Column("id", Uuid, primary_key=True),
    Column("shop", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("day", Date, nullable=False),
    Column("file", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("amount_kopecks", BigInteger, nullable=False),
    Column("done", Integer, nullable=False, server_default="0"),
    Column("differences", Integer, nullable=False, server_default="0"),
    Column("received_at", Instant, nullable=False),
    Column("touched_at", Instant, nullable=False),
    Column("finished_at", Instant),
    UniqueConstraint("shop", "digest", name="uq_register_digest"),
)
Index("ix_register_day", register.c.shop, register.c.day)


class Elsewhere(Exception):
    """Somebody else applies the same file at this moment."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A register as it stands here."""

    id: UUID
    register: Register
    file: str
    done: int
    differences: int
    """How many of its rows, and of ours that it lacks, differ."""
    received_at: datetime
    touched_at: datetime
    finished_at: datetime | None = None

    @property
    def books(self) -> Books:
        """Return which of the provider's books these are."""
        return Books(self.register.shop, self.register.day, Source.REGISTER)

    def state(self, at: datetime) -> str:
        """Return ``done``, ``running`` or ``stopped``: then the same file is to be given again."""
        if self.finished_at is not None:
            return "done"
        return "running" if at - self.touched_at < STALLED_AFTER else "stopped"


async def take(tx: Tx, read: Register, file: str, digest: bytes, at: datetime) -> Taken:
    """Write a register down, or return the one of the same file that was taken before."""
    make = postgres_insert if is_postgres(tx) else sqlite_insert
    row = {
        "id": uuid4(),
        "shop": read.shop,
        "kind": str(read.kind),
        "day": read.day,
        "file": file[:200],
        "digest": digest,
        "rows": read.rows,
        "amount_kopecks": read.amount_kopecks,
        "received_at": at,
        "touched_at": at,
    }
    await tx.execute(make(register).values(**row).on_conflict_do_nothing())
    same = select(register).where(register.c.shop == read.shop, register.c.digest == digest)
    return _taken((await tx.execute(same)).one())


async def find(tx: Tx, register_id: UUID) -> Taken | None:
    """Return a register by its id."""
    row = (await tx.execute(select(register).where(register.c.id == register_id))).one_or_none()
    return None if row is None else _taken(row)


async def between(tx: Tx, shop: str, since: date, until: date) -> Sequence[Taken]:
    """Return the registers of some days, the newest first of each day."""
    c = register.c
    query = select(register).where(c.shop == shop, c.day >= since, c.day <= until)
    rows = await tx.execute(query.order_by(c.day.desc(), c.received_at.desc()).limit(LISTED_MAX))
    return [_taken(row) for row in rows]


async def advance(tx: Tx, taken: Taken, rows: int, differ: int, at: datetime) -> Taken:
    """Write down how far it went; raises Elsewhere where somebody else is further."""
    c = register.c
    moved = (
        update(register)
        .where(c.id == taken.id, c.done == taken.done, c.finished_at.is_(None))
        .values(done=c.done + rows, differences=c.differences + differ, touched_at=at)
        .returning(register)
    )
    row = (await tx.execute(moved)).one_or_none()
    if row is None:
        raise Elsewhere(taken.file)
    return _taken(row)


async def finish(tx: Tx, taken: Taken, missing: int, at: datetime) -> Taken:
    """Write down that all is done; raises Elsewhere where somebody else has ended it."""
    c = register.c
    values = {"differences": c.differences + missing, "touched_at": at, "finished_at": at}
    ended = update(register).where(c.id == taken.id, c.finished_at.is_(None)).values(values)
    row = (await tx.execute(ended.returning(register))).one_or_none()
    if row is None:
        raise Elsewhere(taken.file)
    return _taken(row)


def _taken(row: Found[Any]) -> Taken:
    read = Register(row.shop, Kind(row.kind), row.day, row.rows, row.amount_kopecks)
    return Taken(
        id=row.id,
        register=read,
        file=row.file,
        done=row.done,
        differences=row.differences,
        received_at=row.received_at,
        touched_at=row.touched_at,
        finished_at=row.finished_at,
    )
