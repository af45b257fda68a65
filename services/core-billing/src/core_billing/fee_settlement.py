"""Which payments settle a fee: money is spent first in, first out.

So what a contract has consists of its newest credits. They are walked from the newest to the
oldest until they make up the balance before the fee, and the fee takes from the oldest of those.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from sqlalchemy import Select, func, select

from core_billing import accounts, holdings
from core_billing.accounts import balance, source
from core_billing.drafts import Reference
from core_billing.postings import payment, posting
from shared.db import Tx, is_postgres
from shared.events_gateway import SettledBy
from shared.rows import listed

NAMED_MAX: Final = 50
"""Payments that the event of one fee may name."""
WALKED_MAX: Final = 60
"""Credits looked at for one contract; what is older is spent without a name."""


class Fee(NamedTuple):
    """A fee that has been taken from a contract, and what the contract had before it."""

    number: str
    account_id: int
    before_kopecks: int
    kopecks: int


class Portion(NamedTuple):
    """Money of one payment on a contract."""

    payment: Reference
    kopecks: int


async def settlements(tx: Tx, fees: Sequence[Fee]) -> list[tuple[SettledBy, ...]]:
    """Return for each fee the provider payments whose money settles it, oldest first.

    What came otherwise settles without being named, and so does what stood on the contract
    before the last sixty credits. Four statements for however many fees.
    """
    walked = await _credits(tx, {fee.account_id for fee in fees if fee.before_kopecks > 0})
    return [
        _named(spent(walked.get(fee.account_id, ()), fee.before_kopecks, fee.kopecks))
        for fee in fees
    ]


def spent(newest_first: Sequence[Portion], before_kopecks: int, kopecks: int) -> list[Portion]:
    """Return what a fee takes of which credit, oldest first, where a balance was there before it.

    Pure. What the credits do not make up is older than all of them and is spent before them.
    """
    lacking = max(0, before_kopecks)
    held: list[Portion] = []
    for one in newest_first:
        part = min(lacking, one.kopecks)
        if part > 0:
            held.append(Portion(one.payment, part))
            lacking -= part
    left = kopecks - lacking
    taken: list[Portion] = []
    for one in reversed(held):
        part = min(left, one.kopecks)
        if part > 0:
            taken.append(Portion(one.payment, part))
            left -= part
    return taken


def _named(portions: Sequence[Portion]) -> tuple[SettledBy, ...]:
    named = [
        SettledBy(
            provider=name.removeprefix(accounts.PAYMENT),
            provider_payment_id=external_id,
            amount_kopecks=kopecks,
        )
        for (name, external_id), kopecks in portions
        if name.startswith(accounts.PAYMENT)
    ]
    return tuple(named[:NAMED_MAX])


async def _credits(tx: Tx, account_ids: Collection[int]) -> Mapping[int, list[Portion]]:
    """Return the newest credits of contracts, newest first, with what is left of each there."""
    if not account_ids:
        return {}
    rows = (await tx.execute(_newest(is_postgres(tx)), {"ids": list(account_ids)})).all()
    held = await holdings.find(tx, {(row.source, row.external_id) for row in rows})
    made: dict[int, list[Portion]] = {}
    for row in rows:
        reference = (row.source, row.external_id)
        holding = held[reference]
        # A correction has posted anew: what an earlier revision brought is not there any more.
        if holding.revision == row.revision:
            portion = Portion(reference, holding.rests.get(row.holder, 0))
            made.setdefault(row.account_id, []).append(portion)
    return made


@cache
def _newest(postgres: bool) -> Select[Any]:
    # From the tenth credit of a hundred on, not all hundred: a busy contract costs as much as any.
    older = posting.alias("older")
    first = (
        select(older.c.payment_id)
        .where(older.c.credit_id == balance.c.account_id, older.c.credit_balance.is_not(None))
        .order_by(older.c.payment_id.desc())
        .limit(1)
        .offset(WALKED_MAX - 1)
        .correlate(balance)
        .scalar_subquery()
    )
    return (
        select(
            balance.c.account_id,
            accounts.account.c.name.label("holder"),
            source.c.name.label("source"),
            payment.c.external_id,
            payment.c.revision,
        )
        .select_from(balance)
        .join(accounts.account, accounts.account.c.id == balance.c.account_id)
        .join(posting, posting.c.credit_id == balance.c.account_id)
        .join(payment, payment.c.id == posting.c.payment_id)
        .join(source, source.c.id == payment.c.source_id)
        .where(listed(postgres, balance.c.account_id, "ids"))
        .where(posting.c.credit_balance.is_not(None), posting.c.line > 0)
        .where(posting.c.payment_id >= func.coalesce(first, 0))
        .order_by(balance.c.account_id, posting.c.payment_id.desc(), posting.c.line.desc())
    )
