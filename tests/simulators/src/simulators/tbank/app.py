"""Puts the simulated T-Bank together."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import orjson
from aiohttp import web

from simulators import control as controls
from simulators.banks import bank as insides
from simulators.banks import control, loops
from simulators.banks.app_page import Code, Payer, routes
from simulators.banks.bank import BANK, Bank, Told, bank_of
from simulators.banks.faults import FaultPlan
from simulators.clock import SandboxClock
from simulators.control import Mistake, explain
from simulators.settings import SandboxSettings
from simulators.store import Store
from simulators.tbank import api, model, payer
from simulators.tbank.model import Binding, Payment

NAME = "tbank"
SCHEMAS = (model.SCHEMA, insides.SCHEMA)
HOUR, DAY = 3600, 86400
OFFSETS = (0, *(n * HOUR for n in range(1, 25)), *(n * DAY for n in range(2, 32)))
"""Each hour for a day, then each day for a month. Source: the bank's page on notifications."""
KNOBS: dict[str, Any] = {
    "terminal": "1700000000001DEMO",
    "password": "SimPassw0rd",
    "orders_are_unique": True,
    "fiscal": False,
    "shows_the_rest": True,
    "authorized_too": True,
    "success_as_text": False,
    "unknown_fields": False,
    "typos": False,
    "member_needed": True,
    "refusal_is_final": False,
    "refund_seconds": 2,
}


def create(settings: SandboxSettings, store: Store, clock: SandboxClock) -> web.Application:
    """Return the application that is mounted at `/tbank` of the sandbox."""
    dice = Random(settings.seed)
    bank = Bank(
        name=NAME,
        settings=settings,
        store=store,
        clock=clock,
        dice=dice,
        faults=FaultPlan(dice, frozenset(api.METHODS)),
        callback_url=settings.tbank_callback_url,
        lie=lie,
        offsets=OFFSETS,
        accepted=lambda status, said: status == web.HTTPOk.status_code and said == b"OK",
        knobs=dict(KNOBS),
    )
    app = web.Application(middlewares=[explain])
    app[BANK] = bank
    app.add_routes(routes(Payer(NAME, "Т-Банк", _find, _listed, _pay, _refuse)))
    doors = web.Application(middlewares=[api.struck])
    doors.add_routes(
        [web.post(f"/{name}", api.door(method), name=name) for name, method in api.METHODS.items()]
    )
    app.add_subapp("/v2", doors)
    app.add_subapp("/control", _control())
    loops.attach(app, lambda: _sweep(bank))
    return app


def lie(told: Told, dice: Random) -> Told:
    """Return a forged notification: a larger sum, or paid, under a token that does not fit."""
    said = orjson.loads(told.body)
    said |= {"Amount": 99999900} if dice.random() < 0.5 else {"Status": "CONFIRMED", "Token": "0"}
    return replace(told, body=orjson.dumps(said).decode())


def _control() -> web.Application:
    app = control.create(model.TABLES, lambda request: _sweep(bank_of(request)))
    app.add_routes(
        [
            web.get("/state", _state),
            web.get("/codes", _codes),
            web.get("/refunded/{id}", _refunded),
            web.get("/payments/{id}", _show),
            web.post("/payments/{id}/refund", _refund),
            web.post("/bindings/{key}/revoke", _revoke),
        ]
    )
    return app


async def _state(request: web.Request) -> web.Response:
    """`GET /state`: counts and kopecks of payments by status."""
    rows = bank_of(request).store.all(
        "SELECT status, count(*) AS number, sum(amount_kopecks) AS kopecks, "
        "sum(returned_kopecks) AS returned FROM tbank_payment GROUP BY 1"
    )
    return web.json_response({"payments": [dict(row) for row in rows]})


async def _codes(request: web.Request) -> web.Response:
    """`GET /codes?order=`: the payments of an order, or the newest ones."""
    store, order = bank_of(request).store, request.query.get("order")
    where, values = ("WHERE order_id = ?", [order]) if order else ("", [])
    rows = store.all(f"SELECT * FROM tbank_payment {where} ORDER BY id DESC LIMIT 1000", *values)
    return web.json_response({"items": [dict(row) for row in rows]})


async def _refunded(request: web.Request) -> web.Response:
    """`GET /refunded/{payment}` → `{"kopecks"}`: what went back of a payment."""
    return web.json_response({"kopecks": _known(request).returned_kopecks})


async def _show(request: web.Request) -> web.Response:
    """`GET /payments/{id}`: a payment as it is kept."""
    row = bank_of(request).store.one("SELECT * FROM tbank_payment WHERE id = ?", _known(request).id)
    return web.json_response(dict(row) if row is not None else {})


async def _refund(request: web.Request) -> web.Response:
    """`POST /payments/{id}/refund {"amount"?}`: a refund that somebody makes in the profile."""
    bank, found = bank_of(request), _known(request)
    left = found.amount_kopecks - found.returned_kopecks - model.going_back(bank.store, found.id)
    wanted = typed((await controls.read(request)).get("amount")) or left
    if not found.paid or not 0 < wanted <= left:
        raise Mistake("nothing, or not so much, can be sent back", status=409)
    with bank.store.transaction():
        payer.send_back(bank, found, wanted, None)
    return web.json_response({"kopecks": wanted})


async def _revoke(request: web.Request) -> web.Response:
    """`POST /bindings/{key}/revoke`: the payer revokes it in the app."""
    bank = bank_of(request)
    found = model.binding(bank.store, "request_key", request.match_info["key"])
    if found is None:
        raise Mistake("no such binding", status=404)
    done = payer.decide(bank, found, "INACTIVE")
    return web.json_response({"status": done.status})


def typed(value: Any) -> int | None:
    """Read a sum in roubles, as kopecks; raises Mistake."""
    if value in (None, ""):
        return None
    roubles, _, rest = str(value).replace(" ", "").replace(",", ".").partition(".")
    if not roubles.isdigit() or (rest and not rest.isdigit()) or len(rest) > 2:
        raise Mistake("a sum such as 650 or 650.50")
    return int(roubles) * 100 + int(rest.ljust(2, "0"))


def _sweep(bank: Bank) -> None:
    late = bank.store.all(
        "SELECT id FROM tbank_payment WHERE status IN ('NEW', 'FORM_SHOWED') "
        "AND expires_at <= ? LIMIT 1000",
        bank.clock.now(),
    )
    with bank.store.transaction():
        for row in late:
            found = model.payment(bank.store, row["id"])
            if found is not None:
                payer.end(bank, found, payer.DEADLINE)
        payer.finish_refunds(bank)


def _known(request: web.Request) -> Payment:
    number = request.match_info["id"]
    found = model.payment(bank_of(request).store, int(number)) if number.isdigit() else None
    if found is None:
        raise Mistake("no such payment", status=404)
    return found


def _look(request: web.Request, qr_id: str) -> Payment | Binding | None:
    """Return what an id names: a payment's number, its code, or the code of a binding."""
    store = bank_of(request).store
    if qr_id.isdigit():
        return model.payment(store, int(qr_id))
    found = model.payments_of(store, "qr_id", qr_id)
    return found[0] if found else model.binding(store, "qr_id", qr_id)


def _find(request: web.Request, qr_id: str) -> Code | None:
    found = _look(request, qr_id)
    if found is None:
        return None
    if isinstance(found, Binding):
        waiting = found.status == "NEW"
        title, address = found.description, found.payload
        return Code(found.qr_id, address, title, None, True, waiting, found.status)
    title = str(found.asked.get("Description") or f"Заказ {found.order_id}")
    payable = found.status in payer.PAYABLE
    shown, address = found.amount_kopecks, found.payload or ""
    return Code(str(found.id), address, title, shown, False, payable, found.status)


def _listed(request: web.Request) -> list[Code]:
    store = bank_of(request).store
    rows = store.all(
        "SELECT id FROM tbank_payment WHERE status IN ('NEW', 'FORM_SHOWED') "
        "ORDER BY id DESC LIMIT 40"
    )
    bound = store.all("SELECT qr_id AS id FROM tbank_binding ORDER BY created_at DESC LIMIT 10")
    found = [_find(request, str(row["id"])) for row in (*rows, *bound)]
    return [code for code in found if code is not None]


def _pay(request: web.Request, qr_id: str, amount: Any) -> dict[str, Any]:
    bank, found = bank_of(request), _look(request, qr_id)
    if found is None:
        raise Mistake("no such code", status=404)
    if isinstance(found, Binding):
        if found.status != "NEW":
            raise Mistake(f"the binding is {found.status}", status=409)
        return {"status": payer.decide(bank, found, "ACTIVE").status}
    if typed(amount) not in (None, found.amount_kopecks):
        raise Mistake("this code has a sum of its own")
    done = payer.pay(bank, found)
    return {
        "PaymentId": str(done.id),
        "OrderId": done.order_id,
        "amount_kopecks": done.amount_kopecks,
        "status": done.status,
    }


def _refuse(request: web.Request, qr_id: str) -> dict[str, Any]:
    bank, found = bank_of(request), _look(request, qr_id)
    if found is None:
        raise Mistake("no such code", status=404)
    if isinstance(found, Binding):
        status = "INACTIVE" if found.status == "ACTIVE" else "REJECTED"
        return {"status": payer.decide(bank, found, status).status}
    return {"status": payer.refuse(bank, found).status}
