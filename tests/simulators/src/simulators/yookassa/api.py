"""What every call of the API passes through: errors, credentials, key locks, faults.

The order matters: a key is held while a fault waits, so that two equal requests meet as they would
at a slow provider.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Callable
from typing import Any

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from simulators.settings import Shop
from simulators.yookassa import idempotence
from simulators.yookassa.errors import ApiError
from simulators.yookassa.faults import HEADER, asked
from simulators.yookassa.provider import PROVIDER, Provider
from simulators.yookassa.trouble import befall

SHOP: web.RequestKey[Shop] = web.RequestKey("yookassa-shop", Shop)
LOCKS: web.AppKey[idempotence.KeyLocks] = web.AppKey("yookassa-key-locks", idempotence.KeyLocks)

BODY_LIMIT = 256 * 1024


@web.middleware
async def speak_as_yookassa(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn refusals into YooKassa's bodies; 405 and unknown addresses get an empty one."""
    try:
        return await handler(request)
    except ApiError as error:
        return error.response()
    except web.HTTPMethodNotAllowed as error:
        allowed = ",".join(sorted(error.allowed_methods))
        return web.Response(status=405, headers={hdrs.ALLOW: allowed})
    except web.HTTPNotFound:
        return ApiError("not_found", "Resource not found").response()


@web.middleware
async def authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Find the shop of a Basic header; a wrong one is 401 `invalid_credentials`."""
    request[SHOP] = shop_of(request.headers.get(hdrs.AUTHORIZATION), provider_of(request).shops)
    return await handler(request)


@web.middleware
async def hold_key(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let requests of one key pass one after the other; refuse a POST without a key."""
    if request.method != hdrs.METH_POST:
        return await handler(request)
    key = idempotence.checked(request.headers.get(idempotence.HEADER))
    async with request.config_dict[LOCKS].of(request[SHOP].id, key):
        return await handler(request)


@web.middleware
async def suffer(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let the fault that this request asks for, or the one that is due, befall this call."""
    provider = provider_of(request)
    wish = request.headers.get(HEADER)
    try:
        fault = asked(wish) if wish else provider.faults.strike(request.match_info.route.name or "")
    except ValueError as error:
        return web.json_response({"error": str(error)}, status=400)
    if fault is None:
        return await handler(request)
    return await befall(fault, request, handler)


MIDDLEWARES = (speak_as_yookassa, authenticate, hold_key, suffer)


def provider_of(request: web.Request) -> Provider:
    """Return the provider of the sandbox that this request reached."""
    provider: Provider = request.config_dict[PROVIDER]
    return provider


def shop_of(header: str | None, shops: dict[str, Shop]) -> Shop:
    """Return the shop whose credentials the header carries; raises ApiError 401."""
    if not header:
        raise ApiError("invalid_credentials", "Authorization header not found", "Authorization")
    scheme, _, token = header.partition(" ")
    try:
        login, colon, key = base64.b64decode(token, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        login, colon, key = "", "", ""
    if scheme.lower() != "basic" or not colon:
        raise ApiError(
            "invalid_credentials", "Authorization header has illegal format", "Authorization"
        )
    shop = shops.get(login)
    if shop is None or not hmac.compare_digest(shop.key.encode(), key.encode()):
        raise ApiError("invalid_credentials", "Basic authentication failed", "Authorization")
    return shop


async def read_body(request: web.Request) -> dict[str, Any]:
    """Return the JSON object of a request; an empty body is an empty object (capture, cancel)."""
    raw = await request.read()
    if not raw:
        return {}
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType
    if len(raw) > BODY_LIMIT:
        raise ApiError("invalid_request", "Failed to parse request body")
    try:
        body = json.loads(raw)
        # Half a surrogate pair is valid JSON and no text that could be kept.
        json.dumps(body, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise ApiError("invalid_request", "Failed to parse request body") from None
    if not isinstance(body, dict):
        raise ApiError("invalid_request", "Failed to parse request body")
    return body


def answer_once(
    request: web.Request,
    body: dict[str, Any],
    operation: Callable[[], dict[str, Any]],
    current: Callable[[str], dict[str, Any] | None],
) -> web.Response:
    """Do a POST under its key, or answer its repetition.

    `current` renders the object as it stands now, for the replay mode of that name.
    """
    provider = provider_of(request)
    key = request.headers[idempotence.HEADER]
    asked = idempotence.Asked(request[SHOP].id, key, request.path, body)
    answer, repeated = idempotence.once(provider.store, provider.clock.now(), asked, operation)
    if repeated and provider.settings.replay == "current":
        answer = current(answer["id"]) or answer
    return web.json_response(answer)
