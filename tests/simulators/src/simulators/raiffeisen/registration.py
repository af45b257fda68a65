"""Codes and bindings as a merchant registers them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aiohttp import web

from simulators.banks import nspk
from simulators.banks.bank import Bank, bank_of
from simulators.raiffeisen import model
from simulators.raiffeisen.api import authorized, order_number, plain, read, reply, term, text
from simulators.raiffeisen.model import Qr, Subscription
from simulators.raiffeisen.payer import DYNAMIC, STATIC, VARIABLE
from simulators.raiffeisen.words import Refusal, kopecks, moment

THREE_DAYS = 3 * 86_400_000
PREFIXES = {DYNAMIC: "AD10", STATIC: "AS10", VARIABLE: "AS1R"}
LIMITS = {"additionalInfo": 140, "paymentDetails": 185, "qrDescription": 32, "redirectUrl": 2048}


async def register_old(request: web.Request) -> web.Response:
    """`POST /sbp/v1/qr/register`."""
    made = await _registration(request)
    return reply({"code": "SUCCESS", **registered(bank_of(request), made)})


async def register(request: web.Request) -> web.Response:
    """`POST /sbp/v2/qrs`."""
    bank, made = bank_of(request), await _registration(request)
    shown = {"qrStatus": made.status, **registered(bank, made)}
    if made.expires_at is not None:
        shown["qrExpirationDate"] = moment(made.expires_at, 0)
    return reply(shown)


async def _registration(request: web.Request) -> Qr:
    """Whether the bank asks for a key here today is not documented."""
    bank = bank_of(request)
    if bank.knobs["registration_needs_key"]:
        authorized(request)
    return _register(bank, await read(request))


def _register(bank: Bank, body: dict[str, Any]) -> Qr:
    kind = body.get("qrType")
    if kind not in PREFIXES:
        raise Refusal("ERROR.INVALID_REQUEST", "Неверный qrType")
    merchant = _merchant(bank, body)
    for name, most in LIMITS.items():
        text(body, name, most)
    if not isinstance(body.get("extra", {}), dict):
        raise Refusal("ERROR.INVALID_REQUEST", "Поле extra: объект")
    # A variable code is empty until the desk binds an order to it.
    order_id = None if kind == VARIABLE else _order_id(bank, body)
    amount = None if kind == VARIABLE else _amount(body)
    made = _new(bank, kind, merchant, order_id, amount, body)
    with bank.store.transaction():
        if isinstance(body.get("subscription"), dict) and kind == DYNAMIC:
            made = replace(made, subscription_id=subscribe(bank, body["subscription"]).id)
        model.keep(bank.store, made)
    return made


def _merchant(bank: Bank, body: dict[str, Any]) -> str:
    merchant = text(body, "sbpMerchantId", 12)
    if merchant is None:
        raise Refusal("ERROR.SBP_MERCHANT_ID_IS_MISSING", "Не указан sbpMerchantId")
    if merchant != bank.knobs["merchant"]:
        raise Refusal("ERROR.MERCHANT_NOT_REGISTERED", "Партнёр не найден")
    if body.get("account") is not None:
        raise Refusal("ERROR.ACCOUNT_IS_NOT_REGISTERED", "Счёт не принадлежит партнёру")
    return merchant


def _amount(body: dict[str, Any]) -> int | None:
    said = body.get("amount")
    if said is None and body["qrType"] == DYNAMIC:
        raise Refusal("ERROR.DYNAMIC_QR_WITHOUT_AMOUNT", "Для динамического QR нужна сумма")
    if said is not None and body.get("currency") != "RUB":
        raise Refusal("ERROR.INVALID_REQUEST", "Неверная валюта")
    return None if said is None else kopecks(said)


def _new(
    bank: Bank,
    kind: str,
    merchant: str,
    order_id: str | None,
    amount: int | None,
    body: dict[str, Any],
) -> Qr:
    now = bank.clock.now()
    expires = term(body, "qrExpirationDate", now)
    qr_id = nspk.new_id(bank.dice, PREFIXES[kind])
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
        expires_at=expires or (now + THREE_DAYS if kind == DYNAMIC else None),
        asked=plain(body),
    )


def _order_id(bank: Bank, body: dict[str, Any]) -> str:
    found = order_number(body.get("order"))
    paid = model.payments(bank.store, "order_id", found)
    if body["qrType"] == DYNAMIC and any(one.status == "SUCCESS" for one in paid):
        raise Refusal("ERROR.ORDER_NUMBER_ALREADY_REGISTERED", "Заказ уже оплачен")
    return found


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


def registered(bank: Bank, code: Qr) -> dict[str, Any]:
    """Return what a registration answers of a code."""
    shown = {
        "qrId": code.id,
        "payload": code.payload,
        "qrUrl": bank.address(f"api/sbp/v1/qr/{code.id}/image"),
    }
    return shown | ({"subscriptionId": code.subscription_id} if code.subscription_id else {})
