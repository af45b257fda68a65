"""Control of the simulated Raiffeisen: what there is, its books, and what payers decide."""

from __future__ import annotations

from datetime import date

from aiohttp import web

from simulators import control as controls
from simulators.banks import control
from simulators.banks.bank import bank_of
from simulators.control import Mistake
from simulators.raiffeisen import model, payer, register
from simulators.raiffeisen.sweep import sweep

DECISIONS = {"accept": "SUBSCRIBED", "revoke": "UNSUBSCRIBED"}
"""A refusal is not among them: the bank has no word for it, and the binding stays as it is."""


def create() -> web.Application:
    """Return the application that is mounted at `/raiffeisen/control`."""
    app = control.create(model.TABLES, lambda request: sweep(bank_of(request)))
    app.add_routes(
        [
            web.get("/state", _state),
            web.get("/codes", _codes),
            web.get("/refunded/{id}", _refunded),
            web.get("/registers", _register),
            web.get("/statement", _statement),
            web.post("/subscriptions/{id}/{what:accept|refuse|revoke}", _decide),
        ]
    )
    return app


async def _state(request: web.Request) -> web.Response:
    """`GET /state`: counts and kopecks of what there is."""
    store = bank_of(request).store
    found = {
        "codes": "SELECT type, status, count(*) AS number FROM raiffeisen_qr GROUP BY 1, 2",
        "payments": "SELECT type, status, count(*) AS number, sum(amount_kopecks) AS kopecks "
        "FROM raiffeisen_payment GROUP BY 1, 2",
        "refunds": "SELECT status, count(*) AS number, sum(amount_kopecks) AS kopecks "
        "FROM raiffeisen_refund GROUP BY 1",
    }
    return web.json_response(
        {name: [dict(row) for row in store.all(sql)] for name, sql in found.items()}
    )


async def _codes(request: web.Request) -> web.Response:
    """`GET /codes?order=`: the codes of an order, or the newest ones."""
    store, order = bank_of(request).store, request.query.get("order")
    where, values = ("WHERE order_id = ?", [order]) if order else ("", [])
    rows = store.all(
        f"SELECT * FROM raiffeisen_qr {where} ORDER BY created_at DESC LIMIT 1000", *values
    )
    return web.json_response({"items": [dict(row) for row in rows]})


async def _refunded(request: web.Request) -> web.Response:
    """`GET /refunded/{qr_id}` → `{"kopecks"}`: what went back of a code's payments."""
    row = bank_of(request).store.one(
        "SELECT coalesce(sum(amount_kopecks), 0) AS kopecks FROM raiffeisen_refund "
        "WHERE qr_id = ? AND status = 'COMPLETED'",
        request.match_info["id"],
    )
    return web.json_response({"kopecks": row["kopecks"] if row else 0})


async def _register(request: web.Request) -> web.Response:
    """`GET /registers?day=&merchant=`: the register of a Moscow day; 204 where nothing happened."""
    found = register.csv(bank_of(request), *_day_and_merchant(request))
    if found is None:
        return web.Response(status=204)
    return web.Response(body=found, content_type="text/csv", charset="windows-1251")


async def _statement(request: web.Request) -> web.Response:
    """`GET /statement?day=&merchant=`: the day's lines as 1C reads them."""
    found = register.statement(bank_of(request), *_day_and_merchant(request))
    return web.Response(body=found, content_type="text/plain", charset="windows-1251")


async def _decide(request: web.Request) -> web.Response:
    """`POST /subscriptions/{id}/accept|refuse|revoke`: what the payer does in the app."""
    await controls.read(request)
    bank, wanted = bank_of(request), request.match_info["id"]
    found = model.subscription(bank.store, "id", wanted)
    if found is None:
        raise Mistake("no such subscription", status=404)
    if request.match_info["what"] != "refuse":
        status = DECISIONS[request.match_info["what"]]
        found = payer.decide(bank, found.id, status)
    return web.json_response({"id": found.id, "status": found.status})


def _day_and_merchant(request: web.Request) -> tuple[date, str]:
    known = str(bank_of(request).knobs["merchant"])
    return date.fromisoformat(request.query["day"]), request.query.get("merchant") or known
