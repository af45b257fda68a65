"""How contracts stand that somebody would pay for: what was said of each, and when.

Only contracts with a live watch of another watcher than `notifier` are told of. The truth of the
last minute heals whatever was lost or came too late between the services.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    Integer,
    Table,
    and_,
    exists,
    or_,
    select,
    text,
    update,
)

from core_billing import prospects
from core_billing.accounts import balance
from core_billing.prospects import Prospect
from core_billing.rules import Rules
from core_billing.watch_rows import IS_FOREIGN, watch
from shared.db import Instant, Tx, metadata
from shared.events import Event
from shared.events_billing import ContractDue
from shared.rows import among, insert_new, update_each

EVERY: Final = timedelta(minutes=1)
"""One contract is told of no more often."""

schema = metadata()
due = Table(
    "due",
    schema,
    Column("contract_id", Integer, primary_key=True, autoincrement=False),
    Column("times", Integer, nullable=False),
    Column("balance_kopecks", BigInteger, nullable=False),
    # None: to be said again though nothing has changed.
    Column("available_kopecks", BigInteger),
    Column("needed_kopecks", BigInteger, nullable=False),
    Column("blocks_on", Date),
    Column("said_at", Instant, nullable=False),
)
_AVAILABLE: Final = balance.c.kopecks + balance.c.credit_limit_kopecks + balance.c.promised_kopecks


class Told(NamedTuple):
    """What was said of a contract last."""

    times: int
    balance_kopecks: int
    available_kopecks: int | None
    needed_kopecks: int
    blocks_on: date | None
    said_at: datetime


async def ask_again(tx: Tx, contract_ids: Collection[int]) -> None:
    """Have these contracts told of once more, for a watcher that may know nothing of them yet."""
    if contract_ids:
        mine = among(tx, due.c.contract_id, contract_ids)
        await tx.execute(update(due).where(mine).values(available_kopecks=None))


async def ask_all_again(tx: Tx) -> None:
    """Have all contracts told of once more."""
    await tx.execute(update(due).values(available_kopecks=None))


async def changed(tx: Tx, at: datetime, limit: int) -> list[int]:
    """Return watched contracts whose money differs from what was said of it, or that are new."""
    differs = or_(
        due.c.balance_kopecks.is_distinct_from(balance.c.kopecks),
        due.c.available_kopecks.is_distinct_from(_AVAILABLE),
    )
    calm = or_(due.c.said_at.is_(None), due.c.said_at <= at - EVERY)
    found = (
        select(balance.c.account_id)
        .outerjoin(due, due.c.contract_id == balance.c.account_id)
        .where(balance.c.open, _watched(), differs, calm)
    )
    ordered = found.order_by(balance.c.account_id).limit(limit)
    return list((await tx.execute(ordered)).scalars())


async def page(tx: Tx, after: int, limit: int) -> list[int]:
    """Return watched contracts in the order of their ids, those after an id."""
    found = select(balance.c.account_id).where(
        balance.c.open, _watched(), balance.c.account_id > after
    )
    ordered = found.order_by(balance.c.account_id).limit(limit)
    return list((await tx.execute(ordered)).scalars())


async def find_news(tx: Tx, rules: Rules, contract_ids: Collection[int], at: datetime) -> list[int]:
    """Return those of these contracts of which something else is to be said than was."""
    found = await prospects.find(tx, rules, contract_ids, at)
    told = await _told(tx, contract_ids)
    return [each for each, one in found.items() if _is_news(told.get(each), one, at)]


async def say(
    tx: Tx, rules: Rules, contract_ids: Collection[int], at: datetime, correlation_id: str
) -> list[Event]:
    """Keep how these locked contracts stand where that is news, and return what is said of it."""
    found = await prospects.find(tx, rules, contract_ids, at)
    told = await _told(tx, contract_ids)
    news = {each: one for each, one in found.items() if _is_news(told.get(each), one, at)}
    times = {each: told[each].times + 1 if each in told else 1 for each in news}
    rows = [_row(each, one, times[each], at) for each, one in news.items()]
    await insert_new(tx, due, [r for r in rows if r["times"] == 1], "contract_id")
    await update_each(tx, due, [r for r in rows if r["times"] > 1], "contract_id")
    return [_event(rules, one, times[each], at, correlation_id) for each, one in news.items()]


def _is_news(told: Told | None, one: Prospect, at: datetime) -> bool:
    if told is None:
        return True
    now = (
        one.position.balance_kopecks,
        one.position.available_kopecks,
        one.advice.kopecks,
        one.blocks_on,
    )
    return told[1:5] != now and told.said_at <= at - EVERY


async def _told(tx: Tx, contract_ids: Collection[int]) -> Mapping[int, Told]:
    rows = await tx.execute(select(due).where(among(tx, due.c.contract_id, contract_ids)))
    return {row.contract_id: Told(*row[1:]) for row in rows}


def _watched() -> Any:
    return exists().where(and_(watch.c.contract_id == balance.c.account_id, text(IS_FOREIGN)))


def _row(contract_id: int, one: Prospect, times: int, at: datetime) -> dict[str, Any]:
    return {
        "contract_id": contract_id,
        "times": times,
        "balance_kopecks": one.position.balance_kopecks,
        "available_kopecks": one.position.available_kopecks,
        "needed_kopecks": one.advice.kopecks,
        "blocks_on": one.blocks_on,
        "said_at": at,
    }


def _event(rules: Rules, one: Prospect, times: int, at: datetime, correlation_id: str) -> Event:
    body = ContractDue(
        contract=one.position.number,
        occurred_at=at,
        balance_kopecks=one.position.balance_kopecks,
        available_kopecks=one.position.available_kopecks,
        needed_kopecks=one.advice.kopecks,
        lines=prospects.told(one.advice.lines),
        blocks_on=one.blocks_on,
    )
    return body.event(
        rules.producer.name,
        subject=one.position.number,
        revision=f"due:{times}",
        correlation_id=correlation_id,
    )
