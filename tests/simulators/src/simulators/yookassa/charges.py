"""Charges of saved methods, and the address where an interactive payer is sent.

YooKassa API v3, "Autopayments": the result comes in the answer, and is notified as well.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from simulators.settings import Shop
from simulators.yookassa import lifecycle, means, method, script
from simulators.yookassa.cards import Refusal
from simulators.yookassa.errors import ApiError, bad
from simulators.yookassa.payment import Payment
from simulators.yookassa.provider import Provider


def charge(provider: Provider, shop: Shop, new: Payment, body: dict[str, Any]) -> Payment:
    """Charge the saved method of `payment_method_id`; ends succeeded, held, canceled or pending."""
    kept = _chargeable(provider, shop, body)
    new = replace(new, method_type=kept.type)
    with provider.store.transaction():
        told = script.take(provider.store, f"method:{kept.id}", "charge")
        if told.status == "succeeded":
            return lifecycle.pay(provider, new, means.by_method(kept), charged=kept.id)
        if told.status == "pending":
            return _asks_payer(provider, new)
        reason = told.reason or "general_decline"
        if reason == "permission_revoked":
            method.save(provider.store, replace(kept, status="inactive"))
        refused = replace(new, method=means.by_method(kept).described(kept.id, saved=True))
        return lifecycle.cancel(provider, refused, Refusal(script.party(told), reason))


def confirmation(provider: Provider, payment_id: str, wanted: dict[str, Any]) -> dict[str, Any]:
    """Return the `confirmation` object that answers what the shop asked for."""
    if wanted["type"] == "embedded":
        return {"type": "embedded", "confirmation_token": f"ct-{payment_id}"}
    if wanted["type"] == "qr":
        return {"type": "qr", "confirmation_data": code_address(payment_id)}
    url = provider.checkout(payment_id)
    return {"type": "redirect", "return_url": wanted["return_url"], "confirmation_url": url}


def code_address(payment_id: str) -> str:
    """Return what a code of SBP holds: an address that would open the payer's bank."""
    return f"https://qr.nspk.ru/SANDBOX{payment_id}"


def _asks_payer(provider: Provider, new: Payment) -> Payment:
    # An old staff note: the bank may want 3-DS, then a link comes back instead of a result.
    wanted = {"type": "redirect", "return_url": provider.home}
    waiting = replace(
        new,
        confirmation=confirmation(provider, new.id, wanted),
        confirm_by=new.created_at + lifecycle.CONFIRM_TERM,
    )
    return lifecycle.begin(provider, waiting)


def _chargeable(provider: Provider, shop: Shop, body: dict[str, Any]) -> method.Method:
    if body.get("confirmation") is not None:
        raise bad("confirmation", "Confirmation must be null when using payment_method_id")
    if not shop.recurring:
        raise ApiError("forbidden", "Forbidden to use saved payment method", "payment_method_id")
    kept = method.find(provider.store, str(body["payment_method_id"]), shop.id)
    if kept is None:
        raise bad("payment_method_id", "Payment method is not found")
    if kept.status != "active":
        raise bad("payment_method_id", "Payment method is not saved")
    return kept
