"""Accounts bound by their payers, and the charges by them."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from simulators.banks import nspk
from simulators.banks.bank import bank_of
from simulators.raiffeisen import model, payer, registration
from simulators.raiffeisen.api import authorized, order_number, plain, read, reply
from simulators.raiffeisen.model import Payment, Qr
from simulators.raiffeisen.words import Refusal, kopecks, moment, number


async def subscription(request: web.Request) -> web.Response:
    """`POST /sbp/v1/subscriptions`."""
    bank, body = bank_of(request), await read(request)
    if body.get("sbpMerchantId") != bank.knobs["merchant"]:
        raise Refusal("ERROR.MERCHANT_NOT_REGISTERED", "Партнёр не найден")
    with bank.store.transaction():
        made = registration.subscribe(bank, body)
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

    What a repeated order does is not documented: a knob decides.
    """
    merchant, body, bank = authorized(request), await read(request), bank_of(request)
    found = model.subscription(bank.store, "id", request.match_info["id"])
    if found is None or found.status != "SUBSCRIBED":
        raise Refusal("ERROR.NOT_FOUND", "Подписка не найдена или не активна", 404)
    order_id, amount = order_number(body.get("order")), kopecks(body.get("amount"))
    if body.get("currency") != "RUB":
        raise Refusal("ERROR.INVALID_REQUEST", "Неверная валюта")
    before = model.payments(bank.store, "order_id", order_id)
    if before and bank.knobs["charge_repeats"] == "shown":
        return reply(_charge_view(before[0]))
    if before:
        raise Refusal("ERROR.ORDER_NUMBER_ALREADY_REGISTERED", "Заказ уже есть")
    qr_id = nspk.new_id(bank.dice, "AD10")
    code = Qr(
        id=qr_id,
        merchant=merchant,
        type=payer.DYNAMIC,
        order_id=order_id,
        amount_kopecks=amount,
        status="IN_PROGRESS",
        payload=nspk.payload(qr_id, nspk.ONCE, amount),
        created_at=bank.clock.now(),
        expires_at=None,
        asked=plain(body),
        subscription_id=found.id,
    )
    status, then = payer.outcome(bank, "charge")
    with bank.store.transaction():
        paid = payer.book(bank, code, amount, status, then, subscription_id=found.id)
    return reply(_charge_view(paid))


async def show_charge(request: web.Request) -> web.Response:
    """`GET /sbp/v1/subscriptions/{id}/orders/{order}`."""
    authorized(request)
    found = model.payments(bank_of(request).store, "order_id", request.match_info["order"])
    mine = [one for one in found if one.subscription_id == request.match_info["id"]]
    if not mine:
        raise Refusal("ERROR.NOT_FOUND", "Заказ не найден", 404)
    return reply(_charge_view(mine[0]))


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
