"""Rows of registers about codes on paper: the only other word of a payment whose callback is lost.

The bank's register knows no transaction and no second. So a row is known by its code, order, amount
and minute, and by its number among the rows that agree in all four: the same file again changes
nothing, and one of an overlapping period adds only what is new.

A row waits until the bank's callbacks are over. Then it is recovered, unless a signed payment has
been booked for it; a callback that comes later still claims it, and is no money a second time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Index,
    Integer,
    Row,
    Table,
    Text,
    UniqueConstraint,
    and_,
    func,
    or_,
    select,
    true,
    update,
)

from gateway_sbp.paper_row import Key, PaperRow, State
from shared.db import Instant, Tx, is_postgres, metadata
from shared.rows import insert_new

CALLBACKS_END_AFTER: Final = timedelta(hours=24)
"""The bank repeats a callback for so long. Source: its description of callbacks."""
GRACE: Final = timedelta(hours=1)
"""For the minute that a row is cut to, clocks that differ, and the last callback on its way."""

schema = metadata()
paper_row = Table(
    "paper_row",
    schema,
    Column("shop", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("order_id", Text, nullable=False),
    Column("qr_id", Text, nullable=False),
    Column("amount_kopecks", BigInteger, nullable=False),
    Column("minute", Instant, nullable=False),
    Column("number", Integer, nullable=False),
    Column("fee_kopecks", BigInteger),
    Column("state", Text, nullable=False),
    # The signed payment that it is.
    Column("transaction_id", Text),
    Column("contract", Text),
    Column("due_at", Instant),
    Column("received_at", Instant, nullable=False),
    UniqueConstraint("shop", "transaction_id", name="uq_paper_row_transaction"),
)
_c = paper_row.c
_due = _c.due_at.is_not(None)
Index("ix_paper_row_due", _c.due_at, postgresql_where=_due, sqlite_where=_due)
Index("ix_paper_row_key", _c.shop, _c.order_id, _c.amount_kopecks, _c.minute)
Index("ix_paper_row_code", _c.shop, _c.qr_id, _c.minute)


async def lock(tx: Tx, keys: Sequence[Key]) -> None:
    """Hold back everybody else who books or recovers what may be the same payments.

    Comes first in a transaction: what is read afterwards is what others have committed.
    """
    if not is_postgres(tx):
        return  # SQLite has one writer at a time.
    # In one order for everybody. A row that is not there yet cannot be locked itself.
    for guard in sorted({key.guard for key in keys}):
        await tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(guard, 0))))


async def of(tx: Tx, key: Key) -> list[PaperRow]:
    """Return the rows of a key in the order of their numbers."""
    query = select(paper_row).where(_same(key), _c.qr_id == key.qr_id).order_by(_c.number)
    return [_row(row) for row in await tx.execute(query)]


async def add(tx: Tx, key: Key, fees: Sequence[int | None], at: datetime) -> None:
    """Write down that there are at least as many rows of a key as there are fees."""
    rows = [
        {
            "shop": key.shop,
            "id": key.id(number),
            "order_id": key.order,
            "qr_id": key.qr_id,
            "amount_kopecks": key.amount_kopecks,
            "minute": key.minute,
            "number": number,
            "fee_kopecks": fee,
            "state": str(State.WAITING),
            "due_at": key.minute + CALLBACKS_END_AFTER + GRACE,
            "received_at": at,
        }
        for number, fee in enumerate(fees, 1)
    ]
    await insert_new(tx, paper_row, rows, "id")


async def claim(tx: Tx, key: Key, transaction_id: str) -> PaperRow | None:
    """Give a signed payment the row that it is, one already recovered first; None without any.

    Returns the row as it stands afterwards. The key is locked.
    """
    any_code = or_(_c.qr_id == key.qr_id, _c.qr_id == "") if key.qr_id else true()
    free = and_(_same(key), any_code, _c.transaction_id.is_(None))
    recovered_first = (_c.state == str(State.RECOVERED)).desc()
    query = select(paper_row).where(free).order_by(recovered_first, _c.number, _c.id).limit(1)
    found = (await tx.execute(query)).one_or_none()
    return None if found is None else await match(tx, _row(found), transaction_id)


async def match(tx: Tx, row: PaperRow, transaction_id: str) -> PaperRow:
    """Write down which signed payment a row is; the key is locked."""
    state = State.MATCHED if row.state is State.WAITING else row.state
    return await _write(tx, row, state=state, transaction_id=transaction_id)


async def recover(tx: Tx, row: PaperRow, contract: str | None) -> PaperRow:
    """Write down that a row was credited itself, and to whom; the key is locked."""
    return await _write(tx, row, state=State.RECOVERED, contract=contract)


async def find(tx: Tx, shop: str, row_id: str) -> PaperRow | None:
    """Return a row by its id."""
    return await _one(tx, and_(_c.shop == shop, _c.id == row_id))


async def find_transaction(tx: Tx, shop: str, transaction_id: str) -> PaperRow | None:
    """Return the row that a signed payment is, if the register has told of it."""
    return await _one(tx, and_(_c.shop == shop, _c.transaction_id == transaction_id))


async def due(tx: Tx, at: datetime, limit: int) -> list[PaperRow]:
    """Return waiting rows whose callbacks are over, oldest first."""
    query = select(paper_row).where(_c.due_at <= at).order_by(_c.due_at, _c.id).limit(limit)
    return [_row(row) for row in await tx.execute(query)]


async def postpone(tx: Tx, row: PaperRow, due_at: datetime) -> None:
    """Look at a waiting row later."""
    mine = and_(_c.shop == row.key.shop, _c.id == row.id, _due)
    await tx.execute(update(paper_row).where(mine).values(due_at=due_at))


async def of_day(
    tx: Tx, shop: str, qr_id: str, amount_kopecks: int, since: datetime, until: datetime
) -> list[PaperRow]:
    """Return the rows by a code and of an amount between two moments, oldest first."""
    mine = and_(_c.shop == shop, _c.qr_id == qr_id, _c.amount_kopecks == amount_kopecks)
    query = select(paper_row).where(mine, _c.minute >= since, _c.minute < until)
    return [_row(row) for row in await tx.execute(query.order_by(_c.minute, _c.id))]


async def waiting(tx: Tx, shop: str) -> int:
    """Count the rows of an account whose callbacks may still come."""
    mine = and_(_c.shop == shop, _due)
    return int((await tx.execute(select(func.count()).where(mine))).scalar_one())


async def _write(tx: Tx, row: PaperRow, *, state: State, **values: object) -> PaperRow:
    mine = and_(_c.shop == row.key.shop, _c.id == row.id)
    written = update(paper_row).where(mine).values(state=str(state), due_at=None, **values)
    return _row((await tx.execute(written.returning(paper_row))).one())


async def _one(tx: Tx, where: ColumnElement[bool]) -> PaperRow | None:
    row = (await tx.execute(select(paper_row).where(where))).one_or_none()
    return None if row is None else _row(row)


def _same(key: Key) -> ColumnElement[bool]:
    return and_(
        _c.shop == key.shop,
        _c.order_id == key.order,
        _c.amount_kopecks == key.amount_kopecks,
        _c.minute == key.minute,
    )


def _row(row: Row[Any]) -> PaperRow:
    return PaperRow(
        id=row.id,
        key=Key(row.shop, row.order_id, row.qr_id, row.amount_kopecks, row.minute),
        number=row.number,
        fee_kopecks=row.fee_kopecks,
        state=State(row.state),
        transaction_id=row.transaction_id,
        contract=row.contract,
        due_at=row.due_at,
    )
