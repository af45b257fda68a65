"""How each kind of fault befalls a call."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Handler

from simulators.yookassa import lifecycle, means, payment
from simulators.yookassa.cards import PAYING
from simulators.yookassa.courier import COURIER
from simulators.yookassa.errors import ApiError
from simulators.yookassa.faults import Fault
from simulators.yookassa.provider import PROVIDER

SHOW_STALE: web.RequestKey[bool] = web.RequestKey("yookassa-stale", bool)
"""Set on a GET that is to show a payment as it was before the payer acted."""

HTML_502 = (
    "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
)

Befall = Callable[[Fault, web.Request, Handler], Awaitable[web.StreamResponse]]


async def befall(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer the request as the fault has it."""
    return await _WAYS[fault.kind](fault, request, handler)


async def _drop_before(_: Fault, request: web.Request, __: Handler) -> web.StreamResponse:
    return _hang_up(request)


async def _drop_after(_: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    await handler(request)
    return _hang_up(request)


async def _latency_before(
    fault: Fault, request: web.Request, handler: Handler
) -> web.StreamResponse:
    await asyncio.sleep(fault.delay / 1_000)
    return await handler(request)


async def _latency_after(
    fault: Fault, request: web.Request, handler: Handler
) -> web.StreamResponse:
    response = await handler(request)
    await asyncio.sleep(fault.delay / 1_000)
    return response


async def _error_before(_: Fault, __: web.Request, ___: Handler) -> web.StreamResponse:
    raise ApiError("internal_server_error", "Internal server error")


async def _error_after(_: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    await handler(request)
    raise ApiError("internal_server_error", "Internal server error")


async def _too_many(fault: Fault, __: web.Request, ___: Handler) -> web.StreamResponse:
    raise ApiError("too_many_requests", "Too many requests", retry_after=fault.retry_after)


async def _processing(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    await handler(request)
    body = {
        "type": "processing",
        "description": "Request accepted, but not processed yet",
        "retry_after": fault.retry_after if fault.retry_after is not None else 1_800,
    }
    return web.json_response(body, status=202)


async def _bad_gateway_before(_: Fault, __: web.Request, ___: Handler) -> web.StreamResponse:
    return web.Response(status=502, text=HTML_502, content_type="text/html")


async def _bad_gateway_after(
    _: Fault, request: web.Request, handler: Handler
) -> web.StreamResponse:
    await handler(request)
    return web.Response(status=502, text=HTML_502, content_type="text/html")


async def _truncated(_: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    response = await handler(request)
    body = response.body if isinstance(response, web.Response) else b""
    half = bytes(body)[: len(body) // 2] if isinstance(body, bytes | bytearray) else b"{"
    return web.Response(body=half, content_type="application/json")


async def _unauthorized(_: Fault, __: web.Request, ___: Handler) -> web.StreamResponse:
    raise ApiError("invalid_credentials", "Basic authentication failed", "Authorization")


async def _forbidden(_: Fault, __: web.Request, ___: Handler) -> web.StreamResponse:
    raise ApiError("forbidden", "Forbidden to use saved payment method", "payment_method_id")


async def _stale(_: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    request[SHOW_STALE] = True
    return await handler(request)


async def _webhook_first(_: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    """Pay what was just created and notify it, while its creator still waits for the answer."""
    provider = request.config_dict[PROVIDER]
    response = await handler(request)
    created = json.loads(response.text or "{}") if isinstance(response, web.Response) else {}
    current = payment.find(provider.store, str(created.get("id")))
    if current is not None and current.status == "pending":
        lifecycle.pay(provider, current, means.by_card(PAYING[0]))
    await request.config_dict[COURIER].deliver_now(str(created.get("id")))
    return response


def _hang_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


_WAYS: dict[str, Befall] = {
    "drop_before": _drop_before,
    "drop_after": _drop_after,
    "latency_before": _latency_before,
    "latency_after": _latency_after,
    "error_before": _error_before,
    "error_after": _error_after,
    "too_many": _too_many,
    "processing": _processing,
    "bad_gateway_before": _bad_gateway_before,
    "bad_gateway_after": _bad_gateway_after,
    "truncated": _truncated,
    "unauthorized": _unauthorized,
    "forbidden": _forbidden,
    "stale": _stale,
    "webhook_first": _webhook_first,
}
