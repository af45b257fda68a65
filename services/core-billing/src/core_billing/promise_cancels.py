"""Taking promised payments back: what a manager may do with one that is not closed."""

from __future__ import annotations

from datetime import datetime

from core_billing import (
    accounts,
    consequences,
    promise_refusals,
    promise_rows,
    promises,
)
from core_billing.changes import Change
from core_billing.promise_rows import Promise, Status
from core_billing.promises import Closing
from core_billing.rules import Rules
from shared import outbox
from shared.db import Tx
from shared.errors import SaldoError
from shared.money import Money


async def cancel(
    tx: Tx,
    rules: Rules,
    promise_id: int,
    revision: int | None,
    by: str,
    at: datetime,
    correlation_id: str,
) -> Promise:
    """Take a promise back, be it active or overdue; its fee stays. Returns it as it then is.

    `revision` is the one the caller has seen, if any. Raises one of `promise_refusals.CANCELLING`.
    """
    known = await _existing(tx, promise_id)
    await accounts.lock(tx, [accounts.of_contract(known.number)])
    now = await _existing(tx, promise_id)
    if now.closed_at is not None:
        raise _over(rules, now, now.closed_at)
    if revision is not None and revision != now.revision:
        raise _changed(rules, now)
    closing = Closing(now, "canceled", correlation_id, closed_by=by)
    said = await promises.close(tx, rules, [closing], at)
    change = Change(now.contract_id, now.number, correlation_id, tied=True)
    said += await consequences.follow(tx, rules, [change], at)
    await outbox.add(tx, rules.producer, said, at)
    return await _existing(tx, promise_id)


async def _existing(tx: Tx, promise_id: int) -> Promise:
    found = await promise_rows.find(tx, promise_id)
    if found is None:
        raise promise_refusals.UNKNOWN(promise=promise_id)
    return found


def _over(rules: Rules, one: Promise, closed_at: datetime) -> SaldoError:
    how_en, how_ru = "nothing was owed", "долга не было"
    if one.status is Status.CANCELED:
        how_en, how_ru = f"{one.closed_by} cancelled it", f"отменил {one.closed_by}"
    elif one.status is Status.REPAID:
        how_en, how_ru = f"payment {one.repaid_by} repaid it", f"погасил платёж {one.repaid_by}"
    when = f"{closed_at.astimezone(rules.zone):%d.%m.%Y %H:%M}"
    return promise_refusals.NOT_ACTIVE(promise=one.id, when=when, how_en=how_en, how_ru=how_ru)


def _changed(rules: Rules, one: Promise) -> SaldoError:
    return promise_refusals.CONFLICT(
        promise=one.id,
        paid=Money(one.paid_kopecks),
        amount=Money(one.amount_kopecks),
        day=f"{promises.last_day(rules, one):%d.%m.%Y}",
        revision=one.revision,
    )
