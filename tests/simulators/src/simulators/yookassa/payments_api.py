"""`/payments`: create, read, list, capture, cancel. YooKassa API v3, "Payments"."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

from aiohttp import web

from simulators.record import load
from simulators.settings import Shop
from simulators.yookassa import charges, checks, ids, lifecycle, payment, receipt_form
from simulators.yookassa.api import SHOP, answer_once, provider_of, read_body
from simulators.yookassa.errors import ApiError, bad, not_found
from simulators.yookassa.lists import listing
from simulators.yookassa.payment import Payment
from simulators.yookassa.provider import Provider
from simulators.yookassa.trouble import SHOW_STALE
from simulators.yookassa.wire import before_payment, payment_object

SOURCES = ("payment_method_data", "payment_method_id", "payment_token")


async def create(request: web.Request) -> web.Response:
    """`POST /payments`."""
    body = await read_body(request)
    provider, shop = provider_of(request), request[SHOP]

    def operation() -> dict[str, Any]:
        if body.get("payment_method_id") is not None:
            return payment_object(charges.charge(provider, shop, _new(provider, shop, body), body))
        return payment_object(lifecycle.begin(provider, _interactive(provider, shop, body)))

    return answer_once(request, body, operation, functools.partial(_current, provider))


async def read(request: web.Request) -> web.Response:
    """`GET /payments/{id}`."""
    found = _own(request)
    if request.get(SHOW_STALE):
        found = before_payment(found)
    return web.json_response(payment_object(found))


async def list_(request: web.Request) -> web.Response:
    """`GET /payments`."""
    wanted = listing(
        "payment",
        request[SHOP].id,
        request.query,
        moments=("created_at", "captured_at"),
        equals={"status": "status", "payment_method": "method_type"},
    )
    rows, cursor = wanted.page(provider_of(request).store)
    body: dict[str, Any] = {
        "type": "list",
        "items": [payment_object(load(Payment, row)) for row in rows],
    }
    return web.json_response(body | ({"next_cursor": cursor} if cursor else {}))


async def capture(request: web.Request) -> web.Response:
    """`POST /payments/{id}/capture`: all of it with an empty body, or a part."""
    body = await read_body(request)
    provider = provider_of(request)

    def operation() -> dict[str, Any]:
        held = _held(request, "captured", "capture")
        part = None
        if "amount" in body:
            part = checks.amount(body, provider.shops[held.shop_id])
            if part > held.amount_kopecks:
                raise bad("amount", "Illegal amount for capture")
        receipt = receipt_form.receipt(body, held.currency, part or held.amount_kopecks)
        kept = replace(held, receipt=receipt or held.receipt)
        return payment_object(lifecycle.capture(provider, kept, part))

    return answer_once(request, body, operation, functools.partial(_current, provider))


async def cancel(request: web.Request) -> web.Response:
    """`POST /payments/{id}/cancel`: only what is held."""
    body = await read_body(request)
    provider = provider_of(request)

    def operation() -> dict[str, Any]:
        held = _held(request, "canceled", "cancel")
        return payment_object(lifecycle.cancel(provider, held, lifecycle.CANCELED_BY_MERCHANT))

    return answer_once(request, body, operation, functools.partial(_current, provider))


def _new(provider: Provider, shop: Shop, body: dict[str, Any]) -> Payment:
    given = [name for name in SOURCES if body.get(name) is not None]
    if len(given) > 1:
        raise bad(given[1], f"Request should contain only one of: {', '.join(SOURCES)}")
    if "payment_token" in given:
        raise bad("payment_token", "Payment token is not found")
    data = body.get("payment_method_data")
    if isinstance(data, dict) and "card" in data:
        raise ApiError("forbidden", "Forbidden to send raw bank card data", "payment_method_data")
    kind = checks.method_type(body, shop)
    kopecks = checks.amount(body, shop, checks.limit(kind, shop))
    receipt = receipt_form.receipt(body, shop.currency, kopecks)
    if receipt is None and shop.receipt_required:
        raise bad("receipt", "Receipt is missing or illegal")
    now = provider.clock.now()
    return Payment(
        id=ids.payment_id(now),
        shop_id=shop.id,
        account_id=shop.id,
        gateway_id=shop.gateway_id,
        status="pending",
        amount_kopecks=kopecks,
        currency=shop.currency,
        test=shop.test,
        capture=bool(checks.flag(body, "capture")),
        created_at=now,
        description=checks.text(body, "description", checks.DESCRIPTION),
        metadata=checks.metadata(body),
        merchant_customer_id=checks.text(body, "merchant_customer_id", checks.CUSTOMER_ID),
        method_type=kind,
        save_method=bool(checks.flag(body, "save_payment_method")),
        receipt=receipt,
    )


def _interactive(provider: Provider, shop: Shop, body: dict[str, Any]) -> Payment:
    new = _new(provider, shop, body)
    if new.save_method and not shop.recurring:
        raise ApiError("forbidden", "Forbidden to save payment method", "save_payment_method")
    if new.method_type == "sbp" and not new.capture:
        raise bad("capture", "Payment method does not support two-stage payments")
    wanted = checks.confirmation(body, new.method_type)
    return replace(
        new,
        confirmation=charges.confirmation(provider, new.id, wanted),
        confirm_by=new.created_at + lifecycle.CONFIRM_TERM,
    )


def _held(request: web.Request, done: str, verb: str) -> Payment:
    found = _own(request)
    if found.status != "waiting_for_capture":
        if found.capture:
            raise bad("payment_id", f"You can not {verb} payment with autocapture")
        raise bad("payment_id", f"Payment can not be {done} in current status")
    return found


def _own(request: web.Request) -> Payment:
    payment_id = request.match_info["id"]
    found = payment.find(provider_of(request).store, payment_id, request[SHOP].id)
    if found is None:
        raise not_found("Payment", "payment_id")
    return found


def _current(provider: Provider, payment_id: str) -> dict[str, Any] | None:
    found = payment.find(provider.store, payment_id)
    return None if found is None else payment_object(found)
