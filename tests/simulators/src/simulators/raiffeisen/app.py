"""Puts the simulated Raiffeisen together."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import orjson
from aiohttp import web

from simulators.banks import bank as insides
from simulators.banks import loops
from simulators.banks.app_page import Payer, routes
from simulators.banks.bank import BANK, Bank, Told
from simulators.banks.faults import FaultPlan
from simulators.clock import SandboxClock
from simulators.control import explain
from simulators.raiffeisen import (
    api,
    codes_api,
    control,
    mock_api,
    model,
    orders_api,
    receipts_api,
    refunds_api,
    registration,
    subscriptions_api,
    wallet,
)
from simulators.raiffeisen.sweep import sweep
from simulators.raiffeisen.words import SIGNATURE
from simulators.settings import SandboxSettings
from simulators.store import Store

NAME = "raiffeisen"
SCHEMAS = (model.SCHEMA, insides.SCHEMA)
OFFSETS = (0, 10, 60, 300, 900, 3600, 7200, 14400, 28800, 57600, 86400)
"""Growing intervals within a day; the bank does not publish its own."""
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
    "static_says_paid": False,
    "pay_also_binds": False,
    "tells_declined": False,
    "registration_needs_key": False,
    "refund_repeats": "shown",
    "charge_repeats": "refused",
    "refund_seconds": 2,
    "receipt_seconds": 2,
    "settle_seconds": 60,
}
"""What documentation leaves open, and what may be odd in a callback; see the README."""
_FISCAL = "/fiscal/v1/receipts/{kind:sell|refund}"
_SUBSCRIPTION = "/sbp/v1/subscriptions/{id}"
_REFUNDS = "/payments/{version:v1|v2}/orders/{order}/refunds/{id}"
ROUTES = (
    web.post("/settings/v1/callback", codes_api.set_callback, name="set_callback"),
    web.post("/sbp/v1/qr/register", registration.register_old, name="register_qr"),
    web.post("/sbp/v2/qrs", registration.register, name="register_qr_v2"),
    web.get("/sbp/v2/qrs/{id}", codes_api.show, name="get_qr"),
    web.delete("/sbp/v2/qrs/{id}", codes_api.cancel, name="cancel_qr"),
    web.get("/sbp/v1/qr/{id}/info", codes_api.info, name="qr_info"),
    web.get("/sbp/v1/qr/{id}/image", codes_api.image, name="qr_image"),
    web.get("/sbp/v1/qr/{id}/payment-info", codes_api.payment_info, name="payment_info"),
    web.post("/sbp/v1/qr-drafts/{id}", codes_api.draft, name="qr_draft"),
    web.post("/sbp/v1/refund", refunds_api.refund, name="create_refund"),
    web.get("/sbp/v1/refund/{id}", refunds_api.show_refund, name="get_refund"),
    web.post("/payment/v1/orders", orders_api.order, name="create_order"),
    web.get("/payment/v1/orders/{id}", orders_api.show_order, name="get_order"),
    web.delete("/payment/v1/orders/{id}", orders_api.cancel_order, name="cancel_order"),
    web.post(_REFUNDS, refunds_api.refund_order, name="create_order_refund"),
    web.get(_REFUNDS, refunds_api.show_order_refund, name="get_order_refund"),
    web.get("/payments/v2/banks", refunds_api.banks, name="banks"),
    web.post("/sbp/v1/subscriptions", subscriptions_api.subscription, name="create_subscription"),
    web.get(_SUBSCRIPTION, subscriptions_api.show_subscription, name="get_subscription"),
    web.post(f"{_SUBSCRIPTION}/orders", subscriptions_api.charge, name="charge"),
    web.get(f"{_SUBSCRIPTION}/orders/{{order}}", subscriptions_api.show_charge, name="get_charge"),
    web.post(_FISCAL, receipts_api.draft, name="draft_receipt"),
    web.put(f"{_FISCAL}/{{number}}", receipts_api.register, name="register_receipt"),
    web.get(f"{_FISCAL}/{{number}}", receipts_api.show, name="get_receipt"),
    web.post("/external-mock/v01/rfuture/payment/init", mock_api.pay, name="mock_pay"),
    web.get("/external-mock/v01/rfuture/qrs/{id}", mock_api.show, name="mock_qr"),
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
    app.add_routes(routes(_payer()))
    doors = web.Application(middlewares=[api.struck, api.spoken])
    doors.add_routes(ROUTES)
    app.add_subapp("/api", doors)
    app.add_subapp("/control", control.create())
    loops.attach(app, lambda: sweep(bank))
    return app


def lie(told: Told, dice: Random) -> Told:
    """Return a forged callback: a larger sum under the same signature, or another signature."""
    if dice.random() < 0.5:
        said = orjson.loads(told.body)
        said["amount"] = 999999
        return replace(told, body=orjson.dumps(said).decode())
    wrong = f"{dice.getrandbits(256):064x}"
    return replace(told, headers={"Content-Type": "application/json", SIGNATURE: wrong})


def _payer() -> Payer:
    return Payer(NAME, "Райффайзен Банк", wallet.find, wallet.listed, wallet.pay, wallet.refuse)
