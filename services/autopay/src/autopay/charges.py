"""Charges: each planned, announced, asked for once, and concluded by what its gateway says.

::

    planned ──▶ announced ──▶ requested ──▶ succeeded
       │            │             ├───────▶ failed
       └────────────┴─▶ dropped   └─▶ unclear ──▶ succeeded, failed

A contract has at most one charge that is not concluded, by a unique index. An unclear one is still
in flight: only an event concludes it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Index,
    Integer,
    Row,
    Select,
    Table,
    Text,
    Uuid,
    and_,
    bindparam,
    func,
    literal,
    literal_column,
    or_,
    select,
    tuple_,
)

from autopay import mandate_table
from autopay.case import OPEN, UPCOMING, Charge, State, charge_id
from autopay.mandate import MethodName
from shared.db import Instant, Tx, is_postgres, metadata
from shared.rows import insert_new, listed, update_each

__all__ = ["Charge", "State", "charge_id"]

LATELY: Final = timedelta(days=70)
"""How far back charges matter to a decision: a month's cap, the limits of tries, and the longest
time for which one need of money is tried."""

schema = metadata()
charge = Table(
    "charge",
    schema,
    Column("id", Text, primary_key=True),
    Column("contract", Text, nullable=False),
    Column("occasion", Text, nullable=False),
    Column("number", Integer, nullable=False),
    # None for a charge that came back to us without being known.
    Column("mandate_id", Uuid),
    Column("why", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("method_ref", Text, nullable=False),
    Column("amount_kopecks", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("announce_at", Instant),
    Column("charge_at", Instant, nullable=False),
    Column("not_after", Instant),
    Column("created_at", Instant, nullable=False),
    Column("announced_at", Instant),
    Column("requested_at", Instant),
    Column("concluded_at", Instant),
    Column("credited_at", Instant),
    Column("reason", Text, nullable=False, server_default=""),
    Column("failure", Text),
    Column("correlation_id", Text, nullable=False),
)


def _is(*states: State) -> ColumnElement[bool]:
    """Compare the state with words that stand in the statement itself.

    Given beside it, they could be any, and SQLite would use none of the partial indexes below.
    """
    words = [literal_column(f"'{state}'", Text) for state in states]
    return charge.c.state == words[0] if len(words) == 1 else charge.c.state.in_(words)


_open = _is(*OPEN)
_planned = _is(State.PLANNED)
_upcoming = _is(*UPCOMING)
_requested = _is(State.REQUESTED)
Index(
    "uq_charge_open",
    charge.c.contract,
    unique=True,
    postgresql_where=_open,
    sqlite_where=_open,
)
Index("ix_charge_announce", charge.c.announce_at, postgresql_where=_planned, sqlite_where=_planned)
Index("ix_charge_due", charge.c.charge_at, postgresql_where=_upcoming, sqlite_where=_upcoming)
Index("ix_charge_unclear", charge.c.not_after, postgresql_where=_requested, sqlite_where=_requested)
Index("ix_charge_contract", charge.c.contract, charge.c.created_at)
Index("ix_charge_created", charge.c.created_at, charge.c.id)


_FIELDS: Final = tuple(each.name for each in fields(Charge) if each.name not in ("method", "state"))
_COLUMNS: Final = tuple(charge.c.keys())


async def insert(tx: Tx, new: Iterable[Charge]) -> set[str]:
    """Write down charges that are not known yet; return the ids of those written."""
    rows = [_row(each) for each in sorted(new, key=lambda each: each.contract)]
    return set(await insert_new(tx, charge, rows, "id"))


async def write(tx: Tx, changed: Sequence[Charge]) -> None:
    """Write down how charges of locked contracts stand now."""
    await update_each(tx, charge, [_row(each) for each in changed], "id")


async def of(tx: Tx, contracts: Collection[str], at: datetime) -> dict[str, list[Charge]]:
    """Return the charges that matter to a decision, by contract."""
    known = {"contracts": list(contracts), "since": at - LATELY}
    found: dict[str, list[Charge]] = {}
    for row in await tx.execute(_lately(is_postgres(tx)), known):
        found.setdefault(row.contract, []).append(_charge(row))
    return found


async def named(tx: Tx, ids: Collection[str]) -> dict[str, Charge]:
    """Return charges by their ids."""
    if not ids:
        return {}
    rows = await tx.execute(_named(is_postgres(tx)), {"ids": list(ids)})
    return {row.id: _charge(row) for row in rows}


def to_announce(at: datetime) -> Select[Any]:
    """Return the contracts whose charge is to be said."""
    return select(charge.c.contract).where(_planned, charge.c.announce_at <= at)


def to_request(at: datetime) -> Select[Any]:
    """Return the contracts whose charge is to be made."""
    said = or_(charge.c.state == str(State.ANNOUNCED), charge.c.announce_at.is_(None))
    return select(charge.c.contract).where(_upcoming, said, charge.c.charge_at <= at)


def overdue(before: datetime) -> Select[Any]:
    """Return the contracts whose charge has no outcome although it was dead before a moment."""
    return select(charge.c.contract).where(_requested, charge.c.not_after < before)


async def unanswered(tx: Tx, at: datetime, limit: int) -> list[Charge]:
    """Return charges in flight that are not sent any more: any of them, so that each gets its turn.

    Of the contracts with a charge that is not concluded few have such a one.
    """
    wanted = select(charge).where(_open, charge.c.not_after < at).order_by(func.random())
    return [_charge(row) for row in await tx.execute(wanted.limit(limit))]


async def find(tx: Tx, this: str) -> Charge | None:
    """Return one charge, or None."""
    return (await named(tx, [this])).get(this)


async def upcoming(tx: Tx, contract: str) -> Charge | None:
    """Return the charge of a contract that is planned, announced or in flight."""
    wanted = select(charge).where(charge.c.contract == contract, _open)
    row = (await tx.execute(wanted)).one_or_none()
    return None if row is None else _charge(row)


async def page(
    tx: Tx,
    *,
    limit: int,
    contract: str | None = None,
    mandate: UUID | None = None,
    state: str | None = None,
    before: tuple[datetime, str] | None = None,
) -> Sequence[Charge]:
    """Return charges, newest first, that come after the given one in that order."""
    conditions: list[ColumnElement[bool]] = []
    if contract is not None:
        conditions.append(charge.c.contract == contract)
    if mandate is not None:
        # A contract has few charges: by its index a mandate's are found without one of their own.
        owner = select(mandate_table.mandate.c.contract).where(
            mandate_table.mandate.c.id == mandate
        )
        conditions += [charge.c.contract == owner.scalar_subquery(), charge.c.mandate_id == mandate]
    if state is not None:
        conditions.append(charge.c.state == state)
    if before is not None:
        place = tuple_(literal(before[0], Instant), literal(before[1], Text))
        conditions.append(tuple_(charge.c.created_at, charge.c.id) < place)
    wanted = select(charge).where(and_(True, *conditions))
    wanted = wanted.order_by(charge.c.created_at.desc(), charge.c.id.desc()).limit(limit)
    return [_charge(row) for row in await tx.execute(wanted)]


def _row(one: Charge) -> dict[str, Any]:
    named_ = {name: getattr(one, name) for name in _FIELDS}
    provider, method_ref = one.method
    return {**named_, "state": str(one.state), "provider": provider, "method_ref": method_ref}


def _charge(row: Row[Any]) -> Charge:
    said = dict(zip(_COLUMNS, row, strict=True))
    method = MethodName(said.pop("provider"), said.pop("method_ref"))
    return Charge(state=State(said.pop("state")), method=method, **said)


@cache
def _lately(postgres: bool) -> Select[Any]:
    """Make the statement that finds the charges of contracts that matter since a moment."""
    matters = or_(_open, charge.c.requested_at > bindparam("since"))
    return select(charge).where(listed(postgres, charge.c.contract, "contracts"), matters)


@cache
def _named(postgres: bool) -> Select[Any]:
    return select(charge).where(listed(postgres, charge.c.id, "ids"))
