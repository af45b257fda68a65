"""Codes and their payments: registered, shown, canceled, paid by the emulator."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import datetime
from typing import Any

import segno
from aiohttp import web

from simulators.banks import nspk
from simulators.banks.bank import Bank, bank_of
from simulators.raiffeisen import model, payer
from simulators.raiffeisen.api import authorized, plain, read, reply, text
from simulators.raiffeisen.model import Payment, Qr, Subscription
from simulators.raiffeisen.payer import DYNAMIC, STATIC, VARIABLE
from simulators.raiffeisen.words import ORDER, Refusal, kopecks, moment, number
from simulators.settings import require_loopback

THREE_DAYS = 3 * 86_400_000
FOREVER = "2099-01-01T00:00:00+03:00"


async def set_callback(request: web.Request) -> web.Response:
    """`POST /settings/v1/callback {"callbackUrl"}`: echoed; the key used here will sign."""
    authorized(request)
    url = require_loopback(text(await read(request), "callbackUrl", 512, needed=True) or "")
    bank_of(request).callback_url = url
    return reply({"callbackUrl": url})


async def register_old(request: web.Request) -> web.Response:
    """`POST /sbp/v1/qr/register`."""
    made = _register(bank_of(request), await read(request))
    return reply({"code": "SUCCESS", **_registered(bank_of(request), made)})


async def register(request: web.Request) -> web.Response:
    """`POST /sbp/v2/qrs`."""
    bank = bank_of(request)
    made = _register(bank, await read(request))
    shown = {"qrStatus": made.status, **_registered(bank, made)}
    if made.expires_at is not None:
        shown["qrExpirationDate"] = moment(made.expires_at, 0)
    return reply(shown)


async def show(request: web.Request) -> web.Response:
    """`GET /sbp/v2/qrs/{id}`."""
    bank, code = bank_of(request), _mine(request)
    shown = {"qrStatus": code.now(bank.clock.now()), **_registered(bank, code)}
    if code.expires_at is not None:
        shown["qrExpirationDate"] = moment(code.expires_at, 0)
    return reply(shown)


async def info(request: web.Request) -> web.Response:
    """`GET /sbp/v1/qr/{id}/info`, as it was before 2022."""
    code = _mine(request)
    return reply({"code": "SUCCESS", **_registered(bank_of(request), code)})


async def cancel(request: web.Request) -> web.Response:
    """`DELETE /sbp/v2/qrs/{id}`: 200 without a body, only before the payment."""
    bank, code = bank_of(request), _mine(request)
    if code.now(bank.clock.now()) not in ("NEW", "INACTIVE"):
        raise Refusal("ERROR.WRONG_QR_STATUS", "Статус QR-кода не допускает отмену")
    model.keep(bank.store, replace(code, status="CANCELLED"))
    return web.Response()


async def image(request: web.Request) -> web.Response:
    """`GET /sbp/v1/qr/{id}/image`; which kind of image the bank sends is not documented."""
    code = model.qr(bank_of(request).store, request.match_info["id"])
    if code is None:
        raise Refusal("ERROR.NOT_FOUND", "QR-код не найден", 404)
    drawn = io.BytesIO()
    segno.make_qr(code.payload, error="m").save(drawn, kind="png", scale=8)
    return web.Response(body=drawn.getvalue(), content_type="image/png")


async def draft(request: web.Request) -> web.Response:
    """`POST /sbp/v1/qr-drafts/{id}`: data for a plate that was printed beforehand."""
    bank, code = bank_of(request), _mine(request)
    asked = {**code.asked, **plain(await read(request))}
    model.keep(bank.store, replace(code, asked=asked))
    return reply({"code": "SUCCESS"})


async def payment_info(request: web.Request) -> web.Response:
    """`GET /sbp/v1/qr/{id}/payment-info`: of a static code it knows no payment."""
    bank, code = bank_of(request), _mine(request)
    found = model.payments(bank.store, "qr_id", code.id)
    if code.type == STATIC and not bank.knobs["static_shows_last"]:
        found = []
    return reply(_info(bank, code, found[0] if found else None))


async def mock_pay(request: web.Request) -> web.Response:
    """`POST /external-mock/v01/rfuture/payment/init {"qrId", "amount"?}`: the bank's own stand."""
    body = await read(request)
    qr_id = text(body, "qrId", 64, needed=True) or ""
    amount = None if body.get("amount") is None else kopecks(body["amount"])
    paid = payer.pay(bank_of(request), qr_id, amount)
    return reply({"code": "SUCCESS", "transactionId": paid.transaction_id})


async def mock_qr(request: web.Request) -> web.Response:
    """`GET /external-mock/v01/rfuture/qrs/{id}`."""
    bank = bank_of(request)
    code = model.qr(bank.store, request.match_info["id"])
    if code is None:
        raise Refusal("ERROR.NOT_FOUND", "QR-код не найден", 404)
    shown: dict[str, Any] = {
        "qrcType": nspk.ONCE if code.type == DYNAMIC else nspk.MANY,
        "currency": "RUB",
        "status": code.now(bank.clock.now()),
        "redirectUrl": code.asked.get("redirectUrl"),
    }
    if code.amount_kopecks is not None:
        shown["sum"] = number(code.amount_kopecks)
    return reply(shown)


def _register(bank: Bank, body: dict[str, Any]) -> Qr:
    kind = body.get("qrType")
    if kind not in (DYNAMIC, STATIC, VARIABLE):
        raise Refusal("ERROR.INVALID_REQUEST", "Неверный qrType")
    merchant = text(body, "sbpMerchantId", 12)
    if merchant is None:
        raise Refusal("ERROR.SBP_MERCHANT_ID_IS_MISSING", "Не указан sbpMerchantId")
    if merchant != bank.knobs["merchant"]:
        raise Refusal("ERROR.MERCHANT_NOT_REGISTERED", "Партнёр не найден")
    if body.get("account") is not None:
        raise Refusal("ERROR.ACCOUNT_IS_NOT_REGISTERED", "Счёт не принадлежит партнёру")
    for name, most in (("additionalInfo", 140), ("paymentDetails", 185), ("qrDescription", 32)):
        text(body, name, most)
    order_id = None if kind == VARIABLE else _order_id(bank, body)
    amount = None if body.get("amount") is None else kopecks(body["amount"])
    if kind == DYNAMIC and amount is None:
        raise Refusal("ERROR.DYNAMIC_QR_WITHOUT_AMOUNT", "Для динамического QR нужна сумма")
    made = _new(bank, kind, merchant, order_id, amount if kind != VARIABLE else None, body)
    with bank.store.transaction():
        if isinstance(body.get("subscription"), dict) and kind == DYNAMIC:
            made = replace(made, subscription_id=subscribe(bank, body["subscription"]).id)
        model.keep(bank.store, made)
    return made


def _new(
    bank: Bank,
    kind: str,
    merchant: str,
    order_id: str | None,
    amount: int | None,
    body: dict[str, Any],
) -> Qr:
    now = bank.clock.now()
    qr_id = nspk.new_id(bank.dice, "AD10" if kind == DYNAMIC else "AS10")
    code = nspk.ONCE if kind == DYNAMIC else nspk.MANY
    return Qr(
        id=qr_id,
        merchant=merchant,
        type=kind,
        order_id=order_id,
        amount_kopecks=amount,
        status="INACTIVE" if kind == VARIABLE else "NEW",
        payload=nspk.payload(qr_id, code, amount),
        created_at=now,
        expires_at=_expiry(body, now, now + THREE_DAYS if kind == DYNAMIC else None),
        asked=plain(body),
    )


def _order_id(bank: Bank, body: dict[str, Any]) -> str:
    found = body.get("order")
    if not isinstance(found, str) or not ORDER.fullmatch(found):
        raise Refusal("ERROR.INVALID_ORDER", "Недопустимые символы в номере заказа")
    if body["qrType"] == DYNAMIC and model.payments(bank.store, "order_id", found):
        raise Refusal("ERROR.ORDER_NUMBER_ALREADY_REGISTERED", "Заказ уже оплачен")
    return found


def _expiry(body: dict[str, Any], now: int, otherwise: int | None) -> int | None:
    said = body.get("qrExpirationDate")
    if said is None:
        return otherwise
    try:
        found = datetime.fromisoformat(str(said))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or found.timestamp() * 1_000 <= now:
        raise Refusal("ERROR.QR_EXPIRATION_DATE_NOT_VALID", "Неверный срок жизни QR-кода")
    return int(found.timestamp() * 1_000)


def subscribe(bank: Bank, body: dict[str, Any]) -> Subscription:
    """Make a binding that waits for its payer; inside a transaction."""
    qr_id = nspk.new_id(bank.dice, "AS10")
    wanted = text(body, "id", 64) or f"sub{bank.dice.getrandbits(64):016x}"
    if model.subscription(bank.store, "id", wanted) is not None:
        raise Refusal("ERROR.INVALID_REQUEST", "Подписка с таким id уже есть")
    text(body, "subscriptionPurpose", 185)
    made = Subscription(
        id=wanted,
        merchant=str(bank.knobs["merchant"]),
        status="INACTIVE",
        bank="",
        qr_id=qr_id,
        payload=nspk.payload(qr_id, nspk.BINDING),
        created_at=bank.clock.now(),
        asked=plain(body),
    )
    model.keep(bank.store, made)
    return made


def _mine(request: web.Request) -> Qr:
    merchant = authorized(request)
    code = model.qr(bank_of(request).store, request.match_info["id"])
    if code is None or code.merchant != merchant:
        raise Refusal("ERROR.NOT_FOUND", "QR-код не найден", 404)
    return code


def _registered(bank: Bank, code: Qr) -> dict[str, Any]:
    shown = {
        "qrId": code.id,
        "payload": code.payload,
        "qrUrl": bank.address(f"api/sbp/v1/qr/{code.id}/image"),
    }
    return shown | ({"subscriptionId": code.subscription_id} if code.subscription_id else {})


def _info(bank: Bank, code: Qr, paid: Payment | None) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "code": "SUCCESS",
        "qrId": code.id,
        "order": code.order_id,
        "amount": number(paid.amount_kopecks if paid else code.amount_kopecks or 0),
        "currency": "RUB",
        "merchantId": 9999001,
        "sbpMerchantId": code.merchant,
        "createDate": moment(code.created_at),
        "qrExpirationDate": moment(code.expires_at, 0) if code.expires_at else FOREVER,
        "paymentStatus": "DECLINED" if code.declined else "NO_INFO",
    }
    if code.asked.get("additionalInfo"):
        shown["additionalInfo"] = code.asked["additionalInfo"]
    if code.asked.get("paymentDetails"):
        shown["paymentPurpose"] = code.asked["paymentDetails"]
    if paid is not None:
        shown["paymentStatus"] = paid.status
    if paid is not None and paid.status == "SUCCESS":
        shown["transactionId"] = paid.transaction_id
        shown["transactionDate"] = moment(paid.paid_at, bank.knobs["fraction"])
    return shown
