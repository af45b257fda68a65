"""Looks at the watches that count days: at everybody once a day, at some as soon as money moves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Final

from sqlalchemy import or_, select

from core_billing import accounts, contracts, day_watches, services, sweeps, terms, watch_rows
from core_billing.accounts import balance
from core_billing.block_rows import block
from core_billing.rules import Core
from shared import log, outbox
from shared.db import Tx
from shared.repeats import repeated

EVERY_SECONDS: Final = 15.0
PAGE_MAX: Final = 200
"""Contracts of a page: payments to those of whom something is said wait no longer than it takes."""
WINDOW: Final = 1000
"""Contracts among which those of a page are looked for."""
NAME: Final = "watches"
_AVAILABLE: Final = balance.c.kopecks + balance.c.credit_limit_kopecks + balance.c.promised_kopecks


def stepping(core: Core) -> Callable[[], Awaitable[bool]]:
    """Return the step of the service's own loop: what has moved, then a page of the day's walk."""

    async def step() -> bool:
        moved = await look_at_moved(core)
        walked = await walk(core)
        return moved or walked

    return step


async def look_at_moved(core: Core, limit: int = PAGE_MAX) -> bool:
    """Judge those again that wait for more days and whose money moved; say whether more did."""

    async def look(tx: Tx) -> int:
        ids = await watch_rows.moved(tx, limit)
        if ids:
            await _look(tx, core, await contracts.numbers(tx, ids))
        return len(ids)

    return await repeated(core.db, look) == limit


async def walk(core: Core, limit: int = PAGE_MAX) -> bool:
    """Judge a page of all contracts for today; say whether more of them are left.

    Those are looked at that may lack something by the last day anybody has asked for, and those
    that have been told so. They are locked only where something is to be said.
    """
    today = core.rules.day(core.clock())

    async def page(tx: Tx) -> bool:
        after = await sweeps.take(tx, NAME, today.isoformat())
        if after is None:
            return False
        days = max(await watch_rows.farthest(tx), await terms.farthest(tx))
        days = day_watches.horizon(core.rules, days)
        ids, place = await _falling(tx, after, limit, today + timedelta(days=days + 1))
        news = await day_watches.find_news(tx, core.rules, ids, core.clock())
        if news:
            await _look(tx, core, dict(news))
        await sweeps.advance(tx, NAME, today.isoformat(), place or 0, ended=place is None)
        return place is not None

    return await repeated(core.db, page)


async def _look(tx: Tx, core: Core, numbers: dict[int, str]) -> None:
    """Lock contracts and say of them what is to be said."""
    await accounts.lock(tx, [accounts.of_contract(number) for number in numbers.values()])
    at, correlation_id = core.clock(), log.new_correlation_id()
    said = await day_watches.look(tx, core.rules, dict.fromkeys(numbers, correlation_id), at)
    await outbox.add(tx, core.rules.producer, said, at)


async def _falling(tx: Tx, after: int, limit: int, last: date) -> tuple[list[int], int | None]:
    """Return open contracts, not blocked, that may lack something by a day or were told they do.

    And after which id the walk goes on: None where nobody is left. Asked for in pieces, because a
    planner that is asked for all at once reads all services for each page.
    """
    mine = balance.c.account_id
    short = or_(_AVAILABLE < 0, balance.c.promised_kopecks > 0)
    found = (
        select(mine, short.label("short"))
        .outerjoin(block, block.c.contract_id == mine)
        .where(mine > after, balance.c.open, or_(block.c.blocked.is_(None), ~block.c.blocked))
    )
    rows = (await tx.execute(found.order_by(mine).limit(WINDOW))).all()
    ids = [row.account_id for row in rows]
    wanted = {row.account_id for row in rows if row.short}
    wanted |= await services.due_by(tx, ids, last) | await watch_rows.crossed(tx, ids)
    chosen = sorted(wanted)
    if len(chosen) > limit:
        return chosen[:limit], chosen[limit - 1]
    return chosen, ids[-1] if len(ids) == WINDOW else None
