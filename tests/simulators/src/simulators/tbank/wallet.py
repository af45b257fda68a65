"""T-Bank's codes in the payer's bank app: shown, listed, paid, refused."""

from __future__ import annotations

import re
from typing import Any

from aiohttp import web

from simulators.banks.app_page import Code
from simulators.banks.bank import Bank, bank_of
from simulators.control import Mistake
from simulators.tbank import bindings, model, payer
from simulators.tbank.model import Binding, Payment
from simulators.tbank.words import number

SUM = re.compile(r"([0-9]{1,12})(?:\.([0-9]{0,2}))?", re.ASCII)


def typed(value: Any) -> int | None:
    """Read a sum in roubles, as kopecks; raises Mistake."""
    if value in (None, ""):
        return None
    found = SUM.fullmatch(str(value).replace(" ", "").replace(",", "."))
    if found is None:
        raise Mistake("a sum such as 650 or 650.50")
    return int(found[1]) * 100 + int((found[2] or "").ljust(2, "0"))


def find(request: web.Request, qr_id: str) -> Code | None:
    """Return a code as its payer sees it, or None."""
    bank = bank_of(request)
    found = _look(bank, qr_id)
    if found is None:
        return None
    if isinstance(found, Binding):
        waiting, title = bindings.waits(bank, found), found.description
        return Code(found.qr_id, found.payload, title, None, True, waiting, found.status)
    title = str(found.asked.get("Description") or f"Заказ {found.order_id}")
    ready = payer.payable(bank, found)
    kopecks, address = found.amount_kopecks, found.payload or ""
    return Code(str(found.id), address, title, kopecks, False, ready, found.status)


def listed(request: web.Request) -> list[Code]:
    """Return the newest codes that can be paid, and the newest bindings."""
    store = bank_of(request).store
    rows = store.all(
        "SELECT id FROM tbank_payment WHERE status IN ('NEW', 'FORM_SHOWED', 'REJECTED') "
        "ORDER BY id DESC LIMIT 40"
    )
    codes = [find(request, str(row["id"])) for row in rows]
    bound = store.all("SELECT qr_id FROM tbank_binding ORDER BY created_at DESC LIMIT 10")
    consents = [find(request, row["qr_id"]) for row in bound]
    ready = [code for code in codes if code is not None and code.payable]
    return ready + [code for code in consents if code is not None and code.binding]


def pay(request: web.Request, qr_id: str, amount: Any) -> dict[str, Any]:
    """Pay, or agree to a binding; raises Mistake for what cannot be done, and for a refusal."""
    bank = bank_of(request)
    found = _known(bank, qr_id)
    if isinstance(found, Binding):
        return {"status": bindings.accept(bank, found).status}
    if typed(amount) not in (None, found.amount_kopecks):
        raise Mistake("this code has a sum of its own")
    done = payer.pay(bank, found)
    if done.status in payer.REFUSED:
        raise Mistake("the payer's bank refuses", status=402)
    return _shown(done)


def refuse(request: web.Request, qr_id: str) -> dict[str, Any]:
    """Refuse, or revoke a binding; raises Mistake for what cannot be done."""
    bank = bank_of(request)
    found = _known(bank, qr_id)
    if isinstance(found, Binding):
        return {"status": bindings.refuse(bank, found).status}
    return _shown(payer.refuse(bank, found))


def _look(bank: Bank, qr_id: str) -> Payment | Binding | None:
    """Return what an id names: a payment's number, its code, or the code of a binding."""
    payment_id = number(qr_id)
    if payment_id is not None:
        return model.payment(bank.store, payment_id)
    found = model.payments_of(bank.store, "qr_id", qr_id)
    return found[0] if found else model.binding(bank.store, "qr_id", qr_id)


def _known(bank: Bank, qr_id: str) -> Payment | Binding:
    found = _look(bank, qr_id)
    if found is None:
        raise Mistake("no such code", status=404)
    return found


def _shown(done: Payment) -> dict[str, Any]:
    return {
        "PaymentId": str(done.id),
        "OrderId": done.order_id,
        "amount_kopecks": done.amount_kopecks,
        "status": done.status,
    }
