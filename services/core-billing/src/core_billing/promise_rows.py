"""The table of promised payments: one row each, at most one of a contract not closed yet."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple

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
    func,
    or_,
    select,
)

from core_billing.accounts import account, balance
from core_billing.contracts import contract
from shared.db import Instant, Tx, metadata
from shared.rows import among, insert_new, update_each

SAID_BEFORE: Final = timedelta(hours=24)
"""How long before its end a subscriber hears of it."""
LOOKED_BACK: Final = timedelta(days=367)
"""Earlier promises count in no rule: see the bounds of `policies.PromiseRule`."""

schema = metadata()
promise = Table(
    "promise",
    schema,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("contract_id", Integer, nullable=False),
    Column("amount_kopecks", BigInteger, nullable=False),
    Column("fee_kopecks", BigInteger, nullable=False),
    # How much real payments have brought since it was given; at the amount it is repaid.
    Column("paid_kopecks", BigInteger, nullable=False),
    Column("granted_at", Instant, nullable=False),
    Column("until", Instant, nullable=False),
    # subscriber, manager or automatic; and the manager's name, where it was one.
    Column("origin", Text, nullable=False),
    Column("granted_by", Text, nullable=False),
    Column("overdue_at", Instant),
    Column("closed_at", Instant),
    # repaid, ended or canceled.
    Column("closed_how", Text),
    Column("closed_by", Text),
    Column("repaid_by", BigInteger),
    Column("ending_said_at", Instant),
    # Grows over all promises of the contract, because their events have it for their subject.
    Column("revision", Integer, nullable=False),
)
_open = promise.c.closed_at.is_(None)
_active = _open & promise.c.overdue_at.is_(None)
Index(
    "uq_promise_open",
    promise.c.contract_id,
    unique=True,
    postgresql_where=_open,
    sqlite_where=_open,
)
Index("ix_promise_contract_id", promise.c.contract_id, promise.c.id)
Index("ix_promise_until", promise.c.until, postgresql_where=_active, sqlite_where=_active)


class Origin(StrEnum):
    """On whose wish a promise was given."""

    SUBSCRIBER = "subscriber"
    MANAGER = "manager"
    AUTOMATIC = "automatic"


class Status(StrEnum):
    """How a promise stands."""

    ACTIVE = "active"
    OVERDUE = "overdue"
    REPAID = "repaid"
    ENDED = "ended"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class Promise:
    """A promised payment; sums are kopecks."""

    id: int
    contract_id: int
    amount_kopecks: int
    fee_kopecks: int
    paid_kopecks: int
    granted_at: datetime
    until: datetime
    origin: str
    granted_by: str
    overdue_at: datetime | None
    closed_at: datetime | None
    closed_how: str | None
    closed_by: str | None
    repaid_by: int | None
    ending_said_at: datetime | None
    revision: int
    number: str
    """The contract's."""

    @property
    def status(self) -> Status:
        """Return how it stands."""
        if self.closed_how is not None:
            return Status(self.closed_how)
        return Status.ACTIVE if self.overdue_at is None else Status.OVERDUE


class Past(NamedTuple):
    """What earlier promises of a contract mean for the next one."""

    granted_at: datetime
    overdue_closed_at: datetime | None


async def find(tx: Tx, promise_id: int) -> Promise | None:
    """Return the promise with an id, if there is one."""
    row = (await tx.execute(_promises().where(promise.c.id == promise_id))).one_or_none()
    return None if row is None else _read(row)


async def page(
    tx: Tx, contract_id: int | None, status: Status | None, before: int | None, limit: int
) -> list[Promise]:
    """Return promises, newest first: of one contract or all, with one status or any."""
    wanted = _promises()
    if contract_id is not None:
        wanted = wanted.where(promise.c.contract_id == contract_id)
    if status is not None:
        wanted = wanted.where(_has(status))
    if before is not None:
        wanted = wanted.where(promise.c.id < before)
    rows = await tx.execute(wanted.order_by(promise.c.id.desc()).limit(limit))
    return [_read(row) for row in rows]


async def open_of(tx: Tx, contract_ids: Collection[int]) -> dict[int, Promise]:
    """Return the promises of these contracts that are not closed, by the contract's id."""
    mine = among(tx, promise.c.contract_id, contract_ids)
    rows = await tx.execute(_promises().where(mine, _open))
    return {row.contract_id: _read(row) for row in rows}


async def past_of(tx: Tx, contract_ids: Collection[int], at: datetime) -> dict[int, list[Past]]:
    """Return the promises of a year by contract, newest first, without the cancelled ones."""
    since = at - LOOKED_BACK
    recent = or_(promise.c.granted_at > since, promise.c.closed_at > since)
    kept = or_(promise.c.closed_how.is_(None), promise.c.closed_how != Status.CANCELED)
    columns = select(
        promise.c.contract_id, promise.c.granted_at, promise.c.overdue_at, promise.c.closed_at
    )
    mine = among(tx, promise.c.contract_id, contract_ids)
    rows = await tx.execute(columns.where(mine, kept, recent).order_by(promise.c.id.desc()))
    found: dict[int, list[Past]] = {}
    for row in rows:
        settled = None if row.overdue_at is None else row.closed_at
        found.setdefault(row.contract_id, []).append(Past(row.granted_at, settled))
    return found


async def revisions_of(tx: Tx, contract_ids: Collection[int]) -> dict[int, int]:
    """Return the greatest revision of each contract that has ever promised."""
    newest = select(promise.c.contract_id, func.max(promise.c.revision).label("revision"))
    mine = among(tx, promise.c.contract_id, contract_ids)
    rows = await tx.execute(newest.where(mine).group_by(promise.c.contract_id))
    return {row.contract_id: row.revision for row in rows}


async def insert(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> set[int]:
    """Write promises; return the contracts that got theirs: who has an open one gets none."""
    return set(await insert_new(tx, promise, rows, "contract_id"))


async def change(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Give promises, found by their id, the other values that their rows name."""
    await update_each(tx, promise, rows, "id")


async def set_floors(tx: Tx, promised: Mapping[int, int]) -> None:
    """Lower the floors of locked contracts by these kopecks, or give them back with zero.

    A promise ties its contract, see `consequences`; who lets it go is there, too.
    """
    rows = [
        {"account_id": contract_id, "promised_kopecks": kopecks, "tied": True}
        for contract_id, kopecks in promised.items()
    ]
    await update_each(tx, balance, rows, "account_id")


async def lock_due(tx: Tx, at: datetime, limit: int) -> list[str]:
    """Lock contracts whose promise is at its end; return the names of their accounts.

    Those that somebody else works on are left for the next time.
    """
    return await _lock(tx, promise.c.until <= at, limit)


async def lock_ending(tx: Tx, at: datetime, limit: int) -> list[str]:
    """Lock contracts whose promise ends soon, who are in debt and have not been told of it."""
    soon = promise.c.until.between(at, at + SAID_BEFORE) & promise.c.ending_said_at.is_(None)
    indebted = balance.c.kopecks + balance.c.credit_limit_kopecks < 0
    return await _lock(tx, soon & indebted, limit)


async def _lock(tx: Tx, wanted: ColumnElement[bool], limit: int) -> list[str]:
    # The balance is what everybody locks first, so that nobody waits for us crosswise.
    names = (
        select(account.c.name)
        .join(balance, balance.c.account_id == account.c.id)
        .join(promise, promise.c.contract_id == account.c.id)
        .where(_active, wanted)
        .order_by(promise.c.until, promise.c.id)
        .limit(limit)
        .with_for_update(of=balance, skip_locked=True)
    )
    return list((await tx.execute(names)).scalars())


def _has(status: Status) -> ColumnElement[bool]:
    if status is Status.ACTIVE:
        return _active
    if status is Status.OVERDUE:
        return _open & promise.c.overdue_at.is_not(None)
    return promise.c.closed_how == status


def _promises() -> Select[Any]:
    named = select(promise, contract.c.number)
    return named.join(contract, contract.c.id == promise.c.contract_id)


def _read(row: Row[Any]) -> Promise:
    return Promise(**row._mapping)
