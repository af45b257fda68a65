"""Says again what autopay has core-billing watch, and which mandates have ended.

For whoever has lost what was said: a purged queue, a backup that was restored. Whoever has heard it
already changes nothing, because revisions stay as they are and a removed method stays removed.
"""

from __future__ import annotations

import argparse
from typing import Final
from uuid import UUID, uuid4

from autopay import app, mandate_table, telling, watches
from autopay.autopay import Autopay
from autopay.settings import Settings
from shared import outbox
from shared.cli import Command
from shared.clock import system_clock
from shared.db import transaction

PAGE: Final = 500


async def republish(autopay: Autopay, run: str) -> int:
    """Say everything again; return how many events. Each page is a transaction of its own."""
    return await _watches(autopay, run) + await _revoked(autopay, run)


async def _watches(autopay: Autopay, run: str) -> int:
    count, name = 0, autopay.producer.name
    after: str | None = ""
    while after is not None:
        at = autopay.clock()
        async with transaction(autopay.db) as tx:
            said, after = await watches.again(tx, name, after, PAGE, run, at)
            await outbox.add(tx, autopay.producer, said, at)
        count += len(said)
    return count


async def _revoked(autopay: Autopay, run: str) -> int:
    count, after = 0, UUID(int=0)
    while True:
        async with transaction(autopay.db) as tx:
            page = await mandate_table.revoked(tx, after, PAGE)
            said = [
                telling.revoked(autopay, each, each.terms.methods, each.changed_at, run)
                for each in page
            ]
            await outbox.add(tx, autopay.producer, said, autopay.clock())
        count += len(page)
        if len(page) < PAGE:
            return count
        after = page[-1].id


async def _run(settings: Settings, _args: argparse.Namespace) -> int:
    autopay = app.made(settings, system_clock)
    try:
        count = await republish(autopay, uuid4().hex[:12])
    finally:
        await autopay.db.close()
    print(f"{count} events will be published by the running service")
    return 0


COMMAND: Final = Command("republish", "say watches and ended mandates again", _run)
