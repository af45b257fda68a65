"""Payment categories: what a payment was for, with the code by which 1C knows it.

Category 0 is built in: it is there without a row, and its row, once it has one, holds only what a
manager has said about it. A deleted category stays for the payments that bear it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, Index, Integer, Row, Table, Text, select, text, update

from shared.db import Instant, Tx, is_postgres, metadata
from shared.errors import Refusal
from shared.rows import among, insert_new

BUILT_IN: Final = 0
BUILT_IN_NAME: Final = "Без категории"

CATEGORY_UNKNOWN: Final = Refusal(
    "category_unknown",
    404,
    "There is no category {id}: choose one of the list",
    "Категории {id} нет: выберите из списка",
    "category",
)

schema = metadata()
category = Table(
    "category",
    schema,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("external_code", Text),
    Column("revision", Integer, nullable=False),
    Column("changed_by", Text, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("deleted_at", Instant),
)
_kept = category.c.deleted_at.is_(None)
Index("uq_category_name", category.c.name, unique=True, postgresql_where=_kept, sqlite_where=_kept)
Index(
    "uq_category_external_code",
    category.c.external_code,
    unique=True,
    postgresql_where=_kept,
    sqlite_where=_kept,
)


@dataclass(frozen=True, slots=True)
class Category:
    """A category as it stands."""

    id: int
    name: str
    description: str = ""
    external_code: str | None = None
    """The code by which 1C knows it."""
    revision: int = 0
    changed_by: str = ""
    changed_at: datetime | None = None
    deleted_at: datetime | None = None


_ALWAYS: Final = Category(BUILT_IN, BUILT_IN_NAME)


async def lock(tx: Tx) -> None:
    """Let nobody else change a category before this transaction ends; reading goes on.

    Changes are rare, and two of different categories can want one name. SQLite has one writer.
    """
    if is_postgres(tx):
        await tx.execute(text("LOCK TABLE category IN SHARE ROW EXCLUSIVE MODE"))


async def find_all(tx: Tx, ids: Collection[int]) -> dict[int, Category]:
    """Return the known ones of these categories, deleted ones among them."""
    found = {BUILT_IN: _ALWAYS} if BUILT_IN in ids else {}
    rows = await tx.execute(select(category).where(among(tx, category.c.id, ids)))
    return found | {row.id: _read(row) for row in rows}


async def require(tx: Tx, category_id: int, field: str = "category") -> Category:
    """Return a category that may be used; raises `category_unknown`, also for a deleted one."""
    found = (await find_all(tx, [category_id])).get(category_id)
    if found is None or found.deleted_at is not None:
        raise replace(CATEGORY_UNKNOWN, field=field)(id=category_id)
    return found


async def page(tx: Tx, after: int, limit: int, *, deleted: bool) -> list[Category]:
    """Return categories in the order of their ids, those after an id; -1 begins with the first."""
    wanted = select(category).where(category.c.id > max(after, BUILT_IN))
    if not deleted:
        wanted = wanted.where(category.c.deleted_at.is_(None))
    rows = await tx.execute(wanted.order_by(category.c.id).limit(limit))
    found = [_read(row) for row in rows]
    if after < BUILT_IN:
        found = [(await find_all(tx, [BUILT_IN]))[BUILT_IN], *found][:limit]
    return found


async def find_same(tx: Tx, one: Category) -> Category | None:
    """Return another one in use that has this one's name or its code, if there is one."""
    same = category.c.name == one.name
    if one.external_code is not None:
        same |= category.c.external_code == one.external_code
    others = select(category).where(category.c.id != one.id, category.c.deleted_at.is_(None))
    rows = await tx.execute(others.where(same).limit(1))
    row = rows.one_or_none()
    if row is not None:
        return _read(row)
    return _ALWAYS if one.id != BUILT_IN and one.name == BUILT_IN_NAME else None


async def add(tx: Tx, one: Category) -> Category:
    """Write a new category and return it with its id; the caller has locked all and looked."""
    [made] = await insert_new(tx, category, [_columns(one)], "id")
    return replace(one, id=made)


async def put(tx: Tx, one: Category) -> None:
    """Write a category that has changed; the caller has locked all and looked."""
    row = _columns(one)
    if one.id == BUILT_IN and await insert_new(tx, category, [{"id": BUILT_IN, **row}], "id"):
        return
    await tx.execute(update(category).where(category.c.id == one.id).values(row))


def _columns(one: Category) -> dict[str, Any]:
    return {column.name: getattr(one, column.name) for column in category.c if column.name != "id"}


def _read(row: Row[Any]) -> Category:
    return Category(**row._mapping)
