"""The runs that charge what is due: the service's own, batch by batch, and the operator's command.

Each batch is a transaction, so a run may be killed at any moment and two may run at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from typing import Final

from core_billing import fee_due, fees
from core_billing.fee_due import BEGINNING, Place
from core_billing.fees import BATCH_MAX, Batch
from core_billing.rules import Core
from shared.db import reading
from shared.repeats import repeated

LOOP_BATCH: Final = 100
"""Services of one batch of the running service: payments wait no longer than it takes."""


@dataclass
class Total:
    """What a run has done so far."""

    services: int = 0
    """Fees looked for; a service counts once for each period it was due for."""
    due: int = 0
    """Services that were due when it began."""
    fees: int = 0
    kopecks: int = 0
    stopped: bool = False
    """It was asked to stop before all was done."""

    def add(self, batch: Batch) -> None:
        """Count what a batch has done."""
        self.services += batch.services
        self.fees += batch.fees
        self.kopecks += batch.kopecks


Progress = Callable[[Total], None]


async def run(core: Core, day: date, progress: Progress, stopping: asyncio.Event) -> Total:
    """Charge all that is due on a day, until nothing is left or `stopping` is set.

    What another run held in one pass is looked for in a further one.
    """
    total = Total(due=await _count(core, day))
    place, charged = BEGINNING, 0
    while not stopping.is_set():
        batch = await charge_batch(core, day, place, BATCH_MAX)
        total.add(batch)
        progress(total)
        charged += batch.fees
        if batch.place is None and not charged:
            return total
        if batch.place is None:
            place, charged = BEGINNING, 0
        else:
            place = batch.place
    total.stopped = True
    return total


async def rehearse(core: Core, day: date, progress: Progress) -> Total:
    """Return what `run` would do; changes nothing, and a day that has not come yet will do."""
    total = Total(due=await _count(core, day))
    place: Place | None = BEGINNING
    while place is not None:
        async with reading(core.db) as tx:
            batch = await fees.forecast(tx, core.rules, day, place, BATCH_MAX)
        total.add(batch)
        progress(total)
        place = batch.place
    return total


def stepping(core: Core) -> Callable[[], Awaitable[bool]]:
    """Return the step of the service's own loop: a batch of what is due by now."""
    place = BEGINNING

    async def step() -> bool:
        nonlocal place
        today = core.rules.day(core.clock())
        batch = await charge_batch(core, today, place, LOOP_BATCH)
        place = batch.place or BEGINNING
        return batch.place is not None

    return step


async def charge_batch(core: Core, day: date, place: Place, limit: int) -> Batch:
    """Charge a batch in a transaction of its own, again where the database asks for that."""
    return await repeated(
        core.db, lambda tx: fees.charge(tx, core.rules, day, place, limit, core.clock())
    )


async def _count(core: Core, day: date) -> int:
    async with reading(core.db) as tx:
        return await fee_due.count_due(tx, day)
