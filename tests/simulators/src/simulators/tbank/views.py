"""How answers show a payment and its code."""

from __future__ import annotations

import io

import segno

from simulators.banks.bank import Bank
from simulators.tbank import model, notices, payer
from simulators.tbank.model import Payment
from simulators.tbank.words import BAD, Body, Refusal, whole


def payment(bank: Bank, body: Body) -> Payment:
    """Return the payment that a request is about, as it stands now; raises Refusal."""
    found = model.payment(bank.store, whole(body, "PaymentId"))
    if found is None:
        raise Refusal("255", "Платёж не найден")
    return payer.aged(bank, found)


def named(found: Payment) -> Body:
    """Return the names of a payment."""
    return {"OrderId": found.order_id, "PaymentId": str(found.id)}


def view(bank: Bank, found: Payment) -> Body:
    """Return how a payment stands."""
    return {**named(found), "Status": found.status, "Amount": notices.shown(bank, found)}


def code(body: Body, address: str) -> str:
    """Return a code as it was asked for: what it holds, or its picture as SVG. Raises Refusal."""
    kind = body.get("DataType", "PAYLOAD")
    if kind == "PAYLOAD":
        return address
    if kind != "IMAGE":
        raise Refusal("308", BAD, "Поле DataType неверно")
    drawn = io.BytesIO()
    segno.make_qr(address, error="m").save(drawn, kind="svg", xmldecl=False)
    return drawn.getvalue().decode()
