"""Cases read from the database: a batch of contracts in a few statements."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from autopay import charges, directory, mandate_table, methods, occasions, pauses
from autopay.case import Account, Case
from autopay.mandate_table import Kept
from shared.db import Tx


async def load(
    tx: Tx, accounts: Mapping[str, Account], kept: Mapping[str, Kept], at: datetime
) -> list[Case]:
    """Return the cases of locked contracts, in their order."""
    contracts = sorted(accounts)
    if not contracts:
        return []
    opened = await occasions.of(tx, contracts, at)
    made = await charges.of(tx, contracts, at)
    saved = await methods.of(tx, contracts)
    closed = await directory.closed(tx, contracts)
    waiting = {row.provider: row.paused_until for row in await pauses.listed(tx, at)}
    return [
        Case(
            contract=each,
            account=accounts[each],
            mandate=kept[each].mandate if each in kept else None,
            next_day=kept[each].next_day if each in kept else None,
            look_at=kept[each].look_at if each in kept else None,
            closed=each in closed,
            titles={method.name: method.title for method, _ in saved.get(each, ())},
            usable=frozenset(method.name for method, may in saved.get(each, ()) if may),
            occasions=opened.get(each, ()),
            charges=made.get(each, ()),
            pauses=waiting,
        )
        for each in contracts
    ]


async def live(tx: Tx, accounts: Mapping[str, Account], at: datetime) -> list[Case]:
    """Return the cases of those locked contracts that have a live mandate."""
    if not accounts:
        return []
    kept = await mandate_table.live(tx, accounts)
    return await load(tx, {each: accounts[each] for each in kept}, kept, at)
