"""The addresses of SMSC.ru: sending, status and balance, and their control.

Every answer is HTTP 200; what went wrong stands in its body. `fmt=3` is JSON, anything else SMSC's
line of text.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from aiohttp import ClientSession, web

from simulators import control, message
from simulators.smsc import desk as counter
from simulators.smsc import phone as phones
from simulators.smsc.desk import DESK, Desk
from simulators.smsc.errors import TEXTS, Refused

MOSCOW = ZoneInfo("Europe/Moscow")
FORM_LIMIT = 64 * 1024
DELIVERED = 1
NOT_FOUND = -3
CHARSETS = {"utf-8", "koi8-r", "windows-1251"}
JSON = "3"

Form = dict[str, str]
Answer = Callable[[web.Request, Form], dict[str, Any]]


def create(desk: Desk) -> web.Application:
    """Return the application that is mounted at `/smsc` of the sandbox."""
    app = web.Application()
    app[DESK] = desk
    for path, answer in (("send", send), ("status", status), ("balance", balance)):
        handler = _php(answer)
        app.router.add_route("GET", f"/sys/{path}.php", handler)
        app.router.add_route("POST", f"/sys/{path}.php", handler)
    desk_control = control.application()
    desk_control.add_routes(
        [web.get("/state", state), web.put("/state", set_state), web.post("/report", report)]
    )
    app.add_subapp("/control", desk_control)
    return app


def send(request: web.Request, form: Form) -> dict[str, Any]:
    """`/sys/send.php`: `{"id","cnt"}`; `cost=1` asks the price alone, 2 and 3 tell it, too."""
    desk = request.config_dict[DESK]
    if form.get("cost") == "1":
        asked = counter.price(form)
        return {"cost": _roubles(asked.cost), "cnt": asked.parts}
    sent = counter.send(desk, form)
    body: dict[str, Any] = {"id": _number(sent.id), "cnt": sent.parts}
    if form.get("cost") in {"2", "3"}:
        body["cost"] = _roubles(sent.cost)
    if form.get("cost") == "3":
        body["balance"] = _roubles(desk.balance)
    return body


def status(request: web.Request, form: Form) -> dict[str, Any]:
    """`/sys/status.php`: `{"status": 1, "last_date", "last_timestamp"}` of the last message of an
    id.
    """
    message_id, phone = form.get("id", ""), form.get("phone", "")
    if not message_id or not phone:
        raise Refused(1)
    number = phones.normal(phone) or ""
    found = message.last_named(request.config_dict[DESK].store, message_id, number)
    if found is None:
        return {"status": NOT_FOUND, "id": _number(message_id), "phone": phone}
    moment = datetime.fromtimestamp(found.received_at // 1_000, UTC)
    return {
        "status": DELIVERED,
        "last_date": f"{moment.astimezone(MOSCOW):%d.%m.%Y %H:%M:%S}",
        "last_timestamp": int(moment.timestamp()),
    }


def balance(request: web.Request, _: Form) -> dict[str, Any]:
    """`/sys/balance.php`: `{"balance": "286.55"}`."""
    return {"balance": _roubles(request.config_dict[DESK].balance)}


async def state(request: web.Request) -> web.Response:
    """`GET /control/state` → `{"balance_kopecks", "script"}`."""
    desk = request.config_dict[DESK]
    return web.json_response({"balance_kopecks": desk.balance, "script": list(desk.script)})


async def set_state(request: web.Request) -> web.Response:
    """`PUT /control/state {"balance_kopecks"?, "script"?: [8, 0, 4]}`: error codes of the next
    sends.
    """
    desk, body = request.config_dict[DESK], await control.read(request)
    if "balance_kopecks" in body:
        desk.balance = control.whole(body, "balance_kopecks", 0, 10**12)
    if "script" in body:
        if unknown := set(body["script"]) - {0, *TEXTS}:
            raise control.Mistake(f"no such error code: {unknown}")
        desk.script.clear()
        desk.script.extend(body["script"])
    return await state(request)


async def report(request: web.Request) -> web.Response:
    """`POST /control/report {"url", "id", "status", "phone"?, "err"?}`: post a report as SMSC.ru
    does, to an address of this machine; returns status and body of the answer.
    """
    body = await control.read(request)
    url = control.local(body["url"])
    names = [name for name in ("id", "status", "phone", "err") if name in body]
    form: dict[str, str] = {name: str(body[name]) for name in names}
    form["ts"] = str(request.config_dict[DESK].clock.now() // 1_000)
    async with ClientSession() as session, session.post(url, data=form) as answer:
        return web.json_response({"status": answer.status, "body": await answer.text()})


def _php(answer: Answer) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handler(request: web.Request) -> web.Response:
        text = await _text(request)
        # The charset of the fields is itself a field; Latin-1 reads any bytes.
        form: Form = dict(parse_qsl(text, encoding="latin-1"))
        try:
            form = _decoded(text, form.get("charset", "windows-1251").lower())
            counter.authorise(request.config_dict[DESK], form)
            body = answer(request, form)
        except Refused as error:
            body = {"error": str(error), "error_code": error.code}
            if error.message_id:
                body["id"] = _number(error.message_id)
        return _respond(form, body)

    return handler


async def _text(request: web.Request) -> str:
    if request.method == "POST":
        raw = await request.read()
    else:
        raw = request.rel_url.raw_query_string.encode()
    return raw[:FORM_LIMIT].decode("ascii", "replace")


def _decoded(text: str, charset: str) -> Form:
    if charset not in CHARSETS:
        raise Refused(1)
    try:
        return dict(parse_qsl(text, keep_blank_values=True, encoding=charset, errors="strict"))
    except ValueError:
        raise Refused(1) from None


def _respond(form: Form, body: dict[str, Any]) -> web.Response:
    if form.get("fmt") == JSON:
        return web.json_response(body, dumps=_compact)
    if "error" in body:
        tail = f", ID - {body['id']}" if "id" in body else ""
        return web.Response(text=f"ERROR = {body['error_code']} ({body['error']}){tail}")
    if "cnt" in body and "id" in body:
        return web.Response(text=f"OK - {body['cnt']} SMS, ID - {body['id']}")
    return web.Response(text=", ".join(str(value) for value in body.values()))


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=None)


def _number(message_id: str) -> int | str:
    return int(message_id) if message_id.isdecimal() else message_id


def _roubles(kopecks: int) -> str:
    return f"{kopecks // 100}.{kopecks % 100:02d}"
