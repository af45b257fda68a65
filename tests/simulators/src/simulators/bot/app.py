"""The addresses of the messenger and their control."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from simulators import control, message
from simulators.clock import SandboxClock
from simulators.message import Message
from simulators.store import Store

TOKEN = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
LONGEST = 4096


@dataclass
class Messenger:
    """The bot's chats, and what the next calls meet."""

    store: Store
    clock: SandboxClock
    sent: int = 0
    chats: set[str] = field(default_factory=lambda: {"5001", "5002", "@operator"})
    blocked: set[str] = field(default_factory=set)
    """Chats whose people have blocked the bot."""
    script: deque[Any] = field(default_factory=lambda: deque(maxlen=1000))
    """For the next calls: a status, `{"retry_after": 3}`, `"html"`, or 0 for none."""


MESSENGER: web.AppKey[Messenger] = web.AppKey("bot-messenger", Messenger)


def create(store: Store, clock: SandboxClock) -> web.Application:
    """Return the application that is mounted at `/bot` of the sandbox."""
    app = web.Application()
    app[MESSENGER] = Messenger(store, clock)
    desk = control.application()
    desk.add_routes([web.put("/state", set_state)])
    app.add_subapp("/control", desk)
    app.router.add_post("/bot{token}/sendMessage", send)
    return app


async def send(request: web.Request) -> web.Response:
    """`sendMessage`: JSON or a form with chat_id and text."""
    messenger = request.config_dict[MESSENGER]
    fault = messenger.script.popleft() if messenger.script else 0
    if fault == "html":
        return web.Response(status=502, text="<html>nginx</html>", content_type="text/html")
    if isinstance(fault, dict):
        seconds = fault["retry_after"]
        return _refuse(429, f"Too Many Requests: retry after {seconds}", parameters=fault)
    if fault:
        return _refuse(fault, "Internal Server Error")
    if request.match_info["token"] != TOKEN:
        return _refuse(401, "Unauthorized")
    given = await _given(request)
    chat, text = str(given.get("chat_id", "")), str(given.get("text", ""))
    if refused := _refusal(messenger, chat, text):
        return _refuse(*refused)
    messenger.sent += 1
    now = messenger.clock.now()
    message.add(
        messenger.store,
        Message(
            channel="bot",
            sender="bot",
            recipient=chat,
            text=text,
            received_at=now,
            provider_id=str(messenger.sent),
        ),
    )
    result = {"message_id": messenger.sent, "date": now // 1000, "text": text}
    return web.json_response({"ok": True, "result": result | {"chat": {"id": chat}}})


async def set_state(request: web.Request) -> web.Response:
    """`PUT /control/state {"chats"?, "blocked"?, "script"?}`."""
    messenger, body = request.config_dict[MESSENGER], await control.read(request)
    messenger.chats = set(body.get("chats", messenger.chats))
    messenger.blocked = set(body.get("blocked", messenger.blocked))
    if "script" in body:
        messenger.script.clear()
        messenger.script.extend(body["script"])
    return web.json_response({"chats": sorted(messenger.chats)})


async def _given(request: web.Request) -> dict[str, Any]:
    if request.content_type == "application/json":
        given = json.loads(await request.read())
        return given if isinstance(given, dict) else {}
    return dict(await request.post())


def _refusal(messenger: Messenger, chat: str, text: str) -> tuple[int, str] | None:
    if chat in messenger.blocked:
        return 403, "Forbidden: bot was blocked by the user"
    if chat not in messenger.chats:
        return 400, "Bad Request: chat not found"
    if not text:
        return 400, "Bad Request: message text is empty"
    if len(text.encode("utf-16-le")) > 2 * LONGEST:
        return 400, "Bad Request: message is too long"
    return None


def _refuse(code: int, words: str, **more: Any) -> web.Response:
    body = {"ok": False, "error_code": code, "description": words}
    return web.json_response(body | more, status=code)
