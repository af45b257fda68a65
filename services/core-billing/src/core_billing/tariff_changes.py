"""Tariffs are made, renamed, closed and get new prices: what managers do, and what forbids it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, insert, update
from sqlalchemy.exc import IntegrityError

from core_billing import tariffs
from core_billing.fee_calendar import Charging, month_of
from core_billing.tariffs import Tariff, tariff, tariff_price
from shared.db import Tx
from shared.errors import Refusal
from shared.rows import insert_new

PLANNED_MAX: Final = 24
"""Prices that one tariff may have for days to come."""

TARIFF_UNKNOWN: Final = Refusal(
    "tariff_unknown",
    404,
    "There is no tariff {tariff}; see GET /tariffs",
    "Тарифа {tariff} нет; список: GET /tariffs",
)
NAME_TAKEN: Final = Refusal(
    "tariff_name_taken",
    409,
    "There is a tariff {name} already; choose another name",
    "Тариф {name} уже есть; выберите другое название",
    "name",
)
CONFLICT: Final = Refusal(
    "tariff_conflict",
    409,
    "{who} changed this tariff at {when:%d.%m.%Y %H:%M} UTC; look at it and repeat",
    "Тариф изменил(а) {who} {when:%d.%m.%Y в %H:%M} UTC; посмотрите и повторите",
    "revision",
)
PRICE_IN_PAST: Final = Refusal(
    "price_in_past",
    422,
    "What has been charged keeps its price: a new one holds from {first} at the earliest",
    "Начисленное не пересчитывается: новая цена возможна не раньше {first}",
    "valid_from",
)
MID_PERIOD: Final = Refusal(
    "price_mid_period",
    422,
    "A monthly price changes with the month: from {first} at the earliest",
    "Месячная цена меняется с начала месяца: не раньше {first}",
    "valid_from",
)
TOO_MANY_PRICES: Final = Refusal(
    "too_many_prices",
    409,
    "{most} prices are planned already; change one of them",
    "Уже запланировано {most} цен; измените одну из них",
)
CHANGING: Final = (
    *(TARIFF_UNKNOWN, NAME_TAKEN, CONFLICT, PRICE_IN_PAST, MID_PERIOD, TOO_MANY_PRICES),
)


@dataclass(frozen=True, slots=True)
class NewTariff:
    """What is asked for a new tariff; its price holds for whatever is charged under it."""

    name: str
    label: str
    charging: Charging
    month_kopecks: int
    charge_while_blocked: bool
    blocks: bool


@dataclass(frozen=True, slots=True)
class NewPrice:
    """A price for a whole month from a day on."""

    valid_from: date
    month_kopecks: int


async def create(tx: Tx, new: NewTariff, actor: str, at: datetime, today: date) -> Tariff:
    """Make a tariff; raises NAME_TAKEN."""
    row = {
        "name": new.name,
        "label": new.label,
        "charging": new.charging,
        "charge_while_blocked": new.charge_while_blocked,
        "blocks": new.blocks,
        "closed": False,
        "revision": 1,
        "changed_by": actor,
        "changed_at": at,
    }
    made = await insert_new(tx, tariff, [row], "id")
    if not made:
        raise NAME_TAKEN(name=new.name)
    await _put_price(tx, made[0], NewPrice(today, new.month_kopecks), actor, at)
    return await _existing(tx, made[0])


async def change(
    tx: Tx,
    tariff_id: int,
    columns: dict[str, Any],
    price: NewPrice | None,
    seen: int | None,
    actor: str,
    at: datetime,
    today: date,
) -> Tariff:
    """Give a tariff other columns (`name`, `closed`, `blocks`, `charge_while_blocked`) or a price.

    `seen` is the revision that the manager has looked at. Raises the refusals of `CHANGING`.
    """
    now = await _existing(tx, tariff_id, lock=True)
    if seen is not None and seen != now.revision:
        raise CONFLICT(who=now.changed_by, when=now.changed_at)
    if price is not None:
        _check_price(now, price, today)
        await _put_price(tx, tariff_id, price, actor, at)
    written = {**columns, "revision": now.revision + 1, "changed_by": actor, "changed_at": at}
    try:
        async with tx.begin_nested():
            await tx.execute(update(tariff).where(tariff.c.id == tariff_id).values(written))
    except IntegrityError as error:
        raise NAME_TAKEN(name=columns.get("name")) from error
    return await _existing(tx, tariff_id)


def first_day(charging: Charging, today: date) -> date:
    """Return the first day on which a new price can hold: what has fallen due keeps the old."""
    end = month_of(today)[1] if charging == "monthly" else today
    return end + timedelta(days=1)


def _check_price(now: Tariff, price: NewPrice, today: date) -> None:
    first = first_day(now.charging, today)
    if price.valid_from < first:
        raise PRICE_IN_PAST(first=first)
    if now.charging == "monthly" and price.valid_from.day != 1:
        raise MID_PERIOD(first=first)
    planned = {one.valid_from for one in now.prices if one.valid_from > today}
    if len(planned | {price.valid_from}) > PLANNED_MAX:
        raise TOO_MANY_PRICES(most=PLANNED_MAX)


async def _put_price(tx: Tx, tariff_id: int, price: NewPrice, actor: str, at: datetime) -> None:
    """Set the price of a day that is yet to come; one planned for the same day gives way."""
    key = (tariff_price.c.tariff_id == tariff_id, tariff_price.c.valid_from == price.valid_from)
    await tx.execute(delete(tariff_price).where(*key))
    row = {
        "tariff_id": tariff_id,
        "valid_from": price.valid_from,
        "month_kopecks": price.month_kopecks,
        "set_by": actor,
        "set_at": at,
    }
    await tx.execute(insert(tariff_price).values(row))


async def _existing(tx: Tx, tariff_id: int, lock: bool = False) -> Tariff:
    found = await tariffs.find(tx, tariff_id, lock)
    if found is None:
        raise TARIFF_UNKNOWN(tariff=tariff_id)
    return found
