"""The sandbox's own pages: the index, and the messages that a subscriber would have received."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from aiohttp import web

from simulators import message
from simulators import web as pages
from simulators.mail.sink import SINK
from simulators.message import Message

MOSCOW = ZoneInfo("Europe/Moscow")
SHOWN = 100
PAGE = 1_000
"""Most messages that one call of messages.json returns."""


async def home(request: web.Request) -> web.Response:
    """`GET /`: what there is in the sandbox, with short explanations."""
    settings = request.config_dict[pages.SETTINGS]
    return pages.page(
        request, "index.html", settings=settings, smtp_port=request.config_dict[SINK].port
    )


async def show(request: web.Request) -> web.Response:
    """`GET /messages`: SMS and e-mails, newest first; the page looks again by itself."""
    found = message.newest(request.config_dict[pages.STORE], SHOWN)
    return pages.page(request, "messages.html", messages=found, moment=_moment)


async def list_(request: web.Request) -> web.Response:
    """`GET /messages.json?limit=100&after=<number>&parked=1` → `{"items": [...]}`, newest first."""
    query = request.query
    try:
        limit = min(int(query.get("limit", SHOWN)), PAGE)
        after = int(query.get("after", 0))
    except ValueError:
        return web.json_response({"error": "limit and after are numbers"}, status=400)
    found = message.newest(
        request.config_dict[pages.STORE], limit, after=after, parked=query.get("parked") == "1"
    )
    return web.json_response({"items": [each.to_json() for each in found]})


async def clear(request: web.Request) -> web.Response:
    """`DELETE /messages`: forget them all."""
    message.clear(request.config_dict[pages.STORE])
    return web.json_response({})


def _moment(each: Message) -> str:
    received = datetime.fromtimestamp(each.received_at // 1_000, UTC).astimezone(MOSCOW)
    return f"{received:%d.%m.%Y %H:%M:%S}"
