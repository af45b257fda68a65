"""`/refunds`: create, read, list. YooKassa API v3, "Refunds"."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from simulators.record import load
from simulators.yookassa import checks, payment, receipt_form, refund, refunds
from simulators.yookassa.api import SHOP, answer_once, provider_of, read_body
from simulators.yookassa.errors import bad, not_found
from simulators.yookassa.lists import listing
from simulators.yookassa.payment import Payment
from simulators.yookassa.refund import Refund
from simulators.yookassa.wire import refund_object


async def create(request: web.Request) -> web.Response:
    """`POST /refunds`."""
    body = await read_body(request)
    provider = provider_of(request)

    def operation() -> dict[str, Any]:
        paid = _payment(request, body)
        given = body.get("amount")
        if isinstance(given, dict) and given.get("currency") not in (None, paid.currency):
            raise bad("amount.currency", "Currencies do not match")
        kopecks = checks.amount(body, request[SHOP])
        receipt = receipt_form.receipt(body, paid.currency, kopecks)
        if receipt is None and paid.receipt and kopecks < paid.amount_kopecks:
            raise bad("receipt", "Receipt is missing or illegal")
        made = refunds.start(
            provider,
            paid,
            kopecks,
            description=checks.text(body, "description", checks.REFUND_DESCRIPTION),
            metadata=checks.metadata(body),
            receipt=receipt,
        )
        return refund_object(made)

    def current(refund_id: str) -> dict[str, Any] | None:
        found = refund.find(provider.store, refund_id)
        return None if found is None else refund_object(found)

    return answer_once(request, body, operation, current)


async def read(request: web.Request) -> web.Response:
    """`GET /refunds/{id}`."""
    found = refund.find(provider_of(request).store, request.match_info["id"], request[SHOP].id)
    if found is None:
        raise not_found("Refund", "refund_id")
    return web.json_response(refund_object(found))


async def list_(request: web.Request) -> web.Response:
    """`GET /refunds`."""
    wanted = listing(
        "refund",
        request[SHOP].id,
        request.query,
        moments=("created_at",),
        equals={"status": "status", "payment_id": "payment_id"},
    )
    rows, cursor = wanted.page(provider_of(request).store)
    body: dict[str, Any] = {
        "type": "list",
        "items": [refund_object(load(Refund, row)) for row in rows],
    }
    return web.json_response(body | ({"next_cursor": cursor} if cursor else {}))


def _payment(request: web.Request, body: dict[str, Any]) -> Payment:
    payment_id = body.get("payment_id")
    if not isinstance(payment_id, str):
        raise bad("payment_id", "Invalid request parameter")
    found = payment.find(provider_of(request).store, payment_id, request[SHOP].id)
    if found is None:
        raise bad("payment_id", "Payment not found or forbidden")
    return found
