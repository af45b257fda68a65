"""What a month has left of many contracts at once, to the kopeck as `statement` has it.

Only the entries since the month began are read: what was there before follows from the balance.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, Subquery, and_, case, func, select, union_all

from core_billing.accounts import balance
from core_billing.contracts import contract
from core_billing.postings import payment, posting
from shared.db import Tx


@dataclass(frozen=True, slots=True)
class Month:
    """What a contract had when a month began, what came and went, and what was left."""

    contract_id: int
    number: str
    opening_kopecks: int
    received_kopecks: int
    charged_kopecks: int
    closing_kopecks: int


async def first_payment(tx: Tx, begins: datetime) -> int | None:
    """Return the lowest id of a payment that was registered at a moment or later.

    It costs a look at all of them, so it is asked once for a walk.
    """
    # Of a bare id the planner would walk all payments from the first on; see the BRIN index.
    lowest = select(func.min(payment.c.id + 0)).where(payment.c.registered_at >= begins)
    found: int | None = (await tx.execute(lowest)).scalar_one()
    return found


async def page(
    tx: Tx, begins: datetime, ends: datetime, first: int | None, after: int, limit: int
) -> list[Month]:
    """Return the month of open contracts in the order of their ids, those after an id.

    `first` is what `first_payment` has returned for `begins`. Contracts that were opened after the
    month are left out.
    """
    chosen = (
        select(balance.c.account_id, balance.c.kopecks, contract.c.number)
        .join(contract, contract.c.id == balance.c.account_id)
        .where(balance.c.account_id > after, balance.c.open, contract.c.created_at < ends)
        .order_by(balance.c.account_id)
        .limit(limit)
        .subquery("chosen")
    )
    sums = _sums(_lines(chosen, first or 0), begins, ends)
    rows = await tx.execute(
        select(chosen, sums.c.received, sums.c.charged, sums.c.later)
        .outerjoin(sums, sums.c.contract_id == chosen.c.account_id)
        .order_by(chosen.c.account_id)
    )
    return [_month(*row) for row in rows]


def _month(
    contract_id: int,
    kopecks: int,
    number: str,
    received: int | None,
    charged: int | None,
    later: int | None,
) -> Month:
    came, went = int(received or 0), int(charged or 0)
    closing = kopecks - int(later or 0)
    return Month(contract_id, number, closing - came + went, came, went, closing)


def _sums(lines: Subquery, begins: datetime, ends: datetime) -> Subquery:
    """Sum what came in the month, what went, and what came of both since."""
    # A period begins with the first entry of its day, as `statement` says.
    bounds = (
        select(
            lines.c.contract_id,
            func.min(case((lines.c.registered_at >= begins, lines.c.payment_id))).label("first"),
            func.min(case((lines.c.registered_at >= ends, lines.c.payment_id))).label("end"),
        )
        .group_by(lines.c.contract_id)
        .subquery("bounds")
    )
    later = lines.c.payment_id >= bounds.c.end
    inside = and_(
        lines.c.payment_id >= bounds.c.first,
        bounds.c.end.is_(None) | (lines.c.payment_id < bounds.c.end),
    )
    signed = lines.c.kopecks
    return (
        select(
            lines.c.contract_id,
            _total(and_(inside, signed > 0), signed).label("received"),
            _total(and_(inside, signed < 0), -signed).label("charged"),
            _total(later, signed).label("later"),
        )
        .join(bounds, bounds.c.contract_id == lines.c.contract_id)
        .group_by(lines.c.contract_id)
        .subquery("sums")
    )


def _total(where: ColumnElement[bool], kopecks: ColumnElement[int]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((where, kopecks), else_=0)), 0)


def _lines(chosen: Subquery, first: int) -> Subquery:
    """Select the lines of contracts since a payment; what was taken is below zero."""
    sides = (
        (posting.c.credit_id, posting.c.credit_balance, posting.c.amount_kopecks),
        (posting.c.debit_id, posting.c.debit_balance, -posting.c.amount_kopecks),
    )
    return union_all(*(_side(chosen, first, *side) for side in sides)).subquery("lines")


def _side(
    chosen: Subquery,
    first: int,
    side: ColumnElement[int],
    kept: ColumnElement[int],
    kopecks: ColumnElement[int],
) -> Select[int, int, int, datetime]:
    return (
        select(
            side.label("contract_id"),
            posting.c.payment_id,
            kopecks.label("kopecks"),
            payment.c.registered_at,
        )
        .join(payment, payment.c.id == posting.c.payment_id)
        .join(chosen, chosen.c.account_id == side)
        .where(kept.is_not(None), posting.c.payment_id >= first)
    )
