"""Services of contracts begin, change their tariff and end: what managers do with them.

Nothing of it touches a day that has been charged.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, func, insert, select, update

from core_billing import accounts, services, tariffs
from core_billing import service_refusals as refusals
from core_billing.contracts import Contract
from core_billing.fee_calendar import month_of
from core_billing.services import DAY, LIVE_MAX, Service, due_after, service, service_tariff
from core_billing.tariff_changes import TARIFF_UNKNOWN
from core_billing.tariffs import Tariff
from shared.db import Tx

AHEAD_MAX: Final = timedelta(days=731)
"""How far ahead a change may be planned."""
PLANNED_MAX: Final = 24
"""Changes of tariff that one service may have before it."""


async def begin(
    tx: Tx, found: Contract, tariff: str, starts_on: date, actor: str, at: datetime, today: date
) -> Service:
    """Begin a service; the days it has missed already are charged by the next run.

    The contract is locked meanwhile. Raises the refusals of `BEGINNING`.
    """
    name = accounts.of_contract(found.number)
    if not (await accounts.lock(tx, [name]))[name].open:
        raise refusals.CONTRACT_CLOSED(number=found.number)
    chosen = await _open_tariff(tx, tariff)
    _check_start(starts_on, today)
    live = select(func.count()).where(
        service.c.contract_id == found.id, service.c.due_on.is_not(None)
    )
    if (await tx.execute(live)).scalar_one() >= LIVE_MAX:
        raise refusals.TOO_MANY_SERVICES(most=LIVE_MAX)
    row = {
        "contract_id": found.id,
        "label": chosen.label,
        "charging": chosen.charging,
        "starts_on": starts_on,
        "charged_through": starts_on - DAY,
        "due_on": starts_on,
        "revision": 1,
        "changed_by": actor,
        "changed_at": at,
    }
    made: int = (await tx.execute(insert(service).values(row).returning(service.c.id))).scalar_one()
    await _put_turn(tx, made, starts_on, chosen.id)
    return await _existing(tx, found, made)


async def change_tariff(
    tx: Tx,
    found: Contract,
    service_id: int,
    tariff: str,
    since: date,
    seen: int | None,
    actor: str,
    at: datetime,
    today: date,
) -> Service:
    """Give a service another tariff from a day on that has not been charged.

    Named for a day on which a change is planned, the tariff takes its place; the tariff before it
    takes the plan back. Raises the refusals of `CHANGING`.
    """
    now = await _unfinished(tx, found, service_id, seen)
    chosen = await _fitting_tariff(tx, now, tariff)
    _check_day(now, since, today)
    if now.tariff_on(since).id == chosen.id:
        raise refusals.SAME_TARIFF(tariff=tariff)
    others = [turn for turn in now.turns if turn.since != since]
    if sum(turn.since > today for turn in others) >= PLANNED_MAX:
        raise refusals.TOO_MANY_CHANGES(most=PLANNED_MAX)
    await _drop_turn(tx, service_id, since)
    before = [turn for turn in others if turn.since < since]
    if not before or before[-1].tariff.id != chosen.id:
        await _put_turn(tx, service_id, since, chosen.id)
    return await _written(tx, found, now, {}, actor, at)


async def end(
    tx: Tx,
    found: Contract,
    service_id: int,
    ends_on: date | None,
    seen: int | None,
    actor: str,
    at: datetime,
    today: date,
) -> Service:
    """Let a service end with a day, or, given none, take a planned end back.

    What has been charged is not given back, so it ends with the last charged day at the earliest;
    the day before its first one undoes it. Raises the refusals of `CHANGING`.
    """
    now = await _unfinished(tx, found, service_id, seen)
    if ends_on is not None:
        _check_end(now, ends_on, today)
    columns = {"ends_on": ends_on, "due_on": due_after(now.charged_through, ends_on)}
    return await _written(tx, found, now, columns, actor, at)


def first_start(today: date) -> date:
    """Return how far back a service may begin: with the month before this one."""
    return month_of(month_of(today)[0] - DAY)[0]


def _check_start(starts_on: date, today: date) -> None:
    first, last = first_start(today), today + AHEAD_MAX
    if starts_on < first:
        raise refusals.STARTS_IN_PAST(first=first)
    if starts_on > last:
        raise refusals.STARTS_TOO_LATE(last=last)


def _check_day(now: Service, since: date, today: date) -> None:
    first = max(now.charged_through + DAY, today)
    if since < now.starts_on or (now.ends_on is not None and since > now.ends_on):
        raise refusals.OUTSIDE_SERVICE(starts_on=now.starts_on, ends_on=now.ends_on or "...")
    if since <= now.charged_through:
        raise refusals.PERIOD_CHARGED(first=first)
    # A service that is not charged up to today owes those days under the tariff it had.
    if since < today and since != now.starts_on:
        raise refusals.CHANGE_IN_PAST(first=first)
    if since > today + AHEAD_MAX:
        raise refusals.CHANGE_TOO_LATE(last=today + AHEAD_MAX)


def _check_end(now: Service, ends_on: date, today: date) -> None:
    undone = now.starts_on - DAY
    if ends_on < undone:
        raise refusals.OUTSIDE_SERVICE(starts_on=now.starts_on, ends_on=now.ends_on or "...")
    if ends_on < now.charged_through:
        raise refusals.PERIOD_CHARGED(first=max(now.charged_through, today))
    if ends_on < today and ends_on not in (undone, now.charged_through):
        raise refusals.CHANGE_IN_PAST(first=today)
    if ends_on > today + AHEAD_MAX:
        raise refusals.CHANGE_TOO_LATE(last=today + AHEAD_MAX)


async def _open_tariff(tx: Tx, name: str) -> Tariff:
    chosen = await tariffs.by_name(tx, name)
    if chosen is None:
        raise TARIFF_UNKNOWN(tariff=name)
    if chosen.closed:
        raise refusals.TARIFF_CLOSED(tariff=name)
    return chosen


async def _fitting_tariff(tx: Tx, now: Service, name: str) -> Tariff:
    chosen = await _open_tariff(tx, name)
    if chosen.label != now.label:
        raise refusals.OTHER_LABEL(tariff=name, label=chosen.label)
    if chosen.charging != now.charging:
        raise refusals.OTHER_CHARGING(tariff=name, charging=chosen.charging)
    return chosen


async def _unfinished(tx: Tx, found: Contract, service_id: int, seen: int | None) -> Service:
    now = await _existing(tx, found, service_id, lock=True)
    if seen is not None and seen != now.revision:
        raise refusals.SERVICE_CONFLICT(who=now.changed_by, when=now.changed_at)
    if now.due_on is None:
        raise refusals.SERVICE_ENDED(ends_on=now.ends_on)
    return now


async def _existing(tx: Tx, found: Contract, service_id: int, lock: bool = False) -> Service:
    one = await services.find(tx, found.id, service_id, lock)
    if one is None:
        raise refusals.SERVICE_UNKNOWN(number=found.number, service=service_id)
    return one


async def _written(
    tx: Tx, found: Contract, now: Service, columns: dict[str, Any], actor: str, at: datetime
) -> Service:
    written = {**columns, "revision": now.revision + 1, "changed_by": actor, "changed_at": at}
    await tx.execute(update(service).where(service.c.id == now.id).values(written))
    return await _existing(tx, found, now.id)


async def _put_turn(tx: Tx, service_id: int, since: date, tariff_id: int) -> None:
    row = {"service_id": service_id, "since": since, "tariff_id": tariff_id}
    await tx.execute(insert(service_tariff).values(row))


async def _drop_turn(tx: Tx, service_id: int, since: date) -> None:
    key = (service_tariff.c.service_id == service_id, service_tariff.c.since == since)
    await tx.execute(delete(service_tariff).where(*key))
