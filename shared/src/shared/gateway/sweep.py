"""Goes through a provider's lists by Moscow day, and compares each object with ours.

A page, what was found on it and the place of the next one are one transaction: a sweep can be
stopped at any moment and goes on where it was. A list is no more believed than a callback: what is
found only there is asked for, see `verifying`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import structlog

from shared.clock import MOSCOW
from shared.db import Tx, reading, transaction
from shared.gateway import books, differences, ours, sweeps
from shared.gateway.differences import Difference
from shared.gateway.gateway import Gateway, pause
from shared.gateway.ours import Ours, Span
from shared.gateway.provider import (
    Failure,
    Kind,
    Page,
    Provider,
    RefundPage,
    Refused,
    Status,
    Unclear,
)
from shared.gateway.register import Row
from shared.gateway.sweeps import Sweep, Task
from shared.metrics import alarm

SKEW: Final = timedelta(minutes=5)
"""How far apart the clocks that decide on a day may stand."""
DAYS_BACK: Final = (1, 3)
"""Each night the day before, and once more the one for which answers may have come late."""
PAGES_MAX: Final = 10_000
KINDS: Final = tuple(ours.SIDES)
"""What is swept: every kind of money that is kept here."""

_log = structlog.get_logger(__name__)


class Heard(NamedTuple):
    """A page of a list in our words."""

    rows: Sequence[Row]
    next_cursor: str | None
    unreadable: int


@dataclass(frozen=True, slots=True)
class Step:
    """What one page has led to."""

    sweep: Sweep
    failed: Failure | None = None


def nightly_tasks(gateway: Gateway, at: datetime) -> tuple[datetime, list[Task]]:
    """Return the moment of the last nightly run and what it has to sweep."""
    if gateway.sweep_at is None:
        return at, []
    local = at.astimezone(MOSCOW)
    moment = datetime.combine(local.date(), gateway.sweep_at, MOSCOW)
    if moment > local:
        moment -= timedelta(days=1)
    days = [moment.date() - timedelta(days=back) for back in DAYS_BACK]
    tasks = [Task(shop, kind, day) for day in days for shop in gateway.providers for kind in KINDS]
    return moment, tasks


async def nightly(gateway: Gateway) -> bool:
    """Take one page of the first sweep that is due; return whether more may be."""
    moment, tasks = nightly_tasks(gateway, gateway.clock())
    for task in tasks:
        step = await advance(gateway, task, moment)
        if step is not None:
            return step.failed is None
    return False


async def advance(gateway: Gateway, task: Task, anew_before: datetime) -> Step | None:
    """Take one page of a sweep; None where it is finished, or somebody else is at it."""
    async with transaction(gateway.db) as tx:
        at, lease = gateway.clock(), gateway.timing.fetch_lease
        held = await sweeps.claim(tx, task, at, lease, anew_before)
    if held is None:
        return None
    provider, span = gateway.providers[task.shop], Span.of(task.day)
    heard = await _heard(provider, task.kind, span, held.cursor)
    if not isinstance(heard, Heard):
        return await _failed(gateway, held, heard)
    lacking: Sequence[Ours] = ()
    if heard.next_cursor is None:
        looked = await _lacking(gateway, held, heard)
        if isinstance(looked, Failure):
            return await _failed(gateway, held, looked)
        lacking = looked
    return await _record(gateway, held, heard, lacking)


async def _record(
    gateway: Gateway, held: Sweep, heard: Heard, lacking: Iterable[Ours]
) -> Step | None:
    task, at = held.task, gateway.clock()
    missing = [
        books.missing(task.kind, one.id, one.payment_id, one.amount_kopecks) for one in lacking
    ]
    async with transaction(gateway.db) as tx:
        if not await sweeps.holds(tx, held):
            return None
        found, matched = await _compare(tx, task, heard.rows, at)
        await differences.note(tx, task.books, [*found, *missing], at)
        await sweeps.record(
            tx,
            held,
            cursor=heard.next_cursor,
            listed=held.listed + len(heard.rows),
            matched=held.matched + matched,
            unreadable=held.unreadable + heard.unreadable,
            differences=held.differences + len(found) + len(missing),
            amount_kopecks=held.amount_kopecks + sum(row.amount_kopecks for row in heard.rows),
            attempts=0,
            finished_at=at if heard.next_cursor is None else None,
        )
        swept = await sweeps.find(tx, task)
    _report(task, swept, [*found, *missing])
    return None if swept is None else Step(swept)


async def _compare(
    tx: Tx, task: Task, rows: Sequence[Row], at: datetime
) -> tuple[list[Difference], int]:
    known = await ours.standings(tx, task.kind, task.shop, [row.id for row in rows])
    found = books.differences(rows, known)
    alike = [row.id for row in rows if row.id not in found]
    await differences.agree(tx, task.books, task.kind, alike, at)
    return list(found.values()), _of_the_day(task, known)


def _of_the_day(task: Task, known: dict[str, books.Standing]) -> int:
    """Count the successes of ours that belong to the day itself, not to the margin around it."""
    span = Span.of(task.day)
    return sum(1 for one in known.values() if one.booked and span.holds(one.at))


async def _lacking(gateway: Gateway, held: Sweep, last: Heard) -> Sequence[Ours] | Failure:
    """Return our successes of the day that the whole list does not hold.

    Counting is enough as a rule. Only where we have more than were found there, the list is read
    once more and compared one by one.
    """
    task, span = held.task, Span.of(held.task.day)
    async with reading(gateway.db) as tx:
        known = await ours.standings(tx, task.kind, task.shop, [row.id for row in last.rows])
        here = await ours.counted(tx, task.kind, task.shop, span)
    there = held.matched + _of_the_day(task, known)
    if here <= there or held.unreadable or last.unreadable:
        return ()
    listed = await _all_ids(gateway.providers[task.shop], task.kind, span)
    if not isinstance(listed, set):
        return listed
    lacking: list[Ours] = []
    after: Ours | None = None
    while True:
        async with reading(gateway.db) as tx:
            page = await ours.succeeded(tx, task.kind, task.shop, span, after)
        lacking += [one for one in page if one.id not in listed]
        if len(page) < ours.PAGE_MAX:
            return lacking
        after = page[-1]


async def _all_ids(provider: Provider, kind: Kind, span: Span) -> set[str] | Failure:
    ids: set[str] = set()
    cursor: str | None = None
    for _ in range(PAGES_MAX):
        heard = await _heard(provider, kind, span, cursor)
        if not isinstance(heard, Heard):
            return heard
        ids.update(row.id for row in heard.rows)
        cursor = heard.next_cursor
        if cursor is None:
            return ids
    return Unclear("endless_list")


async def _failed(gateway: Gateway, held: Sweep, failure: Failure) -> Step:
    at = gateway.clock()
    asked = None if isinstance(failure, Refused) else failure.retry_after
    until = at + pause(gateway.timing.retry, held.attempts + 1, asked)
    lost = isinstance(failure, Refused) and not failure.ours and held.cursor is not None
    async with transaction(gateway.db) as tx:
        if lost:
            await sweeps.restart(tx, held, until)
        else:
            await sweeps.record(tx, held, attempts=held.attempts + 1, leased_until=until)
    facts = {"provider": held.task.shop, "day": held.task.day.isoformat()}
    if isinstance(failure, Refused):
        alarm("sweep_refused", code=failure.code, **facts)
    _log.warning("sweep.not_answered", reason=type(failure).__name__.lower(), **facts)
    return Step(held, failure)


async def _heard(provider: Provider, kind: Kind, span: Span, cursor: str | None) -> Heard | Failure:
    wide = span.widened(SKEW)
    if kind is Kind.REFUND:
        sent = await provider.refunds_listed(wide.since, wide.until, cursor)
        return _refunds(sent) if isinstance(sent, RefundPage) else sent
    page = await provider.captured(wide.since, wide.until, cursor)
    return _payments(page) if isinstance(page, Page) else page


def _payments(page: Page) -> Heard:
    rows = [Row(Kind.PAYMENT, p.id, p.id, p.amount_kopecks) for p in page.payments]
    return Heard(rows, page.next_cursor, page.unreadable)


def _refunds(page: RefundPage) -> Heard:
    done = (r for r in page.refunds if r.status is Status.SUCCEEDED)
    rows = [Row(Kind.REFUND, r.id, r.provider_payment_id, r.amount_kopecks) for r in done]
    return Heard(rows, page.next_cursor, page.unreadable)


def _report(task: Task, swept: Sweep | None, found: Sequence[Difference]) -> None:
    differences.cry(task.books, found, correlation_id=f"sweep-{task.day}")
    if swept is None or swept.finished_at is None:
        return
    facts = {"provider": task.shop, "day": task.day.isoformat(), "what": str(task.kind)}
    _log.info(f"sweep.{swept.state}", listed=swept.listed, differences=swept.differences, **facts)
    if swept.unreadable:
        alarm("sweep_incomplete", unreadable=swept.unreadable, **facts)
