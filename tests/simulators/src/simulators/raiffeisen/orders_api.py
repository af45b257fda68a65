"""Orders of the desk, which make a variable code payable."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aiohttp import web

from simulators.banks.bank import Bank, bank_of
from simulators.raiffeisen import model, payer
from simulators.raiffeisen.api import authorized, order_number, plain, read, reply, term, text
from simulators.raiffeisen.model import Order
from simulators.raiffeisen.words import Refusal, kopecks, moment, number

TEXTS = ("additionalInfo", "paymentDetails")
TEXT_MAX = 140


async def order(request: web.Request) -> web.Response:
    """`POST /payment/v1/orders`: make a variable code payable."""
    merchant, body, bank = authorized(request), await read(request), bank_of(request)
    order_id = order_number(body.get("id") or f"{bank.dice.getrandbits(64):016x}")
    if model.order(bank.store, order_id) is not None:
        raise Refusal("ERROR.ORDER_NUMBER_ALREADY_REGISTERED", "Заказ с таким номером уже есть")
    amount, now = kopecks(body.get("amount")), bank.clock.now()
    expires = term(body, "expirationDate", now)
    wanted = body["qr"] if isinstance(body.get("qr"), dict) else {}
    qr_id = text(wanted, "id", 64)
    for name in TEXTS:
        text(wanted, name, TEXT_MAX)
    made = Order(order_id, merchant, amount, "NEW", now, expires, qr_id, plain(body))
    with bank.store.transaction():
        if qr_id is not None:
            _bind(bank, qr_id, made)
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
    code = model.qr(bank.store, found.qr_id or "")
    if code is not None and code.status == "IN_PROGRESS":
        raise Refusal("ERROR.WRONG_QR_STATUS", "Заказ оплачивают прямо сейчас", 409)
    with bank.store.transaction():
        now = bank.clock.now()
        model.keep(bank.store, replace(found, status="CANCELLED", changed_at=now))
        payer.unbind(bank, found.qr_id)
    return web.Response()


def _bind(bank: Bank, qr_id: str, made: Order) -> None:
    code = model.qr(bank.store, qr_id)
    if code is None or code.type != payer.VARIABLE:
        raise Refusal("ERROR.NOT_FOUND", "QR-код не найден", 404)
    if code.status != "INACTIVE":
        raise Refusal("ERROR.WRONG_QR_STATUS", "К QR-коду уже привязан заказ", 409)
    said = {name: made.asked["qr"].get(name) for name in TEXTS}
    asked = {**code.asked, **{name: word for name, word in said.items() if word is not None}}
    ready = replace(
        code, status="NEW", order_id=made.id, amount_kopecks=made.amount_kopecks, asked=asked
    )
    model.keep(bank.store, ready)


def _order(request: web.Request) -> Order:
    authorized(request)
    found = model.order(bank_of(request).store, request.match_info["id"])
    if found is None:
        raise Refusal("ORDER_NOT_FOUND", "Заказ не найден", 404)
    return found


def _order_view(found: Order) -> dict[str, Any]:
    status = {"value": found.status, "date": moment(found.changed_at)}
    return {**found.asked, "id": found.id, "amount": number(found.amount_kopecks), "status": status}
