"""Payments by codes on paper whose callbacks were lost, recovered from the bank's register.

Nobody can be asked about them, so a row alone is money only once the bank's callbacks are over, and
only where no signed payment is that row. Whoever matches, recovers or books holds the key's lock,
so of a row and its callback, however close they come, one is credited.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from gateway_sbp import paper_rows, papers, row_events, signed
from gateway_sbp.paper_row import NEAR, Key, PaperRow, State
from shared.db import Tx, reading, transaction
from shared.gateway import settling
from shared.gateway.gateway import Gateway
from shared.gateway.settle import Decision
from shared.gateway.settling import Truth
from shared.metrics import alarm

EVERY_SECONDS: Final = 60.0
"""How often to look for rows that are due: they have waited for a day."""
BATCH_MAX: Final = 50
KEYS_MAX: Final = 100
"""Keys that are held in one transaction."""
NOT_CONFIGURED_PAUSE: Final = timedelta(hours=1)

_log = structlog.get_logger(__name__)


async def step(gateway: Gateway) -> bool:
    """Recover the first rows that are due; return whether more may be."""
    async with reading(gateway.db) as tx:
        due = await paper_rows.due(tx, gateway.clock(), BATCH_MAX)
    for row in due:
        await recover(gateway, row)
    return len(due) == BATCH_MAX


async def recover(gateway: Gateway, due: PaperRow) -> None:
    """Credit what a row says, unless a signed payment is that row or it was credited meanwhile."""
    if due.key.shop not in gateway.providers:
        await _wait(gateway, due)
        return
    decision: Decision | None = None
    at = gateway.clock()
    async with transaction(gateway.db) as tx:
        await paper_rows.lock(tx, [due.key])
        await _match(tx, gateway, due.key, at)
        row = await paper_rows.find(tx, due.key.shop, due.id)
        if row is not None and row.state is State.WAITING and row.due_at and row.due_at <= at:
            beside = await signed.unmatched(tx, row.key, NEAR)
            if beside:
                await row_events.say(tx, gateway, await paper_rows.match(tx, row, beside[0]), at)
            else:
                decision = await _credit(tx, gateway, row, at)
    if decision is not None:
        alarm(
            "callback_lost",
            provider=due.key.shop,
            provider_payment_id=due.id,
            order=due.key.order,
            amount_kopecks=due.key.amount_kopecks,
        )
        settling.announce(decision)


async def take(
    gateway: Gateway, found: Mapping[Key, Sequence[int | None]]
) -> dict[Key, list[PaperRow]]:
    """Write down what a register says of codes on paper: for each key its rows' commissions.

    Signed payments count off first. Returns the rows of each key in the order of their numbers, as
    many as this register holds.
    """
    taken: dict[Key, list[PaperRow]] = {}
    keys = sorted(found)
    for first in range(0, len(keys), KEYS_MAX):
        batch, at = keys[first : first + KEYS_MAX], gateway.clock()
        async with transaction(gateway.db) as tx:
            await paper_rows.lock(tx, batch)
            for key in batch:
                await paper_rows.add(tx, key, found[key], at)
                rows = await _match(tx, gateway, key, at)
                taken[key] = rows[: len(found[key])]
    return taken


async def _match(tx: Tx, gateway: Gateway, key: Key, at: datetime) -> list[PaperRow]:
    """Give waiting rows the signed payments that they are; return the rows of the key."""
    rows = await paper_rows.of(tx, key)
    waiting = [row for row in rows if row.state is State.WAITING]
    if not waiting:
        return rows
    for row, transaction_id in zip(waiting, await signed.unmatched(tx, key), strict=False):
        matched = await paper_rows.match(tx, row, transaction_id)
        await row_events.say(tx, gateway, matched, at)
        rows[rows.index(row)] = matched
    return rows


async def _credit(tx: Tx, gateway: Gateway, row: PaperRow, at: datetime) -> Decision | None:
    shop = row.key.shop
    contract = await papers.contract_of(tx, shop, row.key.order)
    row = await paper_rows.recover(tx, row, contract)
    payment = signed.recovered(row, test=gateway.providers[shop].test)
    told = Truth(shop, payment, payment.payment_id)
    (decision,) = await settling.absorb(tx, gateway, [told], at)
    await row_events.say(tx, gateway, row, at)
    return decision


async def _wait(gateway: Gateway, row: PaperRow) -> None:
    alarm("shop_not_configured", provider=row.key.shop, id=row.id)
    async with transaction(gateway.db) as tx:
        await paper_rows.postpone(tx, row, gateway.clock() + NOT_CONFIGURED_PAUSE)
    _log.info("row.postponed", id=row.id)
