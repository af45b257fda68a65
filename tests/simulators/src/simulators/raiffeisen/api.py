"""How the bank's API is entered: keys, faults, bodies, and what a refusal looks like.

Business errors of the first version come with HTTP 200 and a `code`, those of later ones with 400,
404 or 409; whether v2 does so in truth is not documented, so a knob makes it 200 there as well.
"""

from __future__ import annotations

import hmac
import json
from contextlib import suppress
from decimal import Decimal
from typing import Any

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from simulators.banks.bank import bank_of
from simulators.banks.courier import COURIER
from simulators.banks.faults import HEADER, asked, befall
from simulators.clock import parse_iso
from simulators.control import Mistake
from simulators.raiffeisen import wallet
from simulators.raiffeisen.words import ORDER, Refusal

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
    except (web.HTTPNotFound, web.HTTPMethodNotAllowed) as error:
        said = {"status": error.status, "error": error.reason, "message": "No message available"}
        stamp = {"timestamp": "2026-01-01T00:00:00.000+0000"}
        return web.json_response({**stamp, **said, "path": request.path}, status=error.status)


async def _paid_first(request: web.Request, response: web.StreamResponse) -> None:
    body = response.body if isinstance(response, web.Response) else None
    made = _object(body) if isinstance(body, bytes) else {}
    binding = made.get("qr")
    qr_id = binding.get("id") if isinstance(binding, dict) else made.get("qrId")
    with suppress(Mistake):
        wallet.pay(request, str(qr_id), None)
    for told in filter(None, (made.get("qrId"), made.get("id"))):
        await request.config_dict[COURIER].deliver_now(str(told))


def _object(body: bytes) -> dict[str, Any]:
    """Return what an answer holds; nothing where it is an image, a list, or empty."""
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


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


def order_number(value: Any) -> str:
    """Return a merchant's number of an order; raises Refusal for other characters than allowed."""
    if not isinstance(value, str) or not ORDER.fullmatch(value):
        raise Refusal("ERROR.INVALID_ORDER", "Недопустимые символы в номере заказа")
    return value


def term(body: dict[str, Any], name: str, now: int) -> int | None:
    """Return a moment to come in milliseconds; raises Refusal for one that is past or none."""
    said = body.get(name)
    if said is None:
        return None
    try:
        found = parse_iso(str(said))
    except ValueError:
        found = 0
    if found <= now:
        raise Refusal("ERROR.QR_EXPIRATION_DATE_NOT_VALID", f"Неверный срок {name}")
    return found


def plain(value: Any) -> Any:
    """Return what was asked as it can be kept: exact numbers become texts."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return str(value) if isinstance(value, Decimal) else value


def reply(body: Any, status: int = 200) -> web.Response:
    """Answer with JSON."""
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")
