"""Tariffs: what a service costs for a whole month, with every price it has had and will have.

A price holds from its day on, until the next one; the first also for the days before it. So what
was charged at an earlier price is never reckoned anew.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Integer,
    Select,
    Table,
    Text,
    select,
)

from core_billing.fee_calendar import Charging
from shared.db import Instant, Tx, metadata
from shared.rows import among

PRICES_MAX: Final = 1000
"""Prices that one tariff may have had."""

schema = metadata()
tariff = Table(
    "tariff",
    schema,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    # What is sold, such as ``internet``: the income's account, which a tariff never changes.
    Column("label", Text, nullable=False),
    Column("charging", Text, nullable=False),
    Column("charge_while_blocked", Boolean, nullable=False),
    # Whether a service under it is cut off when its contract has no money.
    Column("blocks", Boolean, nullable=False),
    Column("closed", Boolean, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("changed_by", Text, nullable=False),
    Column("changed_at", Instant, nullable=False),
)
tariff_price = Table(
    "tariff_price",
    schema,
    Column("tariff_id", Integer, primary_key=True, autoincrement=False),
    Column("valid_from", Date, primary_key=True),
    Column("month_kopecks", BigInteger, nullable=False),
    Column("set_by", Text, nullable=False),
    Column("set_at", Instant, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Price:
    """What a whole month costs from a day on."""

    valid_from: date
    month_kopecks: int
    set_by: str
    set_at: datetime


@dataclass(frozen=True, slots=True)
class Tariff:
    """A tariff as it stands."""

    id: int
    name: str
    label: str
    charging: Charging
    charge_while_blocked: bool
    blocks: bool
    closed: bool
    """No new service takes it; those that have it keep it."""
    revision: int
    changed_by: str
    changed_at: datetime
    prices: tuple[Price, ...]
    """In the order of their days, at least one."""

    def price_on(self, day: date) -> Price:
        """Return the price that holds on a day."""
        held = [price for price in self.prices if price.valid_from <= day]
        return held[-1] if held else self.prices[0]


async def find(tx: Tx, tariff_id: int, lock: bool = False) -> Tariff | None:
    """Return a tariff by its id; locked, nobody else changes it before the transaction ends."""
    wanted = select(tariff).where(tariff.c.id == tariff_id)
    return next(iter(await _read(tx, wanted.with_for_update() if lock else wanted)), None)


async def by_name(tx: Tx, name: str) -> Tariff | None:
    """Return the tariff of this name, if there is one."""
    return next(iter(await _read(tx, select(tariff).where(tariff.c.name == name))), None)


async def find_all(tx: Tx, tariff_ids: Collection[int]) -> dict[int, Tariff]:
    """Return the known ones of these tariffs by id, in two statements."""
    found = await _read(tx, select(tariff).where(among(tx, tariff.c.id, tariff_ids)))
    return {one.id: one for one in found}


async def page(tx: Tx, after: int, limit: int) -> list[Tariff]:
    """Return tariffs in the order of their ids, those after an id."""
    mine = select(tariff).where(tariff.c.id > after)
    return await _read(tx, mine.order_by(tariff.c.id).limit(limit))


async def _read(tx: Tx, wanted: Select[Any]) -> list[Tariff]:
    rows = (await tx.execute(wanted)).all()
    prices = await _prices(tx, [row.id for row in rows])
    return [Tariff(**row._mapping, prices=prices[row.id]) for row in rows]


async def _prices(tx: Tx, tariff_ids: Collection[int]) -> Mapping[int, tuple[Price, ...]]:
    if not tariff_ids:
        return {}
    mine = select(tariff_price).where(among(tx, tariff_price.c.tariff_id, tariff_ids))
    made: dict[int, list[Price]] = {}
    for row in await tx.execute(mine.order_by(tariff_price.c.tariff_id, tariff_price.c.valid_from)):
        price = Price(row.valid_from, row.month_kopecks, row.set_by, row.set_at)
        made.setdefault(row.tariff_id, []).append(price)
    return {key: tuple(found) for key, found in made.items()}
