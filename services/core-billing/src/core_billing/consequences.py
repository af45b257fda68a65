"""What follows from a changed balance, in the transaction that has changed it.

Nearly always only the watches. A contract whose balance is tied has more: subordinate contracts
that its money goes on to, a promise that the money repays, a block that it lifts, a time without
money that it ends. Each of these ties the contract when it begins, and `_untie` lets it go when
none of them is left.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, select, update

from core_billing import blocks, distribution, promises, watches
from core_billing.accounts import balance
from core_billing.block_rows import block
from core_billing.changes import Change
from core_billing.promise_rows import promise
from core_billing.rules import Rules
from core_billing.terms import terms
from shared.db import Tx
from shared.events import Event
from shared.rows import among


async def follow(tx: Tx, rules: Rules, changes: Sequence[Change], at: datetime) -> list[Event]:
    """Do what follows from these changes and return what is to be said of it.

    The contracts are locked. What a main contract hands on changes further ones.
    """
    said: list[Event] = []
    tied = [change for change in changes if change.tied]
    if tied:
        handed = await distribution.spread(tx, rules, tied, at)
        changes = [*changes, *handed]
        tied += [change for change in handed if change.tied]
        said += await promises.repay(tx, rules, tied, at)
        said += await blocks.lift(tx, rules, tied, at)
        await _untie(tx, {change.account_id for change in tied})
    touched = {change.account_id: change.correlation_id for change in changes}
    return said + await watches.crossings(tx, rules, touched, at)


def bound() -> list[ColumnElement[bool]]:
    """Return the conditions on `balance` of which each keeps a contract tied."""
    promised = select(promise.c.contract_id).where(promise.c.closed_at.is_(None))
    blocked = select(block.c.contract_id).where(block.c.blocked)
    short = select(block.c.contract_id).where(block.c.short_since.is_not(None))
    leading = select(terms.c.main_id).where(terms.c.main_id.is_not(None))
    mine = balance.c.account_id
    return [
        holding.where(column == mine).exists()
        for column, holding in (
            (promise.c.contract_id, promised),
            (block.c.contract_id, blocked),
            (block.c.contract_id, short),
            (terms.c.main_id, leading),
        )
    ]


async def _untie(tx: Tx, account_ids: Collection[int]) -> None:
    """Let those contracts go from whose balance nothing follows any more."""
    free = [among(tx, balance.c.account_id, account_ids), *(~one for one in bound())]
    await tx.execute(update(balance).where(*free).values(tied=False))
