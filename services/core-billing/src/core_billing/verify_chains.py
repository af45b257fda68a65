"""Proof of the chains: balances that follow each other, revisions without a gap, promises kept.

The balance that stands beside an entry is what a subscriber was told; that it follows from the
entry before is not implied by the right sum at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, case, func, not_, or_, select, text, union_all

from core_billing import consequences
from core_billing.accounts import account, balance, source
from core_billing.postings import IS_CORRECTION, payment, posting
from core_billing.promise_rows import promise
from shared.db import Tx
from shared.money import Money
from shared.rows import among

SHOWN_MAX: Final = 20
"""Faults of one kind that are looked at closer; those of balances are all counted."""

Fault = Callable[[str], None]


async def check_balances(
    tx: Tx, fault: Fault, piece: ColumnElement[bool], before: Mapping[int, int]
) -> None:
    """Report contracts whose balances after their entries do not follow from those before.

    `piece` is a condition on the payments of postings, `before` the sums of all accounts before
    that piece. A balance less the running sum within the piece must be the balance it began with.
    """
    wrong = [
        row.account_id
        for row in await tx.execute(_begins(piece))
        if row.low != row.high or row.low != before.get(row.account_id, 0)
    ]
    if not wrong:
        return
    named = select(account.c.id, account.c.name).where(among(tx, account.c.id, wrong[:SHOWN_MAX]))
    names = {row.id: row.name for row in await tx.execute(named)}
    for account_id in wrong:
        name = names.get(account_id, f"account {account_id}")
        fault(f"{name}: the balances beside its entries do not follow each other")


def _begins(piece: ColumnElement[bool]) -> Select[Any]:
    """Select the lowest and the highest balance that a contract's entries say it began with."""
    sides = (
        (posting.c.credit_id, posting.c.credit_balance, posting.c.amount_kopecks),
        (posting.c.debit_id, posting.c.debit_balance, -posting.c.amount_kopecks),
    )
    lines = union_all(
        *(
            select(
                side.label("account_id"),
                posting.c.payment_id,
                posting.c.line,
                kopecks.label("kopecks"),
                kept.label("kept"),
            ).where(piece, kept.is_not(None))
            for side, kept, kopecks in sides
        )
    ).subquery("lines")
    # Lines are written in this order: what is taken back first.
    order = (lines.c.payment_id, case((lines.c.line < 0, 0), else_=1), func.abs(lines.c.line))
    running = func.sum(lines.c.kopecks).over(
        partition_by=lines.c.account_id, order_by=order, rows=(None, 0)
    )
    begun = select(lines.c.account_id, (lines.c.kept - running).label("begun")).subquery("begun")
    return select(
        begun.c.account_id,
        func.min(begun.c.begun).label("low"),
        func.max(begun.c.begun).label("high"),
    ).group_by(begun.c.account_id)


async def check_revisions(tx: Tx, fault: Fault) -> None:
    """Report corrections of which the revision before is missing."""
    before = payment.alias("before")
    known = (
        select(before.c.id)
        .where(before.c.external_id == payment.c.external_id)
        .where(before.c.source_id == payment.c.source_id)
        .where(before.c.revision == payment.c.revision - 1)
    )
    lost = (
        select(payment, source.c.name)
        .join(source, source.c.id == payment.c.source_id)
        .where(text(f"payment.{IS_CORRECTION}"), not_(known.exists()))
        .order_by(payment.c.id)
        .limit(SHOWN_MAX)
    )
    for row in await tx.execute(lost):
        fault(
            f"payment {row.id} ({row.name}:{row.external_id}, revision {row.revision}):"
            " the revision before is missing"
        )


async def check_promises(tx: Tx, fault: Fault) -> None:
    """Report floors that are not what the contract's active promise says."""
    active = promise.c.closed_at.is_(None) & promise.c.overdue_at.is_(None)
    said = (
        select(promise.c.contract_id, func.sum(promise.c.amount_kopecks).label("kopecks"))
        .where(active)
        .group_by(promise.c.contract_id)
        .subquery("said")
    )
    promised = func.coalesce(said.c.kopecks, 0)
    wrong = (
        select(account.c.name, balance.c.promised_kopecks, promised.label("said"))
        .join(account, account.c.id == balance.c.account_id)
        .join(said, said.c.contract_id == balance.c.account_id, isouter=True)
        .where(balance.c.promised_kopecks != promised)
        .order_by(balance.c.account_id)
        .limit(SHOWN_MAX)
    )
    for row in await tx.execute(wrong):
        fault(
            f"{row.name}: its floor is lowered by {Money(row.promised_kopecks)},"
            f" its promise says {Money(int(row.said))}"
        )


async def check_tied(tx: Tx, fault: Fault) -> None:
    """Report contracts that are not tied though something follows from their balance.

    Money that comes for one of them would repay no promise, lift no block and fill no subordinate.
    One that is tied for nothing is no fault: the next change of its balance lets it go.
    """
    lost = (
        select(account.c.name)
        .join(balance, balance.c.account_id == account.c.id)
        .where(~balance.c.tied, or_(*consequences.bound()))
        .order_by(account.c.id)
        .limit(SHOWN_MAX)
    )
    for name in (await tx.execute(lost)).scalars():
        fault(f"{name}: it is not tied, though a promise, a block or subordinates hang on it")
