"""The tables of blocks: one row for each contract that has been short of money, and its history.

Whoever writes a row holds the lock of the contract's balance, so that what is decided and the money
it is decided by stand still together.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Index,
    Integer,
    Row,
    Select,
    Table,
    Text,
    and_,
    or_,
    select,
)

from core_billing.accounts import balance
from core_billing.contracts import contract
from core_billing.services import service
from core_billing.terms import DEFAULT_GROUP, terms
from shared.db import Instant, Tx, metadata
from shared.rows import among, insert_new, update_each

schema = metadata()
block = Table(
    "block",
    schema,
    Column("contract_id", Integer, primary_key=True, autoincrement=False),
    Column("blocked", Boolean, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("changed_at", Instant),
    # Since when less than nothing is available; none while there is something.
    Column("short_since", Instant),
    # A payment that its payer has confirmed postpones a block, once until it is settled.
    Column("postponed_until", Instant),
)
Index(
    "ix_block_blocked",
    block.c.contract_id,
    postgresql_where=block.c.blocked,
    sqlite_where=block.c.blocked,
)
_short = block.c.short_since.is_not(None)
Index("ix_block_short", block.c.contract_id, postgresql_where=_short, sqlite_where=_short)
change = Table(
    "block_change",
    schema,
    Column("contract_id", Integer, primary_key=True, autoincrement=False),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("blocked", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", Instant, nullable=False),
)
_AVAILABLE: Final = balance.c.kopecks + balance.c.credit_limit_kopecks + balance.c.promised_kopecks


@dataclass(frozen=True, slots=True)
class State:
    """Whether a contract is blocked, as its row says; the first one stands for no row."""

    blocked: bool = False
    revision: int = 0
    reason: str = ""
    changed_at: datetime | None = None
    short_since: datetime | None = None
    postponed_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """What decides whether a contract may be used: its money, its rule, and how it stands."""

    contract_id: int
    number: str
    open: bool
    balance_kopecks: int
    promised_kopecks: int
    available_kopecks: int
    group_name: str
    block_rule: dict[str, Any] | None
    automatic_promise: bool
    known: bool
    """Whether it has a row of its own."""
    state: State


@dataclass(frozen=True, slots=True)
class Changed:
    """One change in the history of a contract's blocks."""

    revision: int
    blocked: bool
    reason: str
    at: datetime


async def lock_free(tx: Tx, contract_ids: Collection[int]) -> list[int]:
    """Lock those of these contracts that nobody else holds: who does may be bringing money."""
    mine = select(balance.c.account_id).where(among(tx, balance.c.account_id, contract_ids))
    ordered = mine.order_by(balance.c.account_id)
    found = await tx.execute(ordered.with_for_update(of=balance, skip_locked=True))
    return list(found.scalars())


async def find(tx: Tx, contract_ids: Collection[int]) -> list[Access]:
    """Return how these contracts stand, in the order of their ids."""
    return await _page(tx, among(tx, balance.c.account_id, contract_ids), len(contract_ids))


async def short(tx: Tx, after: int, limit: int) -> list[Access]:
    """Return open contracts that have run out of money and are not blocked, after an id.

    There is no index on the money: it would cost each payment its HOT update. The balances are
    narrow rows, and reading them all takes milliseconds.
    """
    free = or_(block.c.blocked.is_(None), ~block.c.blocked)
    lacking = and_(balance.c.open, _AVAILABLE < 0, free)
    return await _page(tx, and_(balance.c.account_id > after, lacking), limit)


async def recovered(tx: Tx, limit: int) -> list[Access]:
    """Return contracts noted as short that have money again and are not blocked."""
    again = and_(~block.c.blocked, block.c.short_since.is_not(None), _AVAILABLE >= 0)
    return await _page(tx, again, limit)


async def blocked(tx: Tx, after: int, limit: int) -> list[Access]:
    """Return blocked contracts, after an id."""
    return await _page(tx, and_(block.c.contract_id > after, block.c.blocked), limit)


async def falling(tx: Tx, after: int, limit: int, day: date) -> list[int]:
    """Return the ids of open contracts, not blocked, that may lack something by a day.

    Those lack it already, or have a fee that falls due by then, or a promise that may end.
    """
    due = (service.c.contract_id == balance.c.account_id, service.c.due_on <= day)
    falls = select(service.c.id).where(*due).exists()
    free = or_(block.c.blocked.is_(None), ~block.c.blocked)
    may = or_(_AVAILABLE < 0, balance.c.promised_kopecks > 0, falls)
    found = (
        select(balance.c.account_id)
        .outerjoin(block, block.c.contract_id == balance.c.account_id)
        .where(balance.c.account_id > after, balance.c.open, free, may)
    )
    return list((await tx.execute(found.order_by(balance.c.account_id).limit(limit))).scalars())


async def covered(tx: Tx, after: int, limit: int) -> list[Access]:
    """Return blocked, open contracts that have something available, after an id."""
    again = and_(block.c.blocked, balance.c.open, _AVAILABLE >= 0)
    return await _page(tx, and_(block.c.contract_id > after, again), limit)


async def put(tx: Tx, states: Sequence[tuple[Access, State]]) -> None:
    """Write how locked contracts stand now."""
    rows = [(one.known, {"contract_id": one.contract_id, **asdict(s)}) for one, s in states]
    await insert_new(tx, block, [row for known, row in rows if not known], "contract_id")
    await update_each(tx, block, [row for known, row in rows if known], "contract_id")


async def note(tx: Tx, states: Sequence[tuple[Access, State]], at: datetime) -> None:
    """Add changes of state to the history."""
    rows = [
        {
            "contract_id": one.contract_id,
            "revision": state.revision,
            "blocked": state.blocked,
            "reason": state.reason,
            "at": at,
        }
        for one, state in states
    ]
    await insert_new(tx, change, rows, "revision")


async def history(tx: Tx, contract_id: int, before: int, limit: int) -> list[Changed]:
    """Return the changes of a contract below a revision, newest first."""
    c = change.c
    columns = select(c.revision, c.blocked, c.reason, c.at)
    mine = columns.where(c.contract_id == contract_id, c.revision < before)
    rows = await tx.execute(mine.order_by(c.revision.desc()).limit(limit))
    return [Changed(*row) for row in rows]


async def _page(tx: Tx, where: ColumnElement[bool], limit: int) -> list[Access]:
    ordered = _accesses().where(where).order_by(balance.c.account_id).limit(limit)
    return [_read(row) for row in await tx.execute(ordered)]


def _accesses() -> Select[Any]:
    return (
        select(
            balance.c.account_id,
            contract.c.number,
            balance.c.open,
            balance.c.kopecks,
            balance.c.promised_kopecks,
            _AVAILABLE.label("available"),
            terms.c.group_name,
            terms.c.block_rule,
            terms.c.automatic_promise,
            *block.c,
        )
        .join(contract, contract.c.id == balance.c.account_id)
        .outerjoin(terms, terms.c.contract_id == balance.c.account_id)
        .outerjoin(block, block.c.contract_id == balance.c.account_id)
    )


def _read(row: Row[Any]) -> Access:
    known = row.contract_id is not None
    state = State(
        blocked=row.blocked,
        revision=row.revision,
        reason=row.reason,
        changed_at=row.changed_at,
        short_since=row.short_since,
        postponed_until=row.postponed_until,
    )
    return Access(
        contract_id=row.account_id,
        number=row.number,
        open=row.open,
        balance_kopecks=row.kopecks,
        promised_kopecks=row.promised_kopecks,
        available_kopecks=row.available,
        group_name=row.group_name or DEFAULT_GROUP,
        block_rule=row.block_rule,
        automatic_promise=bool(row.automatic_promise),
        known=known,
        state=state if known else State(),
    )
