"""Money on its way back: started by the shop, or in the manager's profile without the API.

YooKassa API v3, "Refunds". Only `refund.succeeded` is notified; a canceled refund must be found by
GET.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

from simulators.yookassa import fiscal, ids, payment, refund, script
from simulators.yookassa.errors import bad
from simulators.yookassa.payment import Payment
from simulators.yookassa.provider import Provider
from simulators.yookassa.refund import Refund
from simulators.yookassa.wire import refund_object

REST = 100
"""What remains of a payment must be nothing or more than 1.00 RUB."""

PARTIES = {"yoo_money_account_closed": "yoo_money", "insufficient_funds": "yoo_money"}


def start(
    provider: Provider,
    paid: Payment,
    kopecks: int,
    *,
    description: str | None = None,
    metadata: dict[str, str] | None = None,
    receipt: dict[str, Any] | None = None,
) -> Refund:
    """Make a refund, with the end that is scripted; raises ApiError if not allowed."""
    now = provider.clock.now()
    with provider.store.transaction():
        _allow(provider, paid, kopecks)
        told = script.take(provider.store, f"refund:{paid.id}", "refund")
        new = Refund(
            id=ids.refund_id(now),
            shop_id=paid.shop_id,
            payment_id=paid.id,
            status="pending",
            amount_kopecks=kopecks,
            currency=paid.currency,
            created_at=now,
            description=description,
            metadata=metadata or {},
            receipt=receipt or _receipt_of(paid, kopecks),
        )
        if told.status == "pending":
            waiting = replace(
                new, settle_at=now + told.delay, settle_status=told.then, settle_reason=told.reason
            )
            refund.save(provider.store, waiting)
            return waiting
        return end(provider, new, told.status, told.reason)


def end(provider: Provider, current: Refund, status: str, reason: str | None) -> Refund:
    """End a refund: the payment's refunded sum grows and the shop is told, or neither."""
    with provider.store.transaction():
        if status == "canceled":
            why = reason or "general_decline"
            canceled = replace(
                current,
                status="canceled",
                settle_at=None,
                cancel_party=PARTIES.get(why, "refund_network"),
                cancel_reason=why,
            )
            refund.save(provider.store, canceled)
            return canceled
        return _succeed(provider, current)


def settle_due(provider: Provider) -> None:
    """End the pending refunds whose time has come."""
    for each in refund.unsettled(provider.store, provider.clock.now()):
        end(provider, each, each.settle_status or "succeeded", each.settle_reason)


def _succeed(provider: Provider, current: Refund) -> Refund:
    done = replace(
        current,
        status="succeeded",
        settle_at=None,
        rrn=str(10**11 + secrets.randbelow(9 * 10**11)),
        receipt_registration="pending" if current.receipt else None,
    )
    refund.save(provider.store, done)
    if done.receipt:
        fiscal.enqueue(provider, done.shop_id, done.receipt, refund_id=done.id)
    paid = payment.find(provider.store, done.payment_id)
    if paid is not None:
        grown = paid.refunded_kopecks + done.amount_kopecks
        payment.save(provider.store, replace(paid, refunded_kopecks=grown))
    provider.announce(done.shop_id, "refund.succeeded", refund_object(done))
    return done


def _allow(provider: Provider, paid: Payment, kopecks: int) -> None:
    if paid.status != "succeeded":
        raise bad("payment_id", "Payment can not be refunded in current status")
    left = paid.amount_kopecks - refund.reserved(provider.store, paid.id)
    if left <= 0:
        raise bad("payment_id", "Payment is already completely refunded")
    if kopecks > left:
        raise bad("amount", "Refund sum exceeded")
    if 0 < left - kopecks <= REST:
        raise bad("amount", "Remaining payment amount after refund must be greater than 1.00 RUB")


def _receipt_of(paid: Payment, kopecks: int) -> dict[str, Any] | None:
    # A full refund reuses the payment's receipt; a partial one brings its own (checked before).
    return paid.receipt if kopecks == paid.amount_kopecks else None
