"""The state machine of payments. Order never changes, terminal states never change.

YooKassa API v3, "Payment process". Each function writes the new state and its notification in one
transaction and returns the payment as it now stands; the caller has checked that the step is
allowed.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

from simulators.clock import DAY, HOUR
from simulators.yookassa import fiscal, means, method, payment
from simulators.yookassa.cards import Refusal
from simulators.yookassa.delivery import Told, forge
from simulators.yookassa.means import Means
from simulators.yookassa.money import income
from simulators.yookassa.payment import Payment
from simulators.yookassa.provider import Provider
from simulators.yookassa.wire import payment_object

CONFIRM_TERM = HOUR
"""How long a payer may take: one hour for cards, wallets and SBP."""
HOLD = {"bank_card": 7 * DAY, "yoo_money": 7 * DAY, "sberbank": 7 * DAY, "tinkoff_bank": 7 * DAY}

EXPIRED_ON_CONFIRMATION = Refusal("yoo_money", "expired_on_confirmation")
EXPIRED_ON_CAPTURE = Refusal("yoo_money", "expired_on_capture")
CANCELED_BY_MERCHANT = Refusal("merchant", "canceled_by_merchant")


def begin(provider: Provider, new: Payment) -> Payment:
    """Keep a payment that waits for its payer; no event exists for that."""
    with provider.store.transaction():
        payment.save(provider.store, new)
        if provider.dice.random() < provider.mischief.forge:
            lie = Told(new.shop_id, payment_object(new) | {"status": "succeeded", "paid": True})
            forge(
                provider.store, provider.dice, provider.mischief, new.created_at,
                "payment.succeeded", lie,
            )  # fmt: skip
            provider.bell.set()
    return new


def pay(
    provider: Provider,
    current: Payment,
    used: Means,
    *,
    keep: bool = False,
    charged: str | None = None,
) -> Payment:
    """Take the money: succeeded, or held until capture.

    `keep` saves the means for later charges; `charged` is the id of the saved method in use, if
    any.
    """
    now = provider.clock.now()
    paid = replace(
        current,
        paid=True,
        confirm_by=None,
        method_type=used.type,
        method=used.described(charged or current.id, saved=keep or bool(charged)),
        attempt_reason=None,
        authorization=_authorization(used),
    )
    with provider.store.transaction():
        if keep:
            method.save(provider.store, means.saved(paid, used, now))
        if not paid.capture:
            held = replace(
                paid, status="waiting_for_capture", expires_at=now + HOLD.get(used.type, 6 * HOUR)
            )
            return _tell(provider, held)
        return _succeed(provider, paid, now)


def capture(provider: Provider, current: Payment, kopecks: int | None = None) -> Payment:
    """Take a held sum, or a part of it; the rest goes back to the payer."""
    with provider.store.transaction():
        part = replace(current, amount_kopecks=kopecks or current.amount_kopecks)
        return _succeed(provider, part, provider.clock.now())


def cancel(provider: Provider, current: Payment, why: Refusal) -> Payment:
    """End a payment without money, for good."""
    ended = replace(
        current,
        status="canceled",
        paid=False,
        confirm_by=None,
        expires_at=None,
        cancel_party=why.party,
        cancel_reason=why.reason,
    )
    with provider.store.transaction():
        return _tell(provider, ended)


def fail_attempt(provider: Provider, current: Payment, why: Refusal) -> Payment:
    """Note a failed attempt on the page; the payer may try again until the term ends."""
    noted = replace(current, attempt_reason=why.reason)
    with provider.store.transaction():
        payment.save(provider.store, noted)
    return noted


def expire(provider: Provider, current: Payment) -> Payment:
    """End a payment whose term is over."""
    unconfirmed = current.status == "pending"
    why = EXPIRED_ON_CONFIRMATION if unconfirmed else EXPIRED_ON_CAPTURE
    return cancel(provider, current, why)


def _succeed(provider: Provider, current: Payment, now: int) -> Payment:
    shop = provider.shops[current.shop_id]
    done = replace(
        current,
        status="succeeded",
        paid=True,
        captured_at=now,
        expires_at=None,
        income_kopecks=income(current.amount_kopecks, shop.fee_basis_points),
        receipt_registration="pending" if current.receipt else None,
    )
    if current.receipt:
        fiscal.enqueue(provider, done.shop_id, current.receipt, payment_id=done.id)
    return _tell(provider, done)


def _tell(provider: Provider, changed: Payment) -> Payment:
    payment.save(provider.store, changed)
    provider.announce(changed.shop_id, f"payment.{changed.status}", payment_object(changed))
    return changed


def _authorization(used: Means) -> dict[str, Any] | None:
    if used.card is None:
        return None
    return {
        "rrn": str(10**11 + secrets.randbelow(9 * 10**11)),
        "auth_code": f"{secrets.randbelow(10**6):06d}",
        "three_d_secure": {"applied": used.three_d_secure},
    }
