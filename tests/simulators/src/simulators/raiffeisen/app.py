"""Puts the simulated Raiffeisen together."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
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
from simulators.raiffeisen import api, codes_api, model, money_api, payer, receipts_api, register
from simulators.raiffeisen.words import SIGNATURE
from simulators.settings import SandboxSettings
from simulators.store import Store

NAME = "raiffeisen"
SCHEMAS = (model.SCHEMA, insides.SCHEMA)
OFFSETS = (0, 10, 60, 300, 900, 3600, 7200, 14400, 28800, 57600, 86400)
"""Growing intervals within a day; the bank does not publish its own."""
SETTLED_SECONDS = 60
KNOBS: dict[str, Any] = {
    "merchant": "MA0000099999",
    "key": "sim-secret-key-000000000001",
    "header": SIGNATURE,
    "fraction": 6,
    "no_info": "",
    "trailing_zeros": False,
    "unknown_fields": False,
    "errors_with_200": False,
    "static_shows_last": False,
    "pay_also_binds": False,
}
_FISCAL = "/fiscal/v1/receipts/{kind:sell|refund}"
_SUBSCRIPTION = "/sbp/v1/subscriptions/{id}"
_REFUNDS = "/payments/{version:v1|v2}/orders/{order}/refunds/{id}"
ROUTES = (
    web.post("/settings/v1/callback", codes_api.set_callback, name="set_callback"),
    web.post("/sbp/v1/qr/register", codes_api.register_old, name="register_qr"),
    web.post("/sbp/v2/qrs", codes_api.register, name="register_qr_v2"),
    web.get("/sbp/v2/qrs/{id}", codes_api.show, name="get_qr"),
    web.delete("/sbp/v2/qrs/{id}", codes_api.cancel, name="cancel_qr"),
    web.get("/sbp/v1/qr/{id}/info", codes_api.info, name="qr_info"),
    web.get("/sbp/v1/qr/{id}/image", codes_api.image, name="qr_image"),
    web.get("/sbp/v1/qr/{id}/payment-info", codes_api.payment_info, name="payment_info"),
    web.post("/sbp/v1/qr-drafts/{id}", codes_api.draft, name="qr_draft"),
    web.post("/sbp/v1/refund", money_api.refund, name="create_refund"),
    web.get("/sbp/v1/refund/{id}", money_api.show_refund, name="get_refund"),
    web.post("/payment/v1/orders", money_api.order, name="create_order"),
    web.get("/payment/v1/orders/{id}", money_api.show_order, name="get_order"),
    web.delete("/payment/v1/orders/{id}", money_api.cancel_order, name="cancel_order"),
    web.post(_REFUNDS, money_api.refund_order, name="create_order_refund"),
    web.get(_REFUNDS, money_api.show_order_refund, name="get_order_refund"),
    web.get("/payments/v2/banks", money_api.banks, name="banks"),
    web.post("/sbp/v1/subscriptions", money_api.subscription, name="create_subscription"),
    web.get(_SUBSCRIPTION, money_api.show_subscription, name="get_subscription"),
    web.post(f"{_SUBSCRIPTION}/orders", money_api.charge, name="charge"),
    web.get(f"{_SUBSCRIPTION}/orders/{{order}}", money_api.show_charge, name="get_charge"),
    web.post(_FISCAL, receipts_api.draft, name="draft_receipt"),
    web.put(f"{_FISCAL}/{{number}}", receipts_api.register, name="register_receipt"),
    web.get(f"{_FISCAL}/{{number}}", receipts_api.show, name="get_receipt"),
    web.post("/external-mock/v01/rfuture/payment/init", codes_api.mock_pay, name="mock_pay"),
    web.get("/external-mock/v01/rfuture/qrs/{id}", codes_api.mock_qr, name="mock_qr"),
)
CALLS = frozenset(str(route.kwargs["name"]) for route in ROUTES)


def create(settings: SandboxSettings, store: Store, clock: SandboxClock) -> web.Application:
    """Return the application that is mounted at `/raiffeisen` of the sandbox."""
    dice = Random(settings.seed)
    bank = Bank(
        name=NAME,
        settings=settings,
        store=store,
        clock=clock,
        dice=dice,
        faults=FaultPlan(dice, CALLS),
        callback_url=settings.raiffeisen_callback_url,
        lie=lie,
        offsets=OFFSETS,
        accepted=lambda status, _: status == web.HTTPOk.status_code,
        knobs=dict(KNOBS),
    )
    app = web.Application(middlewares=[explain])
    app[BANK] = bank
    app.add_routes(routes(Payer(NAME, "Райффайзен Банк", _find, _listed, _pay, _refuse)))
    doors = web.Application(middlewares=[api.struck, api.spoken])
    doors.add_routes(ROUTES)
    app.add_subapp("/api", doors)
    app.add_subapp("/control", _control())
    loops.attach(app, lambda: _sweep(bank))
    return app


def lie(told: Told, dice: Random) -> Told:
    """Return a forged callback: a larger sum under the same signature, or another signature."""
    if dice.random() < 0.5:
        said = orjson.loads(told.body)
        said["amount"] = 999999
        return replace(told, body=orjson.dumps(said).decode())
    wrong = f"{dice.getrandbits(256):064x}"
    return replace(told, headers={"Content-Type": "application/json", SIGNATURE: wrong})


def _control() -> web.Application:
    app = control.create(model.TABLES, lambda request: _sweep(bank_of(request)))
    app.add_routes(
        [
            web.get("/state", _state),
            web.get("/codes", _codes),
            web.get("/refunded/{id}", _refunded),
            web.get("/registers", _register),
            web.get("/statement", _statement),
            web.post("/subscriptions/{id}/revoke", _revoke),
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
    """`GET /registers?day=`: the register of a Moscow day; 204 where nothing happened."""
    found = register.csv(bank_of(request), date.fromisoformat(request.query["day"]))
    if found is None:
        return web.Response(status=204)
    return web.Response(body=found, content_type="text/csv", charset="windows-1251")


async def _statement(request: web.Request) -> web.Response:
    """`GET /statement?day=`: the day's lines as 1C reads them."""
    found = register.statement(bank_of(request), date.fromisoformat(request.query["day"]))
    return web.Response(body=found, content_type="text/plain", charset="windows-1251")


async def _revoke(request: web.Request) -> web.Response:
    """`POST /subscriptions/{id}/revoke`: the payer revokes it in the app."""
    await controls.read(request)
    found = payer.decide(bank_of(request), request.match_info["id"], "UNSUBSCRIBED")
    return web.json_response({"id": found.id, "status": found.status})


def _sweep(bank: Bank) -> None:
    now = bank.clock.now()
    with bank.store.transaction():
        bank.store.run(
            "UPDATE raiffeisen_refund SET status = becomes WHERE status = 'IN_PROGRESS' "
            "AND done_at <= ?",
            now,
        )
        receipts_api.finish(bank)
        _settle_charges(bank, now)


def _settle_charges(bank: Bank, now: int) -> None:
    """Charges that were in progress go through after a while."""
    late = bank.store.all(
        "SELECT transaction_id FROM raiffeisen_payment WHERE status = 'IN_PROGRESS' "
        "AND paid_at <= ? LIMIT 100",
        now - bank.scaled(SETTLED_SECONDS),
    )
    for row in late:
        (paid,) = model.payments(bank.store, "transaction_id", row["transaction_id"])
        done = replace(paid, status="SUCCESS", paid_at=now)
        model.keep(bank.store, done)
        code = model.qr(bank.store, paid.qr_id)
        if code is not None:
            bank.announce(payer.callback(bank, code, done))


def _find(request: web.Request, qr_id: str) -> Code | None:
    bank = bank_of(request)
    code = model.qr(bank.store, qr_id)
    if code is not None:
        state = code.now(bank.clock.now())
        said = code.asked.get("additionalInfo") or code.asked.get("qrDescription")
        title = str(said or f"Заказ {code.order_id}")
        payable = state == "NEW"
        return Code(code.id, code.payload, title, code.amount_kopecks, False, payable, state)
    bound = model.subscription(bank.store, "qr_id", qr_id)
    if bound is None:
        return None
    title = str(bound.asked.get("subscriptionPurpose") or "Автоплатёж")
    waiting = bound.status == "INACTIVE"
    return Code(bound.qr_id, bound.payload, title, None, True, waiting, bound.status)


def _listed(request: web.Request) -> list[Code]:
    bank = bank_of(request)
    rows = bank.store.all(
        "SELECT id FROM raiffeisen_qr WHERE status = 'NEW' AND (expires_at IS NULL OR "
        "expires_at > ?) ORDER BY created_at DESC LIMIT 40",
        bank.clock.now(),
    )
    bound = bank.store.all(
        "SELECT qr_id AS id FROM raiffeisen_subscription ORDER BY created_at DESC LIMIT 10"
    )
    found = [_find(request, row["id"]) for row in (*rows, *bound)]
    return [code for code in found if code is not None]


def _pay(request: web.Request, qr_id: str, amount: Any) -> dict[str, Any]:
    bank = bank_of(request)
    bound = model.subscription(bank.store, "qr_id", qr_id)
    if bound is not None:
        if bound.status != "INACTIVE":
            raise Mistake(f"the subscription is {bound.status}", status=409)
        done = payer.decide(bank, bound.id, "SUBSCRIBED")
        return {"id": done.id, "status": done.status}
    paid = payer.pay(bank, qr_id, payer.typed(amount))
    return {
        "transactionId": paid.transaction_id,
        "qrId": paid.qr_id,
        "order": paid.order_id,
        "amount_kopecks": paid.amount_kopecks,
        "status": paid.status,
    }


def _refuse(request: web.Request, qr_id: str) -> dict[str, Any]:
    bank = bank_of(request)
    bound = model.subscription(bank.store, "qr_id", qr_id)
    if bound is not None:
        done = payer.decide(bank, bound.id, "UNSUBSCRIBED")
        return {"id": done.id, "status": done.status}
    payer.refuse(bank, qr_id)
    return {"qrId": qr_id, "status": "DECLINED"}
