"""`/payment_methods`: binding a card without a payment; `/me`: the shop's settings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aiohttp import web

from simulators.clock import HOUR
from simulators.yookassa import checks, ids, method
from simulators.yookassa.api import SHOP, answer_once, provider_of, read_body
from simulators.yookassa.errors import ApiError, bad, not_found
from simulators.yookassa.method import Method
from simulators.yookassa.wire import method_object

LINK_TERM = HOUR
BINDABLE = ("bank_card", "sbp")


async def create(request: web.Request) -> web.Response:
    """`POST /payment_methods`: a binding of zero kopecks; the payer confirms it on a page."""
    body = await read_body(request)
    provider, shop = provider_of(request), request[SHOP]

    def operation() -> dict[str, Any]:
        kind = body.get("type")
        if kind not in BINDABLE or kind not in shop.methods:
            raise bad("type", "Illegal payment method type")
        if not shop.recurring:
            raise ApiError("forbidden", "Forbidden to save payment method", "type")
        if "card" in body:
            raise ApiError("forbidden", "Forbidden to send raw bank card data", "card")
        wanted = checks.confirmation(body, None)
        now = provider.clock.now()
        new = Method(
            id=ids.payment_id(now),
            shop_id=shop.id,
            gateway_id=shop.gateway_id,
            type=kind,
            status="pending",
            saved=False,
            created_at=now,
            confirm_by=now + LINK_TERM,
        )
        url = provider.page(f"checkout/methods/{new.id}")
        link = {"type": "redirect", "return_url": wanted["return_url"], "confirmation_url": url}
        waiting = replace(new, confirmation=link)
        method.save(provider.store, waiting)
        return method_object(waiting)

    def current(method_id: str) -> dict[str, Any] | None:
        found = method.find(provider.store, method_id, shop.id)
        return None if found is None else method_object(found)

    return answer_once(request, body, operation, current)


async def read(request: web.Request) -> web.Response:
    """`GET /payment_methods/{id}`; a method saved by a payment is found here, too."""
    found = method.find(provider_of(request).store, request.match_info["id"], request[SHOP].id)
    if found is None:
        raise not_found("Payment method", "payment_method_id")
    return web.json_response(method_object(found))


async def me(request: web.Request) -> web.Response:
    """`GET /me`."""
    shop = request[SHOP]
    fiscalization: dict[str, Any] = {"enabled": shop.fiscalization is not None}
    if shop.fiscalization:
        fiscalization["provider"] = shop.fiscalization
    return web.json_response(
        {
            "account_id": shop.id,
            "status": "enabled",
            "test": shop.test,
            "fiscalization": fiscalization,
            "payment_methods": list(shop.methods),
            "itn": "7700000000",
        }
    )
