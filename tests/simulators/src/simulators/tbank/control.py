"""Control of the simulated T-Bank: what there is, payments in bulk, and what payers decide."""

from __future__ import annotations

from aiohttp import web

from simulators import control as controls
from simulators.banks import control
from simulators.banks.bank import Bank, bank_of
from simulators.control import Mistake
from simulators.tbank import bindings, model, payer, payments_api, refunds
from simulators.tbank.model import Payment
from simulators.tbank.sweep import sweep
from simulators.tbank.views import payment
from simulators.tbank.wallet import typed
from simulators.tbank.words import Refusal, number

BULK_MAX = 10_000
BULK_KOPECKS = 65_000


def create() -> web.Application:
    """Return the application that is mounted at `/tbank/control`."""
    app = control.create(model.TABLES, lambda request: sweep(bank_of(request)))
    app.add_routes(
        [
            web.get("/state", _state),
            web.get("/codes", _codes),
            web.get("/refunded/{id}", _refunded),
            web.post("/payments", _bulk),
            web.get("/payments/{id}", _show),
            web.post("/payments/{id}/refund", _refund),
            web.post("/bindings/{key}/{what:accept|refuse|revoke}", _decide),
        ]
    )
    return app


async def _state(request: web.Request) -> web.Response:
    """`GET /state`: counts and kopecks of what there is."""
    store = bank_of(request).store
    found = {
        "payments": "SELECT status, count(*) AS number, sum(amount_kopecks) AS kopecks, "
        "sum(returned_kopecks) AS returned FROM tbank_payment GROUP BY 1",
        "refunds": "SELECT state, count(*) AS number, sum(amount_kopecks) AS kopecks "
        "FROM tbank_refund GROUP BY 1",
        "bindings": "SELECT status, count(*) AS number FROM tbank_binding GROUP BY 1",
    }
    return web.json_response(
        {name: [dict(row) for row in store.all(sql)] for name, sql in found.items()}
    )


async def _codes(request: web.Request) -> web.Response:
    """`GET /codes?order=`: the payments of an order, or the newest ones."""
    store, order = bank_of(request).store, request.query.get("order")
    where, values = ("WHERE order_id = ?", [order]) if order else ("", [])
    rows = store.all(f"SELECT * FROM tbank_payment {where} ORDER BY id DESC LIMIT 1000", *values)
    return web.json_response({"items": [dict(row) for row in rows]})


async def _refunded(request: web.Request) -> web.Response:
    """`GET /refunded/{payment}` → `{"kopecks"}`: what went back of a payment."""
    return web.json_response({"kopecks": _known(request).returned_kopecks})


async def _bulk(request: web.Request) -> web.Response:
    """`POST /payments {"count", "amount"?, "paid"?}` → `{"ids"}`: many at once, with codes."""
    bank, body = bank_of(request), await controls.read(request)
    count = controls.whole(body, "count", 1, BULK_MAX)
    kopecks, ids = typed(body.get("amount")) or BULK_KOPECKS, []
    with bank.store.transaction():
        for _ in range(count):
            made = _one(bank, kopecks)
            ids.append(str(made.id))
            if body.get("paid"):
                payer.pay(bank, made)
    return web.json_response({"ids": ids})


def _one(bank: Bank, kopecks: int) -> Payment:
    order = {"OrderId": f"bulk-{bank.dice.getrandbits(64):016x}", "Amount": str(kopecks)}
    try:
        named = payments_api.init(bank, order)
        payments_api.get_qr(bank, named)
        return payment(bank, named)
    except Refusal as error:
        raise Mistake(f"{error.code} {error.message} {error.details}") from None


async def _show(request: web.Request) -> web.Response:
    """`GET /payments/{id}`: a payment as it is kept."""
    row = bank_of(request).store.one("SELECT * FROM tbank_payment WHERE id = ?", _known(request).id)
    return web.json_response(dict(row) if row is not None else {})


async def _refund(request: web.Request) -> web.Response:
    """`POST /payments/{id}/refund {"amount"?}`: a refund that somebody makes in the profile."""
    bank, found = bank_of(request), _known(request)
    left = refunds.left(bank, found)
    said = typed((await controls.read(request)).get("amount"))
    wanted = left if said is None else said
    if not 0 < wanted <= left:
        raise Mistake("nothing, or not so much, can be sent back", status=409)
    with bank.store.transaction():
        refunds.send(bank, found, wanted, None)
    return web.json_response({"kopecks": wanted})


async def _decide(request: web.Request) -> web.Response:
    """`POST /bindings/{key}/accept|refuse|revoke`: what the payer does in the app."""
    bank, what = bank_of(request), request.match_info["what"]
    found = model.binding(bank.store, "request_key", request.match_info["key"])
    if found is None:
        raise Mistake("no such binding", status=404)
    if (what == "revoke") != (found.status == bindings.ACTIVE):
        raise Mistake(f"the binding is {found.status}", status=409)
    act = bindings.accept if what == "accept" else bindings.refuse
    return web.json_response({"status": act(bank, found).status})


def _known(request: web.Request) -> Payment:
    payment_id = number(request.match_info["id"])
    found = None if payment_id is None else model.payment(bank_of(request).store, payment_id)
    if found is None:
        raise Mistake("no such payment", status=404)
    return found
