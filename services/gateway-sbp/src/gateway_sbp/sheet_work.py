"""Work on sheets: the codes of lines that are due, a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Row

from gateway_sbp import papers, sheets
from gateway_sbp.acquirer import Acquirer
from gateway_sbp.sheets import State, line
from shared.db import transaction
from shared.errors import SaldoError
from shared.gateway import due
from shared.gateway.due import Hold
from shared.gateway.gateway import Gateway, pause

SHEETS: Final = "gateway.sheets"
"""The signal that lines may be due."""
AT_ONCE: Final = 8
ATTEMPTS_MAX: Final = 12
"""With the pauses of unclear requests more than an hour."""


async def step(gateway: Gateway, acquirers: Sequence[Acquirer]) -> bool:
    """Make the codes of a few lines; return whether more may be due."""
    async with transaction(gateway.db) as tx:
        token, rows = await due.claim(
            tx, line, gateway.clock(), AT_ONCE, gateway.timing.create_lease
        )
    holds = [Hold(line, row.id, token, row.status) for row in rows]
    await asyncio.gather(
        *(_work(gateway, acquirers, *one) for one in zip(rows, holds, strict=True))
    )
    return len(rows) == AT_ONCE


async def prune(gateway: Gateway) -> bool:
    """Forget old sheets; return whether more of them are left."""
    async with transaction(gateway.db) as tx:
        return await sheets.prune(tx, gateway.clock())


async def _work(gateway: Gateway, acquirers: Sequence[Acquirer], row: Row[Any], hold: Hold) -> None:
    changes: dict[str, Any]
    due_at = None
    try:
        made = await papers.first(gateway, acquirers, row.contract)
        changes = {"status": str(State.READY), "payload": made.code.payload, "reason": ""}
    except SaldoError as error:
        changes = {"reason": error.detail.ru}
        if row.attempts >= ATTEMPTS_MAX or isinstance(error, papers.NoCodes):
            changes["status"] = str(State.FAILED)
        else:
            due_at = gateway.clock() + pause(gateway.timing.retry, row.attempts)
    async with transaction(gateway.db) as tx:
        await due.release(tx, hold, due_at, **changes)
