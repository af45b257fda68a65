"""Refunds, orders of the desk, bindings and charges."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from aiohttp import web

from simulators.banks import nspk
from simulators.banks.bank import Bank, bank_of
from simulators.raiffeisen import codes_api, model, payer
from simulators.raiffeisen.api import authorized, plain, read, reply, text
from simulators.raiffeisen.model import Order, Payment, Qr, Refund
from simulators.raiffeisen.words import ORDER, Refusal, kopecks, moment, number

REFUND_SECONDS = 2
BANKS = [{"bankAlias": payer.PAYER_BANK, "name": "Сбербанк"}]


async def refund(request: web.Request) -> web.Response:
    """`POST /sbp/v1/refund`: the transaction counts where one is named, else the order."""
    merchant, body = authorized(request), await read(request)
    refund_id = text(body, "refundId", 40, needed=True) or ""
    text(body, "paymentDetails", 140)
    paid = _paid(bank_of(request), body.get("transactionId"), body.get("order"))
    made = _send_back(bank_of(request), merchant, refund_id, paid, kopecks(body.get("amount")))
    shown = {"amount": number(made.amount_kopecks), "refundStatus": made.status}
    return reply({"code": "SUCCESS", **shown})


async def show_refund(request: web.Request) -> web.Response:
    """`GET /sbp/v1/refund/{id}`."""
    merchant = authorized(request)
    found = model.refund(bank_of(request).store, merchant, request.match_info["id"])
    if found is None:
        raise Refusal("ERROR.REFUND_NOT_FOUND", "Возврат не найден", 404)
    shown = {"amount": number(found.amount_kopecks), "refundStatus": found.status}
    return reply({"code": "SUCCESS", **shown})


async def refund_order(request: web.Request) -> web.Response:
    """`POST /payments/v1|v2/orders/{order}/refunds/{id}`."""
    merchant, body = authorized(request), await read(request)
    paid = _paid(bank_of(request), None, request.match_info["order"])
    refund_id = request.match_info["id"]
    made = _send_back(bank_of(request), merchant, refund_id, paid, kopecks(body.get("amount")))
    return reply(_refund_view(made))


async def show_order_refund(request: web.Request) -> web.Response:
    """`GET /payments/v1|v2/orders/{order}/refunds/{id}`."""
    merchant = authorized(request)
    found = model.refund(bank_of(request).store, merchant, request.match_info["id"])
    if found is None:
        raise Refusal("ERROR.REFUND_NOT_FOUND", "Возврат не найден", 404)
    return reply(_refund_view(found))


async def banks(request: web.Request) -> web.Response:
    """`GET /payments/v2/banks`: who can receive a refund."""
    authorized(request)
    return reply(BANKS)


async def order(request: web.Request) -> web.Response:
    """`POST /payment/v1/orders`: make a variable code payable."""
    merchant, body, bank = authorized(request), await read(request), bank_of(request)
    order_id = body.get("id") or f"{bank.dice.getrandbits(64):016x}"
    if not isinstance(order_id, str) or not ORDER.fullmatch(order_id):
        raise Refusal("ERROR.INVALID_ORDER", "Недопустимые символы в номере заказа")
    amount, now = kopecks(body.get("amount")), bank.clock.now()
    said = body.get("expirationDate")
    expires = int(datetime.fromisoformat(str(said)).timestamp() * 1_000) if said else None
    wanted = body.get("qr")
    qr_id = wanted.get("id") if isinstance(wanted, dict) else None
    made = Order(order_id, merchant, amount, "NEW", now, expires, qr_id, plain(body))
    with bank.store.transaction():
        if qr_id is not None:
            _bind(bank, str(qr_id), made)
        model.keep(bank.store, made)
    return reply(_order_view(made))


async def show_order(request: web.Request) -> web.Response:
    """`GET /payment/v1/orders/{id}`."""
    return reply(_order_view(_order(request)))


async def cancel_order(request: web.Request) -> web.Response:
    """`DELETE /payment/v1/orders/{id}`."""
    bank, found = bank_of(request), _order(request)
    if found.status != "NEW":
        raise Refusal("ORDER_HAS_FINAL_STATUS", f"Заказ уже в статусе {found.status}")
    with bank.store.transaction():
        now = bank.clock.now()
        model.keep(bank.store, replace(found, status="CANCELLED", changed_at=now))
        code = model.qr(bank.store, found.qr_id or "")
        if code is not None:
            empty = replace(code, status="INACTIVE", order_id=None, amount_kopecks=None)
            model.keep(bank.store, empty)
    return web.Response()


async def subscription(request: web.Request) -> web.Response:
    """`POST /sbp/v1/subscriptions`."""
    bank, body = bank_of(request), await read(request)
    if body.get("sbpMerchantId") != bank.knobs["merchant"]:
        raise Refusal("ERROR.MERCHANT_NOT_REGISTERED", "Партнёр не найден")
    with bank.store.transaction():
        made = codes_api.subscribe(bank, body)
    return reply(payer.subscription_view(bank, made))


async def show_subscription(request: web.Request) -> web.Response:
    """`GET /sbp/v1/subscriptions/{id}`."""
    authorized(request)
    bank = bank_of(request)
    found = model.subscription(bank.store, "id", request.match_info["id"])
    if found is None:
        raise Refusal("ERROR.NOT_FOUND", "Подписка не найдена", 404)
    return reply(payer.subscription_view(bank, found))


async def charge(request: web.Request) -> web.Response:
    """`POST /sbp/v1/subscriptions/{id}/orders`: each charge has a code of its own.

    What a repeated order does is not documented: here it is refused.
    """
    merchant, body, bank = authorized(request), await read(request), bank_of(request)
    found = model.subscription(bank.store, "id", request.match_info["id"])
    if found is None or found.status != "SUBSCRIBED":
        raise Refusal("ERROR.NOT_FOUND", "Подписка не найдена или не активна", 404)
    order_id = body.get("order")
    if not isinstance(order_id, str) or not ORDER.fullmatch(order_id):
        raise Refusal("ERROR.INVALID_ORDER", "Недопустимые символы в номере заказа")
    if model.payments(bank.store, "order_id", order_id):
        raise Refusal("ERROR.ORDER_NUMBER_ALREADY_REGISTERED", "Заказ уже есть")
    amount, now = kopecks(body.get("amount")), bank.clock.now()
    qr_id = nspk.new_id(bank.dice, "AD10")
    asked, kind = plain(body), payer.DYNAMIC
    address = nspk.payload(qr_id, nspk.ONCE, amount)
    code = Qr(
        qr_id,
        merchant,
        kind,
        order_id,
        amount,
        "PAID",
        address,
        now,
        None,
        asked,
        found.id,
    )
    outcome = bank.outcome("charge", "SUCCESS")
    with bank.store.transaction():
        model.keep(bank.store, code)
        paid = payer.book(bank, code, amount, outcome, subscription_id=found.id)
    return reply(_charge_view(paid))


async def show_charge(request: web.Request) -> web.Response:
    """`GET /sbp/v1/subscriptions/{id}/orders/{order}`."""
    authorized(request)
    found = model.payments(bank_of(request).store, "order_id", request.match_info["order"])
    mine = [one for one in found if one.subscription_id == request.match_info["id"]]
    if not mine:
        raise Refusal("ERROR.NOT_FOUND", "Заказ не найден", 404)
    return reply(_charge_view(mine[0]))


def _send_back(bank: Bank, merchant: str, refund_id: str, paid: Payment, amount: int) -> Refund:
    before = model.refund(bank.store, merchant, refund_id)
    if before is not None:
        # What a repeat does is not documented; the state of the first one is the kinder guess.
        return before
    if amount > paid.amount_kopecks - model.returned(bank.store, paid.transaction_id):
        raise Refusal("ERROR.REFUND_INSUFFICIENT_FUNDS", "Сумма больше остатка платежа")
    now = bank.clock.now()
    becomes = bank.outcome("refund", "COMPLETED")
    made = Refund(
        id=refund_id,
        merchant=merchant,
        order_id=paid.order_id,
        transaction_id=paid.transaction_id,
        qr_id=paid.qr_id,
        amount_kopecks=amount,
        status="IN_PROGRESS",
        created_at=now,
        done_at=now + bank.scaled(REFUND_SECONDS),
        becomes="COMPLETED" if becomes == "COMPLETED" else "DECLINED",
        reason="" if becomes == "COMPLETED" else str(becomes),
    )
    model.keep(bank.store, made)
    return made


def _paid(bank: Bank, transaction: Any, order_id: Any) -> Payment:
    """Return the payment to be refunded: the transaction wins over the order."""
    column, value = ("transaction_id", transaction) if transaction else ("order_id", order_id)
    found = model.payments(bank.store, column, value or "")
    done = [one for one in found if one.status == "SUCCESS"]
    if not done:
        raise Refusal("ERROR.NOT_FOUND", "Платёж не найден", 404)
    if transaction is None and done[0].type == payer.STATIC:
        raise Refusal("ERROR.INVALID_REQUEST", "Для статического QR нужен transactionId")
    return done[0]


def _bind(bank: Bank, qr_id: str, made: Order) -> None:
    code = model.qr(bank.store, qr_id)
    if code is None or code.type != payer.VARIABLE:
        raise Refusal("ERROR.NOT_FOUND", "QR-код не найден", 404)
    if code.status != "INACTIVE":
        raise Refusal("ERROR.WRONG_QR_STATUS", "К QR-коду уже привязан заказ", 409)
    model.keep(
        bank.store,
        replace(code, status="NEW", order_id=made.id, amount_kopecks=made.amount_kopecks),
    )


def _order(request: web.Request) -> Order:
    authorized(request)
    found = model.order(bank_of(request).store, request.match_info["id"])
    if found is None:
        raise Refusal("ORDER_NOT_FOUND", "Заказ не найден", 404)
    return found


def _order_view(found: Order) -> dict[str, Any]:
    status = {"value": found.status, "date": moment(found.changed_at)}
    return {**found.asked, "id": found.id, "amount": number(found.amount_kopecks), "status": status}


def _refund_view(found: Refund) -> dict[str, Any]:
    status: dict[str, Any] = {"value": found.status, "date": moment(found.created_at)}
    if found.status == "DECLINED":
        status["declineReason"] = found.reason
    return {"amount": number(found.amount_kopecks), "status": status}


def _charge_view(paid: Payment) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "code": "SUCCESS",
        "qrId": paid.qr_id,
        "order": paid.order_id,
        "amount": number(paid.amount_kopecks),
        "currency": "RUB",
        "paymentStatus": paid.status,
    }
    if paid.status == "SUCCESS":
        shown["transactionId"] = paid.transaction_id
        shown["transactionDate"] = moment(paid.paid_at)
    return shown
