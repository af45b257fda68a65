"""What the control calls of all simulators share: JSON in, JSON out, from this machine only.

A control call can do what no customer of a provider may, so it is refused from any other machine.
Every mistake in a request is 400 `{"error": "<what is wrong>"}`.
"""

from __future__ import annotations

import ipaddress
import json
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler


class Mistake(Exception):
    """A control request that cannot be carried out; becomes a 400, or a 404."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Admit this machine alone; what a handler chokes on was a mistake in the request."""
    try:
        local = ipaddress.ip_address(request.remote or "").is_loopback
    except ValueError:
        local = False
    if not local:
        return web.json_response({"error": "control calls come from this machine"}, status=403)
    try:
        return await handler(request)
    except (ValueError, TypeError, KeyError) as error:
        return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)


@web.middleware
async def explain(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a mistake with its words."""
    try:
        return await handler(request)
    except Mistake as error:
        return web.json_response({"error": str(error)}, status=error.status)


def application() -> web.Application:
    """Return an empty application for control calls."""
    return web.Application(middlewares=[explain, guard])


async def read(request: web.Request) -> dict[str, Any]:
    """Return the request's JSON object; an empty body is an empty object."""
    raw = await request.read()
    try:
        body = json.loads(raw) if raw else {}
    except ValueError:
        raise Mistake("the body is not JSON") from None
    if not isinstance(body, dict):
        raise Mistake("the body must be a JSON object")
    return body


def local(url: str) -> str:
    """Return an address of this machine; any other is a mistake."""
    host = urlsplit(url).hostname or ""
    if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
        raise Mistake("only this machine is written to")
    return url


def whole(body: dict[str, Any], name: str, default: int, most: int) -> int:
    """Return an integer from 0 to `most`."""
    value = body.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise Mistake(f"{name} must be a whole number from 0 to {most}")
    return value
