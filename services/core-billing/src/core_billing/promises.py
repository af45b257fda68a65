"""Promised payments: they move no money, they lower the floor of a contract for a while.

A promise stays in full until real payments have brought what was promised or paid off the debt, or
until its last day is over. Then nothing is owed where the balance is within the limit by itself;
else it is overdue, gives the floor back and stays open, so that there is no other, until the debt
is paid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal

from sqlalchemy import select

from core_billing import promise_rows
from core_billing.accounts import balance
from core_billing.changes import Change
from core_billing.promise_rows import Promise
from core_billing.rules import Rules
from shared.db import Tx
from shared.events import Event
from shared.events_billing import PromiseClosed
from shared.rows import among

Closed = Literal["repaid", "ended", "canceled"]


@dataclass(frozen=True, slots=True)
class Closing:
    """How a promise comes to its end."""

    promise: Promise
    how: Closed
    correlation_id: str
    repaid_by: int | None = None
    """The payment that has settled it."""
    closed_by: str | None = None
    """The manager who has cancelled it."""


async def repay(tx: Tx, rules: Rules, changes: Sequence[Change], at: datetime) -> list[Event]:
    """Count what was paid towards the promises of these contracts; return what is to be said."""
    theirs: dict[int, list[Change]] = {}
    for change in changes:
        theirs.setdefault(change.account_id, []).append(change)
    found = await promise_rows.open_of(tx, theirs)
    own = await _own(tx, list(found.values()))
    closings: list[Closing] = []
    partly: list[dict[str, int]] = []
    for contract_id, before in found.items():
        now, payment_id = counted(before, theirs[contract_id])
        paid = sum(max(0, change.paid_kopecks) for change in theirs[contract_id])
        how = settled(now, own[contract_id], paid, payment_id)
        if how is not None:
            correlation_id = theirs[contract_id][-1].correlation_id
            closings.append(Closing(now, how, correlation_id, payment_id))
        elif now != before:
            revision = before.revision + 1
            row = {"id": now.id, "paid_kopecks": now.paid_kopecks, "revision": revision}
            partly.append(row)
    await promise_rows.change(tx, partly)
    return await close(tx, rules, closings, at)


def counted(promise: Promise, changes: Sequence[Change]) -> tuple[Promise, int | None]:
    """Return a promise with what these changes have brought, and the last payment that counted.

    Only money from outside counts. What was taken back before the promise was settled does not.
    """
    paid, payment_id = promise.paid_kopecks, None
    for change in changes:
        if paid >= promise.amount_kopecks:
            break
        paid = max(0, paid + change.paid_kopecks)
        if change.paid_kopecks > 0:
            payment_id = change.payment_id
    return replace(promise, paid_kopecks=min(paid, promise.amount_kopecks)), payment_id


def settled(
    promise: Promise, own_kopecks: int, paid_kopecks: int, payment_id: int | None
) -> Closed | None:
    """Say whether nothing is owed any more, and how that came about.

    `own_kopecks` is the balance with the credit limit as it now is, `paid_kopecks` what real
    payments have just brought. A promise is repaid when all of it is paid, or when a payment has
    paid off the debt; an overdue one is over as soon as its debt is gone by whatever.
    """
    if promise.paid_kopecks >= promise.amount_kopecks:
        return "repaid"
    if own_kopecks < 0:
        return None
    if payment_id is not None and own_kopecks < paid_kopecks:
        return "repaid"
    if promise.overdue_at is None:
        return None
    return "ended" if payment_id is None else "repaid"


async def close(tx: Tx, rules: Rules, closings: Sequence[Closing], at: datetime) -> list[Event]:
    """Close promises of locked contracts and give their floors back; return what is to be said.

    The contracts stay tied: `consequences.follow`, which comes next, lets them go.
    """
    rows = [
        {
            "id": one.promise.id,
            "paid_kopecks": one.promise.paid_kopecks,
            "closed_at": at,
            "closed_how": one.how,
            "closed_by": one.closed_by,
            "repaid_by": one.repaid_by if one.how == "repaid" else None,
            "revision": one.promise.revision + 1,
        }
        for one in closings
    ]
    await promise_rows.change(tx, rows)
    await promise_rows.set_floors(tx, {one.promise.contract_id: 0 for one in closings})
    return [said_closed(rules, one.promise, one.how, at, one.correlation_id) for one in closings]


def said_closed(
    rules: Rules,
    before: Promise,
    how: Literal["repaid", "overdue", "ended", "canceled"],
    at: datetime,
    correlation_id: str,
) -> Event:
    """Make the event that a promise is over, or overdue, by its next revision."""
    body = PromiseClosed(
        contract=before.number,
        occurred_at=at,
        revision=before.revision + 1,
        promise_id=str(before.id),
        amount_kopecks=before.amount_kopecks,
        until=before.until,
        how=how,
        ended_on=rules.day(at),
    )
    return body.event(
        rules.producer.name,
        subject=before.number,
        revision=body.revision,
        correlation_id=correlation_id,
    )


def last_day(rules: Rules, promise: Promise) -> date:
    """Return the last day on which a promise holds."""
    return rules.day(promise.until) - timedelta(days=1)


async def _own(tx: Tx, found: Sequence[Promise]) -> Mapping[int, int]:
    """Return balance and credit limit together, by contract."""
    if not found:
        return {}
    own = (balance.c.kopecks + balance.c.credit_limit_kopecks).label("own")
    mine = among(tx, balance.c.account_id, [one.contract_id for one in found])
    rows = await tx.execute(select(balance.c.account_id, own).where(mine))
    return {row.account_id: row.own for row in rows}
