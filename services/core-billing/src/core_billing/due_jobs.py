"""Tells watchers how contracts stand: within seconds where money moved, within the hour otherwise.

What is needed changes without money, too: a day passes, a tariff changes, a promise ends.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from core_billing import accounts, contracts, due, sweeps
from core_billing.rules import Core
from shared import log, outbox
from shared.db import Tx
from shared.repeats import repeated

EVERY_SECONDS: Final = 15.0
PAGE_MAX: Final = 200
NAME: Final = "due"


async def step(core: Core, limit: int = PAGE_MAX) -> bool:
    """Tell of one batch whose money moved, and look at another; say whether more may be due."""
    moved = await say_moved(core, limit)
    walked = await walk(core, limit)
    return moved or walked


async def say_moved(core: Core, limit: int = PAGE_MAX) -> bool:
    """Tell of contracts whose money has changed since they were told of; say whether more have."""

    async def say(tx: Tx) -> int:
        ids = await due.changed(tx, core.clock(), limit)
        await _say(tx, core, ids)
        return len(ids)

    return await repeated(core.db, say) == limit


async def walk(core: Core, limit: int = PAGE_MAX) -> bool:
    """Look at a page of all watched contracts, once an hour; say whether more are left."""
    hour = f"{core.clock():%Y-%m-%dT%H}"

    async def page(tx: Tx) -> bool:
        after = await sweeps.take(tx, NAME, hour)
        if after is None:
            return False
        ids = await due.page(tx, after, limit)
        news = await due.find_news(tx, core.rules, ids, core.clock())
        await _say(tx, core, news)
        more = len(ids) == limit
        await sweeps.advance(tx, NAME, hour, ids[-1] if ids else 0, ended=not more)
        return more

    return await repeated(core.db, page)


async def _say(tx: Tx, core: Core, contract_ids: Collection[int]) -> None:
    if not contract_ids:
        return
    numbers = await contracts.numbers(tx, contract_ids)
    await accounts.lock(tx, [accounts.of_contract(number) for number in numbers.values()])
    at = core.clock()
    said = await due.say(tx, core.rules, list(numbers), at, log.new_correlation_id())
    await outbox.add(tx, core.rules.producer, said, at)
