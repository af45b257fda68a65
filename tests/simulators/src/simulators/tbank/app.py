"""Puts the simulated T-Bank together."""

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
from simulators.settings import SandboxSettings
from simulators.store import Store
from simulators.tbank import (
    api,
    bindings_api,
    control,
    model,
    payments_api,
    refunds_api,
    wallet,
)
from simulators.tbank.sweep import sweep

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
    "qr_off": False,
    "charges_off": False,
    "shows_the_rest": True,
    "state_is_error": False,
    "authorized_too": True,
    "success_as_text": False,
    "unknown_fields": False,
    "binding_type": "LINKACCOUNT",
    "typos": False,
    "member_needed": True,
    "pay_also_binds": True,
    "pays_late": False,
    "refusal_is_final": False,
    "settle_seconds": 60,
    "binding_seconds": 0,
    "refund_seconds": 2,
}
"""What documentation leaves open, and what may be odd in a notification; see the README."""
METHODS: dict[str, api.Method] = {
    "Init": payments_api.init,
    "GetQr": payments_api.get_qr,
    "GetState": payments_api.get_state,
    "CheckOrder": payments_api.check_order,
    "GetStaticQr": payments_api.static_qr,
    "SbpPayTest": payments_api.pay_test,
    "Cancel": refunds_api.cancel,
    "GetQrState": refunds_api.get_qr_state,
    "QrMembersList": refunds_api.members,
    "GetQrBankList": refunds_api.banks,
    "AddAccountQr": bindings_api.add_account,
    "GetAddAccountQrState": bindings_api.account_state,
    "GetAccountQrList": bindings_api.accounts,
    "ChargeQr": bindings_api.charge,
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
        faults=FaultPlan(dice, frozenset(METHODS)),
        callback_url=settings.tbank_callback_url,
        lie=lie,
        offsets=OFFSETS,
        accepted=lambda status, said: status == web.HTTPOk.status_code and said == b"OK",
        knobs=dict(KNOBS),
    )
    app = web.Application(middlewares=[explain])
    app[BANK] = bank
    payer = Payer(NAME, "Т-Банк", wallet.find, wallet.listed, wallet.pay, wallet.refuse)
    app.add_routes(routes(payer))
    doors = web.Application(middlewares=[api.struck])
    doors.add_routes(
        [web.post(f"/{name}", api.door(method), name=name) for name, method in METHODS.items()]
    )
    app.add_subapp("/v2", doors)
    app.add_subapp("/control", control.create())
    loops.attach(app, lambda: sweep(bank))
    return app


def lie(told: Told, dice: Random) -> Told:
    """Return a forged notification: a larger sum, or paid, under a token that does not fit."""
    said = orjson.loads(told.body)
    said |= {"Amount": 99999900} if dice.random() < 0.5 else {"Status": "CONFIRMED", "Token": "0"}
    return replace(told, body=orjson.dumps(said).decode())
