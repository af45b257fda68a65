"""Refunds by the older part of the API and by the newer one, which chooses the receiving bank."""

from __future__ import annotations

import re
from typing import Any

from aiohttp import web

from simulators.banks.bank import Bank, bank_of
from simulators.raiffeisen import model, payer
from simulators.raiffeisen.api import authorized, order_number, read, reply, text
from simulators.raiffeisen.model import Payment, Refund
from simulators.raiffeisen.words import Refusal, kopecks, moment, number

TRANSACTION = re.compile(r"[0-9]{1,18}", re.ASCII)
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
    if found is None or found.order_id != request.match_info["order"]:
        raise Refusal("ERROR.REFUND_NOT_FOUND", "Возврат не найден", 404)
    return reply(_refund_view(found))


async def banks(request: web.Request) -> web.Response:
    """`GET /payments/v2/banks`: who can receive a refund."""
    authorized(request)
    return reply(BANKS)


def _send_back(bank: Bank, merchant: str, refund_id: str, paid: Payment, amount: int) -> Refund:
    before = model.refund(bank.store, merchant, refund_id)
    if before is not None and bank.knobs["refund_repeats"] == "shown":
        # What a repeat does is not documented; the state of the first one is the kinder guess.
        return before
    if before is not None:
        raise Refusal("ERROR.INVALID_REQUEST", "Возврат с таким номером уже есть")
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
        done_at=now + bank.scaled(bank.knobs["refund_seconds"]),
        becomes="COMPLETED" if becomes == "COMPLETED" else "DECLINED",
        reason="" if becomes == "COMPLETED" else str(becomes),
    )
    model.keep(bank.store, made)
    return made


def _paid(bank: Bank, transaction: Any, order_id: Any) -> Payment:
    """Return the payment to be refunded: the transaction wins over the order."""
    if transaction is not None:
        if not TRANSACTION.fullmatch(str(transaction)):
            raise Refusal("ERROR.INVALID_REQUEST", "Поле transactionId: целое число")
        found = model.payments(bank.store, "transaction_id", int(transaction))
    else:
        found = model.payments(bank.store, "order_id", order_number(order_id))
    done = [one for one in found if one.status == "SUCCESS"]
    if not done:
        raise Refusal("ERROR.NOT_FOUND", "Платёж не найден", 404)
    if transaction is None and done[0].type == payer.STATIC:
        raise Refusal("ERROR.INVALID_REQUEST", "Для статического QR нужен transactionId")
    return done[0]


def _refund_view(found: Refund) -> dict[str, Any]:
    status: dict[str, Any] = {"value": found.status, "date": moment(found.created_at)}
    if found.status == "DECLINED":
        status["declineReason"] = found.reason
    return {"amount": number(found.amount_kopecks), "status": status}
