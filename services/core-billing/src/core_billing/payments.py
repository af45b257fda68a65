"""Payments: the one door through which money enters, whoever brings it.

The consumer of events comes through it, and so will the desk, registries and imports. What a
provider has confirmed is always posted; what was said before is acknowledged again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from core_billing import accounts, acknowledgements, consequences, ledger, uncredited
from core_billing.changes import Change
from core_billing.drafts import Payment
from core_billing.ledger import Credit, Outcome, Receipt
from core_billing.rules import Rules
from shared import outbox
from shared.db import Tx
from shared.events import Event, PaymentPosted, PaymentUnmatched
from shared.metrics import alarm


@dataclass(frozen=True, slots=True)
class Arrival:
    """A payment on its way in, with the id that follows it through the services."""

    payment: Payment
    correlation_id: str


async def apply_payments(
    tx: Tx, rules: Rules, arrivals: Sequence[Arrival], at: datetime
) -> list[Receipt | None]:
    """Post payments, tell the others and judge the watches, all in the caller's transaction.

    Returns a receipt for each in order; None for what a provider took before the cutover, which
    is only listed.
    """
    early = [_is_early(rules, arrival.payment) for arrival in arrivals]
    posted = [a for a, was_early in zip(arrivals, early, strict=True) if not was_early]
    receipts = await ledger.post(tx, [arrival.payment for arrival in posted], at)
    done = list(zip(posted, receipts, strict=True))
    await _tell_new(tx, rules, done, at)
    await acknowledge_again(tx, rules, [p for p in done if p[1].outcome is Outcome.REPEAT], at)
    await _list_uncredited(tx, arrivals, early, done, at)
    results = iter(receipts)
    return [None if was_early else next(results) for was_early in early]


async def acknowledge_again(
    tx: Tx, rules: Rules, known: Sequence[tuple[Arrival, Receipt]], at: datetime
) -> None:
    """Say once more what became of payments that are already in the ledger."""
    await acknowledgements.repeat(
        tx, rules.producer, lambda suffix: _events(rules, known, suffix), at
    )


async def find_again(tx: Tx, arrivals: Sequence[Arrival]) -> list[tuple[Arrival, Receipt]]:
    """Return those payments that are in the ledger with this very amount, with their receipts."""
    known = await ledger.find(tx, {arrival.payment.reference for arrival in arrivals})
    found = [(a, known[a.payment.reference]) for a in arrivals if a.payment.reference in known]
    return [(a, r) for a, r in found if a.payment.amount_kopecks == r.amount_kopecks]


async def _tell_new(
    tx: Tx, rules: Rules, done: Sequence[tuple[Arrival, Receipt]], at: datetime
) -> None:
    new = [p for p in done if p[1].outcome in (Outcome.POSTED, Outcome.SUSPENSE)]
    changes = [_change(arrival, r, credit) for arrival, r in new for credit in r.credits]
    followed = await consequences.follow(tx, rules, changes, at)
    await outbox.add(tx, rules.producer, [*_events(rules, new), *followed], at)
    for arrival, receipt in new:
        if receipt.suspense_reason is not None:
            alarm(
                "payment_in_suspense",
                reason=receipt.suspense_reason,
                reference=":".join(arrival.payment.reference),
                amount_kopecks=receipt.suspense_kopecks,
                correlation_id=arrival.correlation_id,
            )


def _is_early(rules: Rules, payment: Payment) -> bool:
    """Say whether the billing before us has credited it: what a manager takes comes to us."""
    if rules.cutover_at is None or accounts.provider_of(payment.source) is None:
        return False
    return payment.paid_at < rules.cutover_at


def _change(arrival: Arrival, receipt: Receipt, credit: Credit) -> Change:
    real = accounts.is_real(arrival.payment.source)
    return Change(
        account_id=credit.account_id,
        number=credit.number,
        correlation_id=arrival.correlation_id,
        tied=credit.tied,
        paid_kopecks=max(0, credit.amount_kopecks) if real else 0,
        payment_id=receipt.payment_id,
    )


async def _list_uncredited(
    tx: Tx,
    arrivals: Sequence[Arrival],
    early: Sequence[bool],
    done: Sequence[tuple[Arrival, Receipt]],
    at: datetime,
) -> None:
    before = [a for a, was_early in zip(arrivals, early, strict=True) if was_early]
    another = [a for a, receipt in done if receipt.outcome is Outcome.CONFLICT]
    for reason, found in (
        (uncredited.BEFORE_CUTOVER, before),
        (uncredited.ANOTHER_AMOUNT, another),
    ):
        listed = [(arrival.payment, arrival.correlation_id) for arrival in found]
        await uncredited.keep(tx, reason, listed, at)


def _events(rules: Rules, done: Sequence[tuple[Arrival, Receipt]], suffix: str = "") -> list[Event]:
    events: list[Event] = []
    for arrival, receipt in done:
        events += _posted(rules, arrival, receipt, suffix)
        if receipt.suspense_reason is not None:
            events.append(_unmatched(rules, arrival, receipt, suffix))
    return events


def _posted(rules: Rules, arrival: Arrival, receipt: Receipt, suffix: str) -> list[Event]:
    payment = arrival.payment
    provider = payment.source.removeprefix(accounts.PAYMENT)
    return [
        PaymentPosted(
            contract=credit.number,
            occurred_at=payment.paid_at,
            payment_id=str(receipt.payment_id),
            provider=provider,
            provider_payment_id=payment.external_id,
            amount_kopecks=credit.amount_kopecks,
            balance_kopecks=credit.balance_kopecks,
            available_kopecks=credit.available_kopecks,
            posted_at=receipt.posted_at,
            charge_id=payment.charge_id,
        ).event(
            rules.producer.name,
            subject=credit.number,
            revision=f"{provider}:{payment.external_id}{suffix}",
            correlation_id=arrival.correlation_id,
        )
        for credit in receipt.credits
    ]


def _unmatched(rules: Rules, arrival: Arrival, receipt: Receipt, suffix: str) -> Event:
    payment = arrival.payment
    provider = payment.source.removeprefix(accounts.PAYMENT)
    body = PaymentUnmatched(
        contract=payment.allocations[0][0] if len(payment.allocations) == 1 else None,
        occurred_at=payment.paid_at,
        payment_id=str(receipt.payment_id),
        provider=provider,
        provider_payment_id=payment.external_id,
        amount_kopecks=receipt.suspense_kopecks,
        reason=receipt.suspense_reason or "",
    )
    return body.event(
        rules.producer.name,
        subject=":".join(payment.reference),
        revision=f"{provider}:{payment.external_id}{suffix}",
        correlation_id=arrival.correlation_id,
    )
