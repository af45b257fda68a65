"""Proof of the books: every balance, every payment and the trial balance, from postings.

One picture of the database, read in bounded pieces: each statement aggregates a range of payments,
so millions of rows neither fill the memory nor outlast a statement's time limit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Row, Select, and_, case, func, not_, or_, select, text, union_all
from sqlalchemy.sql.elements import ColumnElement

from core_billing import verify_chains, verify_refunds
from core_billing.accounts import CONTRACT, account, balance, source
from core_billing.postings import payment, posting
from shared.db import Database, Tx, is_postgres, reading
from shared.money import Money

PIECE: Final = 200_000
"""Payments looked at by one statement."""
PIECES_SUMMED: Final = 5
"""Pieces whose turnover is summed by one statement: it returns a row for each account."""
SHOWN_MAX: Final = 20
"""Faults named one by one; the rest are counted."""

Progress = Callable[[str, int, int], None]
"""Hears what is being looked at, how much is done and how much there is."""


@dataclass
class Report:
    """What was looked at, and what is wrong."""

    payments: int = 0
    balances: int = 0
    debits_kopecks: int = 0
    credits_kopecks: int = 0
    faults: list[str] = field(default_factory=list)
    faults_count: int = 0

    def fault(self, what: str) -> None:
        """Count a fault, and name it if not too many have been."""
        self.faults_count += 1
        if len(self.faults) < SHOWN_MAX:
            self.faults.append(what)


async def verify(db: Database, progress: Progress) -> Report:
    """Recompute everything from postings; the report's faults are empty where the books agree."""
    report = Report()
    async with reading(db) as tx:
        if is_postgres(tx):
            # Must come first: all statements see the one moment, while payments go on.
            await tx.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        sums = await _sum_postings(tx, report, progress)
        await _compare_balances(tx, report, sums, progress)
        await verify_refunds.check(tx, report.fault, sums)
        await verify_chains.check_revisions(tx, report.fault)
        await verify_chains.check_promises(tx, report.fault)
        await verify_chains.check_tied(tx, report.fault)
    if report.debits_kopecks != report.credits_kopecks or sum(sums.values()) != 0:
        report.fault(
            f"trial balance: debits {Money(report.debits_kopecks)},"
            f" credits {Money(report.credits_kopecks)}"
        )
    return report


async def _sum_postings(tx: Tx, report: Report, progress: Progress) -> dict[int, int]:
    """Go through all payments; return account id → credits less debits."""
    last = (await tx.execute(select(func.max(posting.c.payment_id)))).scalar_one() or 0
    newest = (await tx.execute(select(func.max(payment.c.id)))).scalar_one() or 0
    last = max(last, newest)
    sums: defaultdict[int, int] = defaultdict(int)
    for start in range(0, last, PIECE):
        if start % (PIECE * PIECES_SUMMED) == 0:
            end = start + PIECE * PIECES_SUMMED
            piece = and_(posting.c.payment_id > start, posting.c.payment_id <= end)
            # First: what the sums are before the piece is what its balances begin with.
            await verify_chains.check_balances(tx, report.fault, piece, sums)
            for row in await tx.execute(_turnover(piece)):
                sums[row.account_id] += int(row.credited) - int(row.debited)
                report.debits_kopecks += int(row.debited)
                report.credits_kopecks += int(row.credited)
        await _check_payments(tx, report, start)
        progress("payments", min(start + PIECE, last), last)
    return sums


def _turnover(piece: ColumnElement[bool]) -> Select[Any]:
    zero = posting.c.amount_kopecks * 0
    credit = select(
        posting.c.credit_id.label("account_id"),
        posting.c.amount_kopecks.label("credited"),
        zero.label("debited"),
    ).where(piece)
    debit = select(posting.c.debit_id, zero, posting.c.amount_kopecks).where(piece)
    lines = union_all(credit, debit).subquery()
    return select(
        lines.c.account_id,
        func.sum(lines.c.credited).label("credited"),
        func.sum(lines.c.debited).label("debited"),
    ).group_by(lines.c.account_id)


async def _check_payments(tx: Tx, report: Report, start: int) -> None:
    """Compare what each revision's own lines bring with what the payment says."""
    mine = and_(payment.c.id > start, payment.c.id <= start + PIECE)
    report.payments += (await tx.execute(select(func.count()).where(mine))).scalar_one()
    brought, undone = _net(posting.c.line > 0), _net(posting.c.line < 0)
    doubtful = (
        select(payment, source.c.name, brought.label("brought"), undone.label("undone"))
        .join(source, source.c.id == payment.c.source_id, isouter=True)
        .join(posting, posting.c.payment_id == payment.c.id, isouter=True)
        .where(mine)
        .group_by(payment.c.id, source.c.name)
        .having(or_(brought != payment.c.amount_kopecks, undone != 0, payment.c.revision > 1))
        .order_by(payment.c.id)
    )
    for row in (await tx.execute(doubtful)).all():
        if row.brought != row.amount_kopecks:
            report.fault(
                f"payment {_named(row)}: its postings bring {Money(int(row.brought))},"
                f" it says {Money(row.amount_kopecks)}"
            )
        before = await _amount_before(tx, row)
        if row.undone != -before:
            report.fault(
                f"payment {_named(row)}: it reverses {Money(-int(row.undone))},"
                f" the revision before says {Money(before)}"
            )
    orphans = (
        select(posting.c.payment_id)
        .join(payment, payment.c.id == posting.c.payment_id, isouter=True)
        .where(posting.c.payment_id > start, posting.c.payment_id <= start + PIECE)
        .where(payment.c.id.is_(None))
        .limit(SHOWN_MAX)
    )
    for orphan in (await tx.execute(orphans)).scalars():
        report.fault(f"a posting belongs to the payment {orphan}, which does not exist")


def _net(lines: ColumnElement[bool]) -> ColumnElement[int]:
    """Sum what the lines take from the payment's source, less what they give back to it."""
    return func.coalesce(
        func.sum(
            case(
                (not_(lines), 0),
                (posting.c.debit_id == source.c.account_id, posting.c.amount_kopecks),
                (posting.c.credit_id == source.c.account_id, -posting.c.amount_kopecks),
                else_=0,
            )
        ),
        0,
    )


async def _amount_before(tx: Tx, row: Row[Any]) -> int:
    """Return what the revision before said; nothing was before the first."""
    found = await tx.execute(
        select(payment.c.amount_kopecks)
        .where(payment.c.external_id == row.external_id, payment.c.source_id == row.source_id)
        .where(payment.c.revision == row.revision - 1)
    )
    return int(found.scalar_one_or_none() or 0)


def _named(row: Row[Any]) -> str:
    return f"{row.id} ({row.name}:{row.external_id}, revision {row.revision})"


async def _compare_balances(
    tx: Tx, report: Report, sums: dict[int, int], progress: Progress
) -> None:
    """Compare every kept balance with its account's postings, and look for unknown accounts."""
    known = 0
    last = (await tx.execute(select(func.max(account.c.id)))).scalar_one() or 0
    for start in range(0, last, PIECE):
        rows = await tx.execute(
            select(account.c.id, account.c.name, balance.c.kopecks)
            .join(balance, balance.c.account_id == account.c.id, isouter=True)
            .where(account.c.id > start, account.c.id <= start + PIECE)
            .order_by(account.c.id)
        )
        for account_id, name, kopecks in rows:
            known += account_id in sums
            if kopecks is not None:
                report.balances += 1
            elif name.startswith(CONTRACT):
                report.fault(f"{name}: it has no kept balance")
            if kopecks is not None and kopecks != sums.get(account_id, 0):
                report.fault(
                    f"{name}: the kept balance is {Money(kopecks)},"
                    f" its postings sum to {Money(sums.get(account_id, 0))}"
                )
        progress("balances", min(start + PIECE, last), last)
    if known != len(sums):
        report.fault(f"{len(sums) - known} accounts have postings and do not exist")
