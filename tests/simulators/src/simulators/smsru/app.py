"""The addresses of SMS.ru and their control.

Every answer is HTTP 200 with JSON; what went wrong stands in `status_code`, of the request and of
each number. The ids are the provider's own. The control can make the next answers errors, HTML or
nothing, and post a report as the provider does.
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from simulators import control, message
from simulators.clock import MINUTE, SandboxClock
from simulators.message import Message
from simulators.smsc import parts, phone
from simulators.store import Store

API_ID = "00000000-0000-0000-0000-00000000DEM0"
LONGEST_PARTS = 8
PRICE = 350
TEXTS = {
    100: "Запрос выполнен",
    200: "Неправильный api_id",
    201: "Не хватает средств",
    202: "Неверный номер",
    203: "Нет текста",
    205: "Слишком длинное сообщение",
    207: "Нет маршрута на этот номер",
    220: "Сервис временно недоступен",
    231: "Повтор того же текста на этот номер",
    500: "Ошибка на сервере",
}
WHOLE = {200, 201, 203, 220, 500}
"""Errors of the request; the others belong to a number."""


@dataclass
class Counter:
    """One client's account."""

    store: Store
    clock: SandboxClock
    balance: int = 1_000_000
    sent: int = 0
    limit_same: bool = False
    """The account forbids the same text to the same number within a minute."""
    script: deque[int | str] = field(default_factory=lambda: deque(maxlen=1000))


COUNTER: web.AppKey[Counter] = web.AppKey("smsru-counter", Counter)


def create(store: Store, clock: SandboxClock) -> web.Application:
    """Return the application that is mounted at `/smsru` of the sandbox."""
    app = web.Application()
    app[COUNTER] = Counter(store, clock)
    for path, handler in (("/sms/send", send), ("/sms/status", status)):
        app.router.add_get(path, handler)
        app.router.add_post(path, handler)
    desk = control.application()
    desk.add_routes([web.put("/state", set_state), web.post("/report", report)])
    app.add_subapp("/control", desk)
    return app


async def send(request: web.Request) -> web.StreamResponse:
    """`/sms/send`: one text to one number or several."""
    counter, form = request.config_dict[COUNTER], await _form(request)
    fault = counter.script.popleft() if counter.script else 0
    if fault == "html":
        return web.Response(status=502, text="<html>Bad Gateway</html>", content_type="text/html")
    if fault == "empty":
        return web.Response()
    code = fault if isinstance(fault, int) and fault in WHOLE else _refusal(counter, form)
    if code:
        return _answer(code)
    entries = {}
    for number in phone.split(form["to"]):
        if isinstance(fault, int) and fault:
            entries[number] = _entry(fault)
        else:
            entries[number] = _take(counter, number, form)
    if fault == "lost" and request.transport is not None:
        request.transport.abort()
    return _answer(100, sms=entries, balance=counter.balance / 100)


async def status(request: web.Request) -> web.StreamResponse:
    """`/sms/status`: whatever was taken was delivered."""
    counter, form = request.config_dict[COUNTER], await _form(request)
    if form.get("api_id") != API_ID:
        return _answer(200)
    found = {}
    for this in form.get("sms_id", "").split(","):
        known = any(each.provider_id == this for each in message.newest(counter.store, 1000))
        found[this] = _entry(103 if known else -1)
    return _answer(100, sms=found)


async def set_state(request: web.Request) -> web.Response:
    """`PUT /control/state {"balance_kopecks"?, "limit_same"?, "script"?: [202, "html", "lost"]}`:
    what the next sends meet.
    """
    counter, body = request.config_dict[COUNTER], await control.read(request)
    if "balance_kopecks" in body:
        counter.balance = control.whole(body, "balance_kopecks", 0, 10**12)
    counter.limit_same = bool(body.get("limit_same", counter.limit_same))
    if "script" in body:
        counter.script.clear()
        counter.script.extend(body["script"])
    return web.json_response({"balance_kopecks": counter.balance})


async def report(request: web.Request) -> web.Response:
    """`POST /control/report {"url", "reports": [["<sms_id>", 103]], "api_id"?}`: post a report to
    an address of this machine; returns status and body of the answer.
    """
    body = await control.read(request)
    url = control.local(body["url"])
    now = int(time.time())
    entries = [f"sms_status\n{this}\n{code}\n{now}" for this, code in body["reports"]]
    signed = body.get("api_id", API_ID) + "".join(entries)
    form = {f"data[{n}]": entry for n, entry in enumerate(entries)}
    form["hash"] = hashlib.sha256(signed.encode()).hexdigest()
    async with aiohttp.ClientSession() as session, session.post(url, data=form) as answer:
        return web.json_response({"status": answer.status, "body": await answer.text()})


async def _form(request: web.Request) -> dict[str, str]:
    given = await request.post() if request.method == "POST" else request.query
    return {name: str(value) for name, value in given.items()}


def _refusal(counter: Counter, form: dict[str, str]) -> int:
    if form.get("api_id") != API_ID:
        return 200
    if not form.get("msg"):
        return 203
    if not phone.split(form.get("to", "")):
        return 202
    return 201 if counter.balance < PRICE else 0


def _take(counter: Counter, number: str, form: dict[str, str]) -> dict[str, Any]:
    normal, count = phone.normal(number), parts.count(form["msg"])
    if normal is None:
        return _entry(202)
    if count > LONGEST_PARTS:
        return _entry(205)
    now = counter.clock.now()
    same = [
        each
        for each in message.newest(counter.store, 100, parked=True)
        if (each.recipient, each.text) == (normal, form["msg"]) and each.received_at > now - MINUTE
    ]
    if same and counter.limit_same:
        return _entry(231)
    counter.sent += 1
    counter.balance -= count * PRICE
    this = f"202648-{counter.sent:07d}"
    message.add(
        counter.store,
        Message(
            channel="sms",
            sender=form.get("from") or "SMS.RU",
            recipient=normal,
            text=form["msg"],
            received_at=now,
            provider_id=this,
            parts=count,
            parked=bool(same),
        ),
    )
    return _entry(100) | {"sms_id": this}


def _entry(code: int) -> dict[str, Any]:
    entry = {"status": "OK" if 100 <= code < 200 else "ERROR", "status_code": code}
    return entry if code == 100 else entry | {"status_text": TEXTS.get(code, "Ошибка")}


def _answer(code: int, **more: Any) -> web.Response:
    return web.json_response(_entry(code) | more)
