"""The bank's own stand, where a merchant's developer pays instead of a payer."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from simulators.banks import nspk
from simulators.banks.bank import bank_of
from simulators.raiffeisen import model, payer
from simulators.raiffeisen.api import read, reply, text
from simulators.raiffeisen.words import Refusal, kopecks, number


async def pay(request: web.Request) -> web.Response:
    """`POST /external-mock/v01/rfuture/payment/init {"qrId", "amount"?}`: the bank's own stand."""
    body = await read(request)
    qr_id = text(body, "qrId", 64, needed=True) or ""
    amount = None if body.get("amount") is None else kopecks(body["amount"])
    paid = payer.pay(bank_of(request), qr_id, amount)
    return reply({"code": "SUCCESS", "transactionId": paid.transaction_id})


async def show(request: web.Request) -> web.Response:
    """`GET /external-mock/v01/rfuture/qrs/{id}`."""
    bank = bank_of(request)
    code = model.qr(bank.store, request.match_info["id"])
    if code is None:
        raise Refusal("ERROR.NOT_FOUND", "QR-код не найден", 404)
    shown: dict[str, Any] = {
        "qrcType": nspk.ONCE if code.type == payer.DYNAMIC else nspk.MANY,
        "currency": "RUB",
        "status": code.now(bank.clock.now()),
        "redirectUrl": code.asked.get("redirectUrl"),
    }
    if code.amount_kopecks is not None:
        shown["sum"] = number(code.amount_kopecks)
    return reply(shown)
