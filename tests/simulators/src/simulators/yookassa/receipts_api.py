"""`/receipts`: create, read, list. YooKassa API v3, "Receipts"."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from simulators.record import load
from simulators.yookassa import fiscal, payment, receipt, receipt_form, refund
from simulators.yookassa.api import SHOP, answer_once, provider_of, read_body
from simulators.yookassa.errors import bad, not_found
from simulators.yookassa.lists import listing
from simulators.yookassa.receipt import Receipt
from simulators.yookassa.wire import receipt_object

MOST = 50
"""Receipts that one payment or refund may have."""


async def create(request: web.Request) -> web.Response:
    """`POST /receipts`: a receipt apart from its payment, an offset of an advance for instance."""
    body = await read_body(request)
    provider, shop = provider_of(request), request[SHOP]

    def operation() -> dict[str, Any]:
        payment_id, refund_id = _subject(request, body)
        if body.get("send") is not True:
            raise bad("send", "Invalid request parameter")
        receipt_form.customer(body)
        receipt_form.items(body.get("items"), shop.currency)
        receipt_form.settlements(body.get("settlements"), shop.currency)
        made = fiscal.enqueue(provider, shop.id, body, payment_id=payment_id, refund_id=refund_id)
        return receipt_object(made)

    def current(receipt_id: str) -> dict[str, Any] | None:
        found = receipt.find(provider.store, receipt_id, shop.id)
        return None if found is None else receipt_object(found)

    return answer_once(request, body, operation, current)


async def read(request: web.Request) -> web.Response:
    """`GET /receipts/{id}`."""
    found = receipt.find(provider_of(request).store, request.match_info["id"], request[SHOP].id)
    if found is None:
        raise not_found("Receipt", "receipt_id")
    return web.json_response(receipt_object(found))


async def list_(request: web.Request) -> web.Response:
    """`GET /receipts`."""
    if {"payment_id", "refund_id"} <= set(request.query):
        raise bad("refund_id", "Request should contain only one of: payment_id, refund_id")
    wanted = listing(
        "receipt",
        request[SHOP].id,
        request.query,
        moments=("created_at",),
        equals={"status": "status", "payment_id": "payment_id", "refund_id": "refund_id"},
    )
    rows, cursor = wanted.page(provider_of(request).store)
    body: dict[str, Any] = {
        "type": "list",
        "items": [receipt_object(load(Receipt, row)) for row in rows],
    }
    return web.json_response(body | ({"next_cursor": cursor} if cursor else {}))


def _subject(request: web.Request, body: dict[str, Any]) -> tuple[str | None, str | None]:
    kind = body.get("type")
    if kind not in ("payment", "refund"):
        raise bad("type", "Invalid request parameter")
    parameter = f"{kind}_id"
    object_id, store = body.get(parameter), provider_of(request).store
    find = payment.find if kind == "payment" else refund.find
    found = find(store, object_id, request[SHOP].id) if isinstance(object_id, str) else None
    if found is None:
        raise bad(parameter, f"{kind.capitalize()} not found or forbidden")
    subject = (found.id, None) if kind == "payment" else (None, found.id)
    if receipt.count(store, payment_id=subject[0], refund_id=subject[1]) >= MOST:
        raise bad(parameter, f"At most {MOST} receipts")
    return subject
