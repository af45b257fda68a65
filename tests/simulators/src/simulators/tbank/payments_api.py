"""The methods of T-Bank's acquiring API v2 that make and show payments by SBP."""

from __future__ import annotations

from dataclasses import replace

from simulators.banks import nspk
from simulators.banks.bank import Bank
from simulators.control import Mistake
from simulators.settings import require_loopback
from simulators.tbank import bindings, model, notices, payer, receipts
from simulators.tbank.model import Payment
from simulators.tbank.views import code, named, payment, view
from simulators.tbank.words import BAD, Body, Refusal, due, text, whole, yes

THREE_DAYS = 3 * 86_400_000
LEAST_KOPECKS = 100
ORDER_MAX, DESCRIPTION_MAX = 50, 250


def init(bank: Bank, body: Body) -> Body:
    """`Init`: a payment that waits for its payer."""
    order_id, amount = text(body, "OrderId", ORDER_MAX), whole(body, "Amount")
    text(body, "Description", DESCRIPTION_MAX, needed=False)
    if amount < LEAST_KOPECKS:
        raise Refusal("308", BAD, "Сумма меньше допустимой")
    if any(body.get(name) == "" for name in ("SuccessURL", "FailURL")):
        raise Refusal("9", "Пустой адрес возврата")
    _url(body)
    if bank.knobs["orders_are_unique"] and model.payments_of(bank.store, "order_id", order_id):
        raise Refusal("20", "Повторный идентификатор заказа.")
    receipts.check(body, amount, needed=bank.knobs["fiscal"])
    now = bank.clock.now()
    made = Payment(
        id=model.new_id(bank.store),
        order_id=order_id,
        amount_kopecks=amount,
        status="NEW",
        created_at=now,
        expires_at=due(body, now) or now + THREE_DAYS,
        asked={name: value for name, value in body.items() if name != "Token"},
    )
    model.keep(bank.store, made)
    return {**view(bank, made), "PaymentURL": bank.address(f"app?qr={made.id}")}


def get_qr(bank: Bank, body: Body) -> Body:
    """`GetQr`: what the code holds, or its picture as raw SVG."""
    if bank.knobs["qr_off"]:
        raise Refusal("3001", "Оплата через QR недоступна")
    found = payment(bank, body)
    if found.status not in payer.PAYABLE:
        raise Refusal("4", "Неверный статус платежа")
    if found.qr_id is None or found.payload is None:
        qr_id = nspk.new_id(bank.dice, "AD10")
        address = nspk.payload(qr_id, nspk.ONCE, found.amount_kopecks, bindings.MEMBER)
        found = replace(found, qr_id=qr_id, payload=address, status="FORM_SHOWED")
        found = replace(found, binding=_bound_as_well(bank, found, (qr_id, address)))
        model.keep(bank.store, found)
    said = {**named(found), "Data": code(body, found.payload or "")}
    return said if found.binding is None else {**said, "RequestKey": found.binding}


def get_state(bank: Bank, body: Body) -> Body:
    """`GetState`; of a refused payment it is an error or none, by a knob."""
    found = payment(bank, body)
    said = view(bank, found)
    if found.status in payer.REFUSED and bank.knobs["state_is_error"]:
        return {**said, "Success": False, "ErrorCode": found.error_code, "Message": "Отказ"}
    return said


def check_order(bank: Bank, body: Body) -> Body:
    """`CheckOrder`: the payments of an order, newest first."""
    order_id = text(body, "OrderId", ORDER_MAX)
    found = model.payments_of(bank.store, "order_id", order_id)
    if not found:
        raise Refusal("255", "Заказ не найден")
    listed = [
        {
            "PaymentId": str(one.id),
            "Amount": notices.shown(bank, one),
            "Status": one.status,
            "Success": True,
            "ErrorCode": "0",
        }
        for one in (payer.aged(bank, each) for each in found)
    ]
    return {"OrderId": order_id, "Payments": listed}


def static_qr(bank: Bank, body: Body) -> Body:
    """`GetStaticQr`: the terminal's one sticker, which names no order."""
    return {"Data": code(body, nspk.payload("AS10" + "0" * 28, nspk.MANY, None, bindings.MEMBER))}


def pay_test(bank: Bank, body: Body) -> Body:
    """`SbpPayTest`: a DEMO terminal's own payer."""
    if not str(bank.knobs["terminal"]).endswith("DEMO"):
        raise Refusal("3001", "Метод доступен только для DEMO-терминала")
    found = payment(bank, body)
    if found.status not in payer.PAYABLE:
        raise Refusal("4", "Неверный статус платежа")
    try:
        if yes(body.get("IsDeadlineExpired")):
            payer.end(bank, found, payer.DEADLINE)
        elif yes(body.get("IsRejected")):
            payer.refuse(bank, found)
        else:
            payer.pay(bank, found)
    except Mistake as error:
        raise Refusal("4", "Неверный статус платежа", str(error)) from None
    return {}


def _bound_as_well(bank: Bank, found: Payment, code: tuple[str, str]) -> str | None:
    """Return the key of the binding that the payer of this code agrees to, if one was asked for."""
    extra = found.asked.get("DATA")
    wanted = isinstance(extra, dict) and yes(extra.get("QR"))
    if found.asked.get("Recurrent") != "Y" or not wanted:
        return None
    description = text(found.asked, "Description", DESCRIPTION_MAX)
    return bindings.begin(bank, description, found.expires_at, code).request_key


def _url(body: Body) -> None:
    url = body.get("NotificationURL")
    try:
        if url is not None:
            require_loopback(str(url))
    except ValueError as error:
        raise Refusal("308", BAD, f"NotificationURL: {error}") from None
