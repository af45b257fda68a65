"""What the events of the billing tell a subscriber. Pure.

Each function answers None for what nobody is told.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time
from typing import Any, Final

from notifier import facts
from notifier.kinds import KindName
from notifier.news import News, access_fact, crossing_fact, payment_fact
from shared.clock import MOSCOW
from shared.errors import Poison
from shared.events import BalanceLow, EventData, PaymentPosted
from shared.events_billing import (
    ContractBlocked,
    ContractUnblocked,
    FeeUpcoming,
    PaymentAnnulled,
    PromiseClosed,
    PromiseEnding,
    PromiseGranted,
    StatementReady,
)
from shared.events_gateway import RefundPosted
from shared.topology import NOTIFIER


def _payment(body: PaymentPosted) -> News | None:
    # Nobody is thanked for what was taken.
    if body.amount_kopecks <= 0:
        return None
    fact = facts.Payment(
        amount_kopecks=body.amount_kopecks,
        balance_kopecks=body.balance_kopecks,
        missing_kopecks=max(0, -body.available_kopecks),
        paid_at=body.occurred_at,
    )
    return News("autopay_done" if body.charge_id else "payment", payment_fact(body), fact)


def _annulled(body: PaymentAnnulled) -> News:
    fact = facts.Annulled(
        amount_kopecks=abs(body.amount_kopecks),
        balance_kopecks=body.balance_kopecks,
        at=body.occurred_at,
    )
    # A payment may be restored and annulled again.
    when = body.occurred_at.isoformat()
    return News("payment_annulled", f"{payment_fact(body)}@{when}", fact)


def _refund(body: RefundPosted) -> News | None:
    if not body.contract:
        return None
    fact = facts.Refund(
        amount_kopecks=body.amount_kopecks,
        balance_kopecks=body.balance_kopecks,
        at=body.occurred_at,
    )
    return News("refund", f"{body.provider}:{body.provider_refund_id}", fact)


def _low(body: BalanceLow) -> News | None:
    if body.watcher != NOTIFIER:
        return None
    fact = facts.LowBalance(
        balance_kopecks=body.balance_kopecks,
        needed_kopecks=body.needed_kopecks,
        blocks_on=_date(body.blocks_on),
        measure=body.kind,
    )
    return News("low_balance", crossing_fact(body.watcher, body.kind, body.crossing), fact)


def _fee(body: FeeUpcoming) -> News | None:
    if body.watcher != NOTIFIER:
        return None
    lines = tuple(facts.Line(ru=one.ru, en=one.en, kopecks=one.kopecks) for one in body.lines)
    fact = facts.FeeComing(
        fees_on=body.fees_on,
        fee_kopecks=body.fee_kopecks,
        balance_kopecks=body.balance_kopecks,
        needed_kopecks=body.needed_kopecks,
        lines=lines,
        blocks_on=body.blocks_on,
    )
    begins = datetime.combine(body.fees_on, time(), MOSCOW)
    return News("fee_upcoming", f"fees:{body.fees_on}", fact, begins)


def _granted(body: PromiseGranted) -> News:
    fact = facts.PromiseGiven(
        amount_kopecks=body.amount_kopecks,
        fee_kopecks=body.fee_kopecks,
        until=body.until,
        automatic=body.origin == "automatic",
    )
    return News("promise_granted", body.promise_id, fact, body.until)


def _ending(body: PromiseEnding) -> News:
    fact = facts.PromiseOwed(
        amount_kopecks=body.amount_kopecks, owed_kopecks=body.owed_kopecks, until=body.until
    )
    return News("promise_ending", body.promise_id, fact, body.until)


def _closed(body: PromiseClosed) -> News | None:
    """A promise that was repaid is told by its payment; only one that was not is a message."""
    if body.how != "overdue":
        return None
    fact = facts.PromiseOwed(
        amount_kopecks=body.amount_kopecks, owed_kopecks=body.amount_kopecks, until=body.until
    )
    return News("promise_overdue", body.promise_id, fact)


def _access(kind: KindName) -> Callable[[Any], News]:
    def say(body: ContractBlocked | ContractUnblocked) -> News:
        fact = facts.Access(
            reason=body.reason,
            balance_kopecks=body.balance_kopecks,
            missing_kopecks=max(0, -body.available_kopecks),
            at=body.occurred_at,
        )
        return News(kind, access_fact(body.revision), fact)

    return say


def _statement(body: StatementReady) -> News:
    fact = facts.Statement(
        month=body.month,
        opening_kopecks=body.opening_kopecks,
        received_kopecks=body.received_kopecks,
        charged_kopecks=body.charged_kopecks,
        closing_kopecks=body.closing_kopecks,
    )
    return News("statement", f"month:{body.month}", fact)


def _date(written: str | None) -> date | None:
    if written is None:
        return None
    try:
        return date.fromisoformat(written[:10])
    except ValueError as error:
        raise Poison(f"blocks_on is not a date: {written!r}") from error


TELLERS: Final[tuple[tuple[type[EventData], Callable[[Any], News | None]], ...]] = (
    (PaymentPosted, _payment),
    (PaymentAnnulled, _annulled),
    (RefundPosted, _refund),
    (BalanceLow, _low),
    (FeeUpcoming, _fee),
    (PromiseGranted, _granted),
    (PromiseEnding, _ending),
    (PromiseClosed, _closed),
    (ContractBlocked, _access("blocked")),
    (ContractUnblocked, _access("unblocked")),
    (StatementReady, _statement),
)
