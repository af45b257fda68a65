"""The statement of a contract: its entries between two days, and the balances around them.

A day goes by when the ledger learnt of an entry, not by when it was paid: so a statement that was
given out once never changes, and a payment dated back stands where it came in, with both dates.
Transactions of one moment may end in another order than they began. Therefore a period begins with
the first entry of its day, and the chain of balances is never cut in two places at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    and_,
    case,
    func,
    literal,
    select,
    tuple_,
    union_all,
)

from core_billing import history
from core_billing.accounts import source
from core_billing.contracts import Contract
from core_billing.history import Cursor, Entry
from core_billing.postings import payment, posting
from shared.db import Tx


@dataclass(frozen=True, slots=True)
class Balances:
    """What a contract had before and after a period, and what came and went, in kopecks."""

    opening_kopecks: int
    credited_kopecks: int
    debited_kopecks: int
    entries: int
    """How many entries the period has."""

    @property
    def closing_kopecks(self) -> int:
        """Return the balance at the end."""
        return self.opening_kopecks + self.credited_kopecks - self.debited_kopecks


@dataclass(frozen=True, slots=True)
class Span:
    """Which entries of a contract belong to a period: from one payment on, up to another."""

    contract: Contract
    first_id: int | None
    """None where nothing had come before the end of time."""
    end_id: int | None


async def span(tx: Tx, contract: Contract, begins: datetime | None, ends: datetime | None) -> Span:
    """Return the entries from the moment `begins` on, before `ends`; None is no bound."""
    first = 0 if begins is None else await _first_since(tx, contract.id, begins)
    end = None if ends is None else await _first_since(tx, contract.id, ends)
    return Span(contract, first, end)


async def fixed(tx: Tx, asked: Span) -> Span:
    """Return the period without what will come to the contract from now on."""
    if asked.end_id is not None:
        return asked
    lines = _lines(asked.contract.id)
    newest = (await tx.execute(select(func.max(lines.c.payment_id)))).scalar_one() or 0
    return replace(asked, end_id=newest + 1)


async def balances(tx: Tx, asked: Span) -> Balances:
    """Sum the entries of the period and those before it, from the postings alone."""
    lines = _lines(asked.contract.id)
    before = _before(lines, asked.first_id)
    inside = and_(~before, _before(lines, asked.end_id))
    signed = lines.c.kopecks
    sums = select(
        func.coalesce(func.sum(case((before, signed), else_=0)), 0),
        func.coalesce(func.sum(case((and_(inside, signed > 0), signed), else_=0)), 0),
        func.coalesce(func.sum(case((and_(inside, signed < 0), -signed), else_=0)), 0),
        func.coalesce(func.sum(case((inside, 1), else_=0)), 0),
    )
    return Balances(*map(int, (await tx.execute(sums)).one()))


async def entries(tx: Tx, asked: Span, after: Cursor | None, limit: int) -> Sequence[Entry]:
    """Return at most `limit` entries of the period that follow the cursor, oldest first.

    In the order of the balances: what a correction takes back comes before what it posts anew.
    """
    lines = _lines(asked.contract.id)
    place = (lines.c.payment_id, *_order(lines.c.line))
    wanted = _entries(lines).where(~_before(lines, asked.first_id), _before(lines, asked.end_id))
    if after is not None:
        line = literal(after.line)
        passed = tuple_(*place) > tuple_(literal(after.payment_id), *_order(line))
        wanted = wanted.where(lines.c.payment_id >= after.payment_id, passed)
    rows = await tx.execute(wanted.order_by(*place).limit(limit))
    found = [history.read(row, asked.contract.number, 1) for row in rows]
    return await history.with_payments(tx, found)


def _order(line: ColumnElement[int]) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """Return in which order the lines of one payment were written: reversals first."""
    return case((line < 0, 0), else_=1), func.abs(line)


def _before(lines: Subquery, payment_id: int | None) -> ColumnElement[bool]:
    return literal(True) if payment_id is None else lines.c.payment_id < payment_id


async def _first_since(tx: Tx, contract_id: int, moment: datetime) -> int | None:
    """Return the first payment of a contract that was registered at a moment or later."""
    lines = _lines(contract_id)
    first = select(func.min(lines.c.payment_id)).join(payment, payment.c.id == lines.c.payment_id)
    found = await tx.execute(first.where(payment.c.registered_at >= moment))
    known: int | None = found.scalar_one()
    return known


def _lines(contract_id: int) -> Subquery:
    """Select a contract's lines from its two indexes; what was taken is below zero."""
    sides = (
        (posting.c.credit_id, posting.c.credit_balance, posting.c.amount_kopecks),
        (posting.c.debit_id, posting.c.debit_balance, -posting.c.amount_kopecks),
    )
    return union_all(
        *(
            select(
                posting.c.payment_id,
                posting.c.line,
                kopecks.label("kopecks"),
                kept.label("balance"),
            ).where(side == contract_id, kept.is_not(None))
            for side, kept, kopecks in sides
        )
    ).subquery("lines")


def _entries(lines: Subquery) -> Select[Any]:
    return (
        select(
            lines.c.payment_id,
            lines.c.line,
            lines.c.kopecks.label("amount_kopecks"),
            lines.c.balance,
            source.c.name.label("source"),
            payment.c.external_id,
            payment.c.revision,
            payment.c.paid_at,
            payment.c.registered_at,
        )
        .join(payment, payment.c.id == lines.c.payment_id)
        .join(source, source.c.id == payment.c.source_id)
    )
