"""How the bank's API is entered: keys, faults, bodies, and what a refusal looks like.

Business errors of the first version come with HTTP 200 and a `code`, those of later ones with 400,
404 or 409; whether v2 does so in truth is not documented, so a knob makes it 200 there as well.
"""

from __future__ import annotations

import hmac
import json
from decimal import Decimal
from typing import Any

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from simulators.banks.bank import bank_of
from simulators.banks.courier import COURIER
from simulators.banks.faults import HEADER, asked, befall
from simulators.control import Mistake
from simulators.raiffeisen import payer
from simulators.raiffeisen.words import Refusal

BODY_BYTES_MAX = 256 * 1024


@web.middleware
async def struck(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let a fault befall the call, if one is asked for."""
    name = request.match_info.route.name
    if name is None:
        return await handler(request)
    try:
        header = request.headers.get(HEADER)
        fault = asked(header) if header else bank_of(request).faults.strike(name)
    except ValueError as error:
        return web.json_response({"error": str(error)}, status=400)
    if fault is None:
        return await handler(request)
    return await befall(fault, request, handler, _paid_first)


@web.middleware
async def spoken(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Put a refusal into the words of the part of the API that was called."""
    try:
        return await handler(request)
    except Refusal as error:
        body = {"code": error.code, "message": error.message}
        old = request.path.partition("/api")[2].startswith("/sbp/v1/")
        always = old or bank_of(request).knobs["errors_with_200"]
        return reply(body, 200 if always else error.status)
    except web.HTTPNotFound:
        said = {"status": 404, "error": "Not Found", "message": "No message available"}
        stamp = {"timestamp": "2026-01-01T00:00:00.000+0000"}
        return web.json_response({**stamp, **said, "path": request.path}, status=404)


async def _paid_first(request: web.Request, response: web.StreamResponse) -> None:
    body = response.body if isinstance(response, web.Response) else b""
    made = json.loads(bytes(body)) if isinstance(body, bytes) and body else {}
    qr_id = str(made.get("qrId", ""))
    try:
        payer.pay(bank_of(request), qr_id)
    except Mistake:
        return
    await request.config_dict[COURIER].deliver_now(qr_id)


def authorized(request: web.Request) -> str:
    """Return the merchant whose key was sent; a wrong one is 401, whose body is not JSON."""
    bank = bank_of(request)
    given = request.headers.get("Authorization", "")
    if not hmac.compare_digest(given.encode(), f"Bearer {bank.knobs['key']}".encode()):
        raise web.HTTPUnauthorized(text="Full authentication is required to access this resource")
    return str(bank.knobs["merchant"])


async def read(request: web.Request) -> dict[str, Any]:
    """Return the request's object; numbers are exact."""
    raw = await request.read()
    if len(raw) > BODY_BYTES_MAX:
        raise Refusal("ERROR.INVALID_REQUEST", "Слишком большой запрос")
    try:
        body = json.loads(raw, parse_float=Decimal)
    except ValueError:
        raise Refusal("ERROR.INVALID_REQUEST", "Тело запроса не JSON") from None
    if not isinstance(body, dict):
        raise Refusal("ERROR.INVALID_REQUEST", "Ожидается объект")
    return body


def text(body: dict[str, Any], name: str, most: int, *, needed: bool = False) -> str | None:
    """Return a text; raises Refusal for a longer one, and for a needed one that is missing."""
    found = body.get(name)
    if found is None and not needed:
        return None
    if not isinstance(found, str) or not found or len(found) > most:
        raise Refusal("ERROR.INVALID_REQUEST", f"Поле {name}: строка до {most} символов")
    return found


def plain(body: dict[str, Any]) -> dict[str, Any]:
    """Return what was asked as it can be kept: exact numbers become texts."""
    return {n: str(v) if isinstance(v, Decimal) else v for n, v in body.items()}


def reply(body: Any, status: int = 200) -> web.Response:
    """Answer with JSON."""
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")
