"""Say all contracts and subscribers again, so that other services can refill their directories."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from core_billing import contracts, due, subscribers
from core_billing.rules import Core
from shared import outbox
from shared.db import transaction
from shared.log import correlation_id
from shared.repeats import repeated

PAGE: Final = 500

Progress = Callable[[str, int], None]
"""Hears what is being said again, and how many have been."""


async def republish(core: Core, run: str, progress: Progress) -> int:
    """Say the state of everything; `run` makes the events new, their revisions stay as they are.

    How contracts stand that somebody would pay for is said anew by the service's own loop. Each
    page is a transaction of its own, so nothing is blocked for long.
    """
    await repeated(core.db, due.ask_all_again)
    return await _all_subscribers(core, run, progress) + await _all_contracts(core, run, progress)


async def _all_subscribers(core: Core, run: str, progress: Progress) -> int:
    after, count, at = "", 0, core.clock()
    while True:
        async with transaction(core.db) as tx:
            page = await subscribers.page(tx, core.vault, after, PAGE)
            said = [
                subscribers.changed(core.rules, person, at, correlation_id(), f":{run}")
                for person in page
            ]
            await outbox.add(tx, core.rules.producer, said, at)
        count += len(page)
        progress("subscribers", count)
        if len(page) < PAGE:
            return count
        after = page[-1].id


async def _all_contracts(core: Core, run: str, progress: Progress) -> int:
    after, count, at = 0, 0, core.clock()
    while True:
        async with transaction(core.db) as tx:
            page = await contracts.page(tx, after, PAGE)
            said = [
                contracts.changed(core.rules, contract, at, correlation_id(), f":{run}")
                for contract in page
            ]
            await outbox.add(tx, core.rules.producer, said, at)
        count += len(page)
        progress("contracts", count)
        if len(page) < PAGE:
            return count
        after = page[-1].id
