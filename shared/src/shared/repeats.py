"""Transactions that are done again where the database asks for that: a deadlock is no news."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from shared.db import Database, Tx, is_repeatable, transaction

REPEATS_MAX: Final = 8

Result = TypeVar("Result")


async def repeated(db: Database, work: Callable[[Tx], Awaitable[Result]]) -> Result:
    """Do work in a transaction of its own, at most eight times; the last failure is raised."""
    for attempt in range(1, REPEATS_MAX + 1):
        try:
            async with transaction(db) as tx:
                return await work(tx)
        except Exception as error:
            if not is_repeatable(error) or attempt == REPEATS_MAX:
                raise
        await asyncio.sleep(random.uniform(0, 0.02 * attempt))  # noqa: S311 - spreads retries
    raise AssertionError("unreachable: the last attempt returns or raises")
