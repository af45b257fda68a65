"""Codes and their payments: shown, drawn, canceled."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import segno
from aiohttp import web

from simulators.banks.bank import Bank, bank_of
from simulators.raiffeisen import model
from simulators.raiffeisen.api import authorized, plain, read, reply, text
from simulators.raiffeisen.model import Payment, Qr
from simulators.raiffeisen.payer import STATIC
from simulators.raiffeisen.registration import registered
from simulators.raiffeisen.words import Refusal, moment, number
from simulators.settings import require_loopback

FOREVER = "2099-01-01T00:00:00+03:00"


async def set_callback(request: web.Request) -> web.Response:
    """`POST /settings/v1/callback {"callbackUrl"}`: echoed; the key used here will sign."""
    authorized(request)
    said = text(await read(request), "callbackUrl", 512, needed=True) or ""
    try:
        url = require_loopback(said)
    except ValueError as error:
        raise Refusal("ERROR.INVALID_REQUEST", str(error)) from None
    bank_of(request).callback_url = url
    return reply({"callbackUrl": url})


async def show(request: web.Request) -> web.Response:
    """`GET /sbp/v2/qrs/{id}`."""
    bank, code = bank_of(request), _mine(request)
    status = code.now(bank.clock.now())
    if code.type == STATIC and status == "NEW" and bank.knobs["static_says_paid"]:
        status = "PAID" if model.payments(bank.store, "qr_id", code.id) else status
    shown = {"qrStatus": status, **registered(bank, code)}
    if code.expires_at is not None:
        shown["qrExpirationDate"] = moment(code.expires_at, 0)
    return reply(shown)


async def info(request: web.Request) -> web.Response:
    """`GET /sbp/v1/qr/{id}/info`, as it was before 2022."""
    code = _mine(request)
    return reply({"code": "SUCCESS", **registered(bank_of(request), code)})


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


def _mine(request: web.Request) -> Qr:
    merchant = authorized(request)
    code = model.qr(bank_of(request).store, request.match_info["id"])
    if code is None or code.merchant != merchant:
        raise Refusal("ERROR.NOT_FOUND", "QR-код не найден", 404)
    return code


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
    if code.asked.get("extra"):
        shown["extra"] = code.asked["extra"]
    if code.asked.get("paymentDetails"):
        shown["paymentPurpose"] = code.asked["paymentDetails"]
    if paid is not None:
        shown["paymentStatus"] = paid.status
    if paid is not None and paid.status == "SUCCESS":
        shown["transactionId"] = paid.transaction_id
        shown["transactionDate"] = moment(paid.paid_at, bank.knobs["fraction"])
    return shown
