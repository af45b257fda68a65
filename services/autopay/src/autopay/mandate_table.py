"""The rows of mandates: found, listed and written."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Date,
    Index,
    Integer,
    Row,
    Select,
    Table,
    Text,
    Uuid,
    and_,
    literal,
    literal_column,
    select,
    tuple_,
    update,
)

from autopay.mandate import Mandate, MethodName, Terms, Trigger
from shared.db import Instant, Tx, is_postgres, metadata
from shared.rows import insert_new, listed, update_each

ACTIVE: Final = "active"
REVOKED: Final = "revoked"

schema = metadata()
mandate = Table(
    "mandate",
    schema,
    Column("id", Uuid, primary_key=True),
    Column("contract", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("trigger", Text, nullable=False),
    Column("threshold_kopecks", BigInteger),
    Column("days_before", Integer),
    Column("day_of_month", Integer),
    Column("amount_kopecks", BigInteger),
    Column("cap_kopecks", BigInteger, nullable=False),
    Column("provider", Text, nullable=False),
    Column("method_ref", Text, nullable=False),
    Column("reserve_provider", Text),
    Column("reserve_ref", Text),
    Column("timezone", Text, nullable=False),
    Column("paused_until", Date),
    Column("skip_next", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    # The next day of the calendar that is to be charged for; of `day` only.
    Column("next_day", Date),
    # When it has to be looked at again without any event.
    Column("look_at", Instant),
)
# The word stands in the statement itself: given beside it, it could be any, and SQLite would not
# use the partial index.
_live = mandate.c.state == literal_column(f"'{ACTIVE}'", Text)
_looked = mandate.c.look_at.is_not(None)
Index(
    "uq_mandate_live", mandate.c.contract, unique=True, postgresql_where=_live, sqlite_where=_live
)
Index("ix_mandate_look", mandate.c.look_at, postgresql_where=_looked, sqlite_where=_looked)
Index("ix_mandate_created", mandate.c.created_at, mandate.c.id)

_OWN: Final = (
    *("id", "contract", "revision", "state", "paused_until", "skip_next"),
    *("created_at", "changed_at", "revoked_at"),
)
_COLUMNS: Final = tuple(mandate.c.keys())
_AGREED: Final = (
    *("cap_kopecks", "threshold_kopecks", "days_before", "day_of_month", "amount_kopecks"),
    "timezone",
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A live mandate with what only its planning needs."""

    mandate: Mandate
    next_day: date | None
    look_at: datetime | None


async def insert(tx: Tx, new: Mandate, next_day: date | None) -> bool:
    """Write a mandate down; False where its contract has a live one."""
    row = {**_row(new), "next_day": next_day}
    return bool(await insert_new(tx, mandate, [row], "id"))


async def write(tx: Tx, changed: Mandate, **more: Any) -> None:
    """Write a mandate of a locked contract as it is now."""
    mine = update(mandate).where(mandate.c.id == changed.id)
    await tx.execute(mine.values(**_row(changed), **more))


async def write_plans(tx: Tx, plans: Sequence[Kept]) -> None:
    """Write down what planning has changed of mandates of locked contracts."""
    rows = [
        {
            "id": each.mandate.id,
            "skip_next": each.mandate.skip_next,
            "next_day": each.next_day,
            "look_at": each.look_at,
        }
        for each in plans
    ]
    await update_each(tx, mandate, rows, "id")


async def live(tx: Tx, contracts: Collection[str]) -> dict[str, Kept]:
    """Return the live mandates of contracts."""
    rows = await tx.execute(_living(is_postgres(tx)), {"contracts": list(contracts)})
    return {row.contract: Kept(_mandate(row), row.next_day, row.look_at) for row in rows}


def to_look(at: datetime) -> Select[Any]:
    """Return the contracts whose mandate has to be looked at."""
    return select(mandate.c.contract).where(_live, mandate.c.look_at <= at)


async def find(tx: Tx, this: UUID) -> Mandate | None:
    """Return one mandate, live or revoked."""
    row = (await tx.execute(select(mandate).where(mandate.c.id == this))).one_or_none()
    return None if row is None else _mandate(row)


async def of_contract(tx: Tx, number: str) -> Mandate | None:
    """Return the live mandate of a contract."""
    kept = (await live(tx, [number])).get(number)
    return None if kept is None else kept.mandate


async def page(
    tx: Tx,
    *,
    limit: int,
    contract: str | None = None,
    state: str | None = None,
    before: tuple[datetime, UUID] | None = None,
) -> Sequence[Mandate]:
    """Return mandates, newest first, that come after the given one in that order."""
    conditions: list[ColumnElement[bool]] = []
    if contract is not None:
        conditions.append(mandate.c.contract == contract)
    if state is not None:
        conditions.append(mandate.c.state == state)
    if before is not None:
        place = tuple_(literal(before[0], Instant), literal(before[1], Uuid))
        conditions.append(tuple_(mandate.c.created_at, mandate.c.id) < place)
    wanted = select(mandate).where(and_(True, *conditions))
    wanted = wanted.order_by(mandate.c.created_at.desc(), mandate.c.id.desc()).limit(limit)
    return [_mandate(row) for row in await tx.execute(wanted)]


async def revoked(tx: Tx, after: UUID, limit: int) -> Sequence[Mandate]:
    """Return revoked mandates in the order of their ids, those after one of them."""
    wanted = select(mandate).where(mandate.c.id > after, mandate.c.state == REVOKED)
    rows = await tx.execute(wanted.order_by(mandate.c.id).limit(limit))
    return [_mandate(row) for row in rows]


def _row(one: Mandate) -> dict[str, Any]:
    terms = one.terms
    reserve = terms.reserve
    return {
        **{name: getattr(one, name) for name in _OWN},
        **{name: getattr(terms, name) for name in _AGREED},
        "trigger": str(terms.trigger),
        "provider": terms.method.provider,
        "method_ref": terms.method.method_ref,
        "reserve_provider": None if reserve is None else reserve.provider,
        "reserve_ref": None if reserve is None else reserve.method_ref,
    }


def _mandate(row: Row[Any]) -> Mandate:
    said = dict(zip(_COLUMNS, row, strict=True))
    reserve = None
    if said["reserve_provider"] is not None:
        reserve = MethodName(said["reserve_provider"], said["reserve_ref"])
    terms = Terms(
        trigger=Trigger(said["trigger"]),
        method=MethodName(said["provider"], said["method_ref"]),
        reserve=reserve,
        **{name: said[name] for name in _AGREED},
    )
    return Mandate(terms=terms, **{name: said[name] for name in _OWN})


@cache
def _living(postgres: bool) -> Select[Any]:
    return select(mandate).where(listed(postgres, mandate.c.contract, "contracts"), _live)
