"""Holders: which contracts and accounts hold a payment's money now, for people to see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from core_billing import accounts, postings
from core_billing.drafts import Reference
from core_billing.holdings import Holding
from shared.db import Tx
from shared.money import Money


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a part of a payment's money now; below zero what was taken from a contract."""

    contract: str | None
    account: str
    amount: Money


def of_holding(source: str, holding: Holding) -> list[Holder]:
    """Return who holds what refunds have left."""
    provider = source.removeprefix(accounts.PAYMENT)
    return [
        Holder(None, f"suspense:{provider}", Money(kopecks))
        if name is None
        else Holder(accounts.number_of(name), name, Money(kopecks))
        for name, kopecks in holding.rests.items()
        if kopecks
    ]


async def of_operations(tx: Tx, rows: Sequence[Row[Any]]) -> dict[Reference, list[Holder]]:
    """Return what each operation has left where; no provider sends any of it back.

    The rows are those of `payment_list`.
    """
    if not rows:
        return {}
    newest = {row.newest_id for row in rows}
    found: dict[Reference, list[Holder]] = {}
    for line in await postings.lines_of(tx, {row.external_id for row in rows}):
        if line.id in newest and line.line > 0:
            found.setdefault((line.source, line.external_id), []).append(_share(line))
    return found


def _share(line: Row[Any]) -> Holder:
    taken = line.debit_id != line.account_id
    name = line.debit if taken else line.credit
    number = accounts.number_of(name) if name.startswith(accounts.CONTRACT) else None
    return Holder(number, name, Money(-line.kopecks if taken else line.kopecks))
