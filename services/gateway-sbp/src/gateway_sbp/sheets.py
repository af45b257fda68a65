"""Sheets to print: codes of many contracts at once, registered one after another.

A line is a contract; it falls due by itself until its code is there, so a sheet that was stopped
goes on where it stood.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import (
    Column,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    delete,
    func,
    select,
)

from shared.db import Instant, Tx, metadata
from shared.rows import insert_new

KEPT: Final = timedelta(days=30)
_PRUNE_MAX: Final = 100
CONTRACTS_MAX: Final = 5_000
"""On one sheet; an operator with more prints several."""
_INSERT_MAX: Final = 500

schema = metadata()
sheet = Table(
    "sheet",
    schema,
    Column("id", Uuid, primary_key=True),
    Column("total", Integer, nullable=False),
    Column("caller", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
)
line = Table(
    "sheet_line",
    schema,
    Column("id", Uuid, primary_key=True),
    Column("sheet_id", Uuid, nullable=False),
    Column("position", Integer, nullable=False),
    Column("contract", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("payload", Text),
    Column("reason", Text, nullable=False, server_default=""),
    Column("due_at", Instant),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("lease_token", Uuid),
    Column("leased_until", Instant),
    UniqueConstraint("sheet_id", "position", name="uq_sheet_line_position"),
)
_due = line.c.due_at.is_not(None)
Index("ix_sheet_line_due", line.c.due_at, postgresql_where=_due, sqlite_where=_due)


class State(StrEnum):
    """How far a line has come."""

    WAITING = "waiting"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Line:
    """A contract on a sheet."""

    position: int
    contract: str
    status: State
    payload: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet and how far it is."""

    id: UUID
    total: int
    ready: int
    failed: int
    created_at: datetime

    @property
    def finished(self) -> bool:
        """Say whether every line has its code or never will."""
        return self.ready + self.failed >= self.total


async def make(tx: Tx, contracts: Sequence[str], caller: str, at: datetime) -> Sheet:
    """Write a sheet down, its lines in this order and due at once."""
    made = Sheet(uuid4(), len(contracts), 0, 0, at)
    await tx.execute(
        sheet.insert().values(id=made.id, total=made.total, caller=caller, created_at=at)
    )
    rows = [_row(made.id, position, contract, at) for position, contract in enumerate(contracts)]
    for begin in range(0, len(rows), _INSERT_MAX):
        await insert_new(tx, line, rows[begin : begin + _INSERT_MAX], "id")
    return made


async def find(tx: Tx, sheet_id: UUID) -> Sheet | None:
    """Return a sheet and how far it is."""
    row = (await tx.execute(select(sheet).where(sheet.c.id == sheet_id))).one_or_none()
    if row is None:
        return None
    states = select(line.c.status, func.count()).where(line.c.sheet_id == sheet_id)
    found = (await tx.execute(states.group_by(line.c.status))).all()
    counted = {status: int(count) for status, count in found}
    ready, failed = counted.get(State.READY, 0), counted.get(State.FAILED, 0)
    return Sheet(row.id, row.total, ready, failed, row.created_at)


async def lines(tx: Tx, sheet_id: UUID, since: int, limit: int) -> list[Line]:
    """Return so many lines of a sheet from a position on."""
    of = select(line).where(line.c.sheet_id == sheet_id, line.c.position >= since)
    found = await tx.execute(of.order_by(line.c.position).limit(limit))
    return [
        Line(row.position, row.contract, State(row.status), row.payload, row.reason)
        for row in found
    ]


async def prune(tx: Tx, at: datetime) -> bool:
    """Delete sheets made more than 30 days ago; return whether more of them are left."""
    old = select(sheet.c.id).where(sheet.c.created_at < at - KEPT).limit(_PRUNE_MAX)
    ids = list((await tx.execute(old)).scalars())
    await tx.execute(delete(line).where(line.c.sheet_id.in_(ids)))
    await tx.execute(delete(sheet).where(sheet.c.id.in_(ids)))
    return len(ids) == _PRUNE_MAX


def _row(sheet_id: UUID, position: int, contract: str, at: datetime) -> dict[str, Any]:
    return {
        "id": uuid4(),
        "sheet_id": sheet_id,
        "position": position,
        "contract": contract,
        "status": str(State.WAITING),
        "due_at": at,
    }
