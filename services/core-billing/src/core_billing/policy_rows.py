"""The history of the settings that managers change: a row for each change, none is rewritten.

A value holds from its day on, until the next one. What was done under an earlier value stays.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, TypeVar

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Date,
    Index,
    Integer,
    Row,
    Table,
    Text,
    UniqueConstraint,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from core_billing.policies import BY_NAME, Policy
from shared.db import Instant, Tx, is_postgres, metadata

Value = TypeVar("Value")

EVERYBODY = ""
"""The scope of a value that holds for everybody who has none of their own."""

schema = metadata()
policy = Table(
    "policy",
    schema,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("name", Text, nullable=False),
    # Empty for everybody, else ``operator:<name>``, ``group:<name>`` or ``manager:<name>``.
    Column("scope", Text, nullable=False),
    # Counts the changes of one name and scope, so that of two at once one is refused.
    Column("revision", Integer, nullable=False),
    Column("valid_from", Date, nullable=False),
    Column("value", JSON, nullable=False),
    Column("set_at", Instant, nullable=False),
    Column("set_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    UniqueConstraint("name", "scope", "revision"),
)
Index("ix_policy_scope", policy.c.scope)


@dataclass(frozen=True, slots=True)
class Kept:
    """One change of a setting."""

    id: int
    name: str
    scope: str
    revision: int
    valid_from: date
    value: Any
    """As JSON has it."""
    set_at: datetime
    set_by: str
    reason: str


@dataclass(frozen=True)
class Policies:
    """The values that hold on one day, for some scopes and for everybody."""

    day: date
    kept: Mapping[tuple[str, str], Kept]

    def get(self, wanted: Policy[Value], *scopes: str) -> Value:
        """Return the value of the first of these scopes that has one, else everybody's."""
        for scope in (*scopes, EVERYBODY):
            kept = self.kept.get((wanted.name, scope))
            if kept is not None:
                return wanted.read(kept.value)
        return wanted.default


async def load(tx: Tx, day: date, *scopes: str, known_at: datetime | None = None) -> Policies:
    """Return what holds on a day for these scopes and for everybody, in one statement.

    With `known_at`, what held as far as had been decided by then: for a paper handed out then.
    """
    mine = policy.c.scope.in_([EVERYBODY, *scopes])
    if known_at is None:
        return await _load(tx, day, mine)
    return await _load(tx, day, mine & (policy.c.set_at <= known_at))


async def load_all(tx: Tx, day: date) -> Policies:
    """Return what holds on a day for whomever: for jobs that look at all contracts."""
    return await _load(tx, day, policy.c.id > 0)


async def _load(tx: Tx, day: date, mine: Any) -> Policies:
    held = select(policy).where(mine, policy.c.valid_from <= day)
    rows = await tx.execute(held.order_by(policy.c.valid_from, policy.c.revision))
    # The last one wins: a later day, and of one day the newer change.
    return Policies(day, {(r.name, r.scope): _read(r) for r in rows if r.name in BY_NAME})


async def planned(tx: Tx, day: date, *scopes: str) -> list[Kept]:
    """Return the changes that hold only after a day, at most 200, the earliest first."""
    later = select(policy).where(
        policy.c.scope.in_([EVERYBODY, *scopes]), policy.c.valid_from > day
    )
    rows = await tx.execute(later.order_by(policy.c.valid_from, policy.c.revision).limit(200))
    return [_read(row) for row in rows if row.name in BY_NAME]


async def revisions(tx: Tx, scope: str) -> dict[str, int]:
    """Return how often each setting of a scope has been changed, by name."""
    newest = func.max(policy.c.revision).label("newest")
    mine = select(policy.c.name, newest).where(policy.c.scope == scope)
    return {row.name: row.newest for row in await tx.execute(mine.group_by(policy.c.name))}


async def newest(tx: Tx, name: str, scope: str) -> Kept | None:
    """Return the last change of a setting, if there is one."""
    mine = select(policy).where(policy.c.name == name, policy.c.scope == scope)
    row = (await tx.execute(mine.order_by(policy.c.revision.desc()).limit(1))).one_or_none()
    return None if row is None else _read(row)


async def add(tx: Tx, kept: Kept) -> Kept | None:
    """Write a change down; none where somebody else has used its revision meanwhile."""
    row = {column.name: getattr(kept, column.name) for column in policy.c if column.name != "id"}
    insert = postgres_insert(policy) if is_postgres(tx) else sqlite_insert(policy)
    wanted = insert.values(row).on_conflict_do_nothing().returning(policy.c.id)
    made = (await tx.execute(wanted)).scalar_one_or_none()
    return None if made is None else replace(kept, id=made)


async def history(
    tx: Tx, name: str, scope: str | None, before: int | None, limit: int
) -> list[Kept]:
    """Return the changes of a setting for one scope or for all, newest first, below an id."""
    mine = select(policy).where(policy.c.name == name)
    if scope is not None:
        mine = mine.where(policy.c.scope == scope)
    if before is not None:
        mine = mine.where(policy.c.id < before)
    rows = await tx.execute(mine.order_by(policy.c.id.desc()).limit(limit))
    return [_read(row) for row in rows]


async def in_force(tx: Tx, names: Collection[str], day: date) -> list[Kept]:
    """Return, of these settings and all scopes, what holds on a day and what is planned after it.

    A change that another one of the same day has replaced is left out.
    """
    rows = await tx.execute(
        select(policy)
        .where(policy.c.name.in_(names))
        .order_by(policy.c.valid_from, policy.c.revision)
    )
    found: dict[tuple[str, str, date], Kept] = {}
    for row in rows:
        found[row.name, row.scope, max(row.valid_from, day)] = _read(row)
    return list(found.values())


def _read(row: Row[Any]) -> Kept:
    return Kept(
        id=row.id,
        name=row.name,
        scope=row.scope,
        revision=row.revision,
        valid_from=row.valid_from,
        value=row.value,
        set_at=row.set_at,
        set_by=row.set_by,
        reason=row.reason,
    )
