"""Says once a month of each open contract that the statement of the month before is ready."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from core_billing import statement_months, sweeps
from core_billing.position import month_end
from core_billing.rules import Core, Rules
from core_billing.statement_months import Month
from shared import log, outbox
from shared.db import Tx
from shared.events import Event
from shared.events_billing import StatementReady
from shared.repeats import repeated

EVERY_SECONDS: Final = 60.0
PAGE_MAX: Final = 500
NAME: Final = "statements"
LATE_MAX: Final = timedelta(days=5)
"""Whoever begins later than this, such as an installation that is new, leaves the month out."""


@dataclass(frozen=True, slots=True)
class Period:
    """The month a statement is about, and since when it is ready."""

    month: str
    begins: datetime
    ends: datetime
    ready_at: datetime


def period(rules: Rules, at: datetime, day: int, hour: int) -> Period:
    """Return the newest month whose statement is ready at a moment.

    It is ready on a day of the next month at an hour, as the operator's clocks show them.
    """
    today = rules.day(at)
    ready = _moment(rules, today.replace(day=day), hour)
    if ready > at:
        ready = _moment(rules, month_end(today, -1).replace(day=day), hour)
    last = month_end(rules.day(ready), -1)
    return Period(
        month=f"{last:%Y-%m}",
        begins=rules.start(last.replace(day=1)),
        ends=rules.start(last + timedelta(days=1)),
        ready_at=ready,
    )


def stepping(core: Core, day: int, hour: int) -> Callable[[], Awaitable[bool]]:
    """Return the step of the service's own loop: a page of contracts; day 0 is never."""
    first: dict[str, int | None] = {}

    async def step(limit: int = PAGE_MAX) -> bool:
        if not day:
            return False
        at = core.clock()
        wanted = period(core.rules, at, day, hour)

        async def page(tx: Tx) -> bool:
            late = at - wanted.ready_at > LATE_MAX
            if late and not await sweeps.has_begun(tx, NAME, wanted.month):
                return False
            after = await sweeps.take(tx, NAME, wanted.month)
            if after is None:
                return False
            if wanted.month not in first:
                first.clear()
                first[wanted.month] = await statement_months.first_payment(tx, wanted.begins)
            bounds = (wanted.begins, wanted.ends, first[wanted.month])
            found = await statement_months.page(tx, *bounds, after, limit)
            said = [_event(core.rules, wanted.month, one, at) for one in found]
            await outbox.add(tx, core.rules.producer, said, at)
            more = len(found) == limit
            last_id = found[-1].contract_id if found else after
            await sweeps.advance(tx, NAME, wanted.month, last_id, ended=not more)
            return more

        return await repeated(core.db, page)

    return step


def _moment(rules: Rules, day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), rules.zone).astimezone(UTC)


def _event(rules: Rules, month: str, one: Month, at: datetime) -> Event:
    body = StatementReady(
        contract=one.number,
        occurred_at=at,
        month=month,
        opening_kopecks=one.opening_kopecks,
        received_kopecks=one.received_kopecks,
        charged_kopecks=one.charged_kopecks,
        closing_kopecks=one.closing_kopecks,
    )
    return body.event(
        rules.producer.name,
        subject=one.number,
        revision=f"statement:{month}",
        correlation_id=log.new_correlation_id(),
    )
