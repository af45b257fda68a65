"""Raiffeisen's codes in the payer's bank app: shown, listed, paid, refused."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from simulators.banks.app_page import Code
from simulators.banks.bank import bank_of
from simulators.raiffeisen import model, payer


def find(request: web.Request, qr_id: str) -> Code | None:
    """Return a code as its payer sees it, or None."""
    bank = bank_of(request)
    code = model.qr(bank.store, qr_id)
    if code is not None:
        state = code.now(bank.clock.now())
        said = code.asked.get("additionalInfo") or code.asked.get("qrDescription")
        title = str(said or (f"Заказ {code.order_id}" if code.order_id else "Касса"))
        payable = state == "NEW"
        return Code(code.id, code.payload, title, code.amount_kopecks, False, payable, state)
    bound = model.subscription(bank.store, "qr_id", qr_id)
    if bound is None:
        return None
    title = str(bound.asked.get("subscriptionPurpose") or "Автоплатёж")
    waiting = bound.status == "INACTIVE"
    return Code(bound.qr_id, bound.payload, title, None, True, waiting, bound.status)


def listed(request: web.Request) -> list[Code]:
    """Return the newest codes that can be paid, and the newest bindings."""
    bank = bank_of(request)
    rows = bank.store.all(
        "SELECT id FROM raiffeisen_qr WHERE status = 'NEW' AND (expires_at IS NULL OR "
        "expires_at > ?) ORDER BY created_at DESC LIMIT 40",
        bank.clock.now(),
    )
    bound = bank.store.all(
        "SELECT qr_id AS id FROM raiffeisen_subscription ORDER BY created_at DESC LIMIT 10"
    )
    found = [find(request, row["id"]) for row in (*rows, *bound)]
    return [code for code in found if code is not None]


def pay(request: web.Request, qr_id: str, amount: Any) -> dict[str, Any]:
    """Pay, or agree to a binding; raises Mistake for what cannot be done."""
    bank = bank_of(request)
    bound = model.subscription(bank.store, "qr_id", qr_id)
    if bound is not None:
        done = payer.decide(bank, bound.id, "SUBSCRIBED")
        return {"id": done.id, "status": done.status}
    paid = payer.pay(bank, qr_id, payer.typed(amount))
    return {
        "transactionId": paid.transaction_id,
        "qrId": paid.qr_id,
        "order": paid.order_id,
        "amount_kopecks": paid.amount_kopecks,
        "status": paid.status,
    }


def refuse(request: web.Request, qr_id: str) -> dict[str, Any]:
    """Refuse, or revoke a binding; raises Mistake for what cannot be done.

    The bank has no word for a binding that was refused: it stays inactive, and nobody is told.
    """
    bank = bank_of(request)
    bound = model.subscription(bank.store, "qr_id", qr_id)
    if bound is not None:
        done = bound
        if bound.status != "INACTIVE":
            done = payer.decide(bank, bound.id, "UNSUBSCRIBED")
        return {"id": done.id, "status": done.status}
    payer.refuse(bank, qr_id)
    return {"qrId": qr_id, "status": "DECLINED"}
