"""Control of the simulated YooKassa: time, callback address, mischief, faults, keys."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import date
from typing import Any

from aiohttp import web

from simulators import control
from simulators.clock import iso
from simulators.settings import require_loopback
from simulators.yookassa import (
    control_deliveries,
    control_page,
    control_payments,
    delivery,
    register,
    script,
)
from simulators.yookassa.api import provider_of
from simulators.yookassa.faults import KINDS
from simulators.yookassa.sweep import sweep

TABLES = ("payment", "refund", "receipt", "method", "script", "delivery", "attempt", "idempotence")
PAGE = 1_000
_WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FAR = 10 * 366 * 24 * 3_600


def create() -> web.Application:
    """Return the application that is mounted at `/yookassa/control`."""
    app = control.application()
    app.add_routes(
        [
            *control_page.ROUTES,
            web.get("/state", state),
            web.post("/reset", reset),
            web.get("/clock", clock),
            web.post("/clock", advance),
            web.get("/callback", callback),
            web.put("/callback", set_callback),
            web.get("/mischief", mischief),
            web.put("/mischief", set_mischief),
            web.get("/faults", faults),
            web.post("/faults", add_faults),
            web.delete("/faults", clear_faults),
            web.get("/keys", keys),
            web.put("/scripts/{key}", set_script),
            web.get("/registers/{kind}", daily_register),
            *control_payments.ROUTES,
            *control_deliveries.ROUTES,
        ]
    )
    return app


async def state(request: web.Request) -> web.Response:
    """`GET /state`: how many payments in which status and their kopecks, refunds, deliveries."""
    store = provider_of(request).store
    payments = store.all(
        "SELECT shop_id, status, count(*) AS number, sum(amount_kopecks) AS kopecks "
        "FROM payment GROUP BY shop_id, status ORDER BY shop_id, status"
    )
    refunds = store.all(
        "SELECT shop_id, status, count(*) AS number, sum(amount_kopecks) AS kopecks "
        "FROM refund GROUP BY shop_id, status ORDER BY shop_id, status"
    )
    deliveries = store.all(
        "SELECT kind, state, count(*) AS number FROM delivery "
        "GROUP BY kind, state ORDER BY kind, state"
    )
    body = {"payments": payments, "refunds": refunds, "deliveries": deliveries}
    return web.json_response({name: [dict(row) for row in rows] for name, rows in body.items()})


async def reset(request: web.Request) -> web.Response:
    """`POST /reset`: forget every object, key, fault and mischief; the clock keeps its shift."""
    provider = provider_of(request)
    with provider.store.transaction():
        for table in TABLES:
            provider.store.run(f"DELETE FROM {table}")
    provider.faults.faults.clear()
    provider.mischief = delivery.Mischief()
    provider.dice.seed(provider.settings.seed)
    return web.json_response({})


async def clock(request: web.Request) -> web.Response:
    """`GET /clock` → `{"now"}`, the provider's time."""
    return web.json_response({"now": iso(provider_of(request).clock.now())})


async def advance(request: web.Request) -> web.Response:
    """`POST /clock {"advance_seconds": 3600}`: move time forward and let all happen that is due."""
    provider = provider_of(request)
    seconds = control.whole(await control.read(request), "advance_seconds", 0, FAR)
    provider.clock.advance(seconds * 1_000)
    sweep(provider)
    provider.bell.set()
    return await clock(request)


async def callback(request: web.Request) -> web.Response:
    """`GET /callback` → `{"url"}`, where notifications go."""
    return web.json_response({"url": provider_of(request).callback_url})


async def set_callback(request: web.Request) -> web.Response:
    """`PUT /callback {"url": "http://127.0.0.1:..." | null}`: as in the shop's profile."""
    provider = provider_of(request)
    url = (await control.read(request)).get("url")
    provider.callback_url = None if url is None else require_loopback(str(url))
    return await callback(request)


async def mischief(request: web.Request) -> web.Response:
    """`GET /mischief` → the probabilities and delays of `delivery.Mischief`."""
    return web.json_response(asdict(provider_of(request).mischief))


async def set_mischief(request: web.Request) -> web.Response:
    """`PUT /mischief {"duplicate": 0.2, "loss": 0.1, "jitter": 500, ...}`; what is not named is
    off.
    """
    wanted = delivery.Mischief(**await control.read(request))
    for each in fields(wanted):
        value = getattr(wanted, each.name)
        if not isinstance(value, int | float) or value < 0:
            raise control.Mistake(f"{each.name} must be a number, not less than 0")
    provider_of(request).mischief = wanted
    return await mischief(request)


async def faults(request: web.Request) -> web.Response:
    """`GET /faults` → the kinds there are, and the faults in force with their hits."""
    plan = provider_of(request).faults
    return web.json_response({"kinds": KINDS, "faults": [asdict(each) for each in plan.faults]})


async def add_faults(request: web.Request) -> web.Response:
    """`POST /faults {"faults": [{"kind", "calls"?, "times"?, "probability"?, "delay"?,
    "retry_after"?}]}`.
    """
    provider_of(request).faults.add((await control.read(request))["faults"])
    return await faults(request)


async def clear_faults(request: web.Request) -> web.Response:
    """`DELETE /faults`: no more faults."""
    provider_of(request).faults.faults.clear()
    return await faults(request)


async def keys(request: web.Request) -> web.Response:
    """`GET /keys`: the last thousand Idempotence-Keys, newest first."""
    rows = provider_of(request).store.all(
        "SELECT shop_id, key, first_at, address, data, object_id FROM idempotence "
        "ORDER BY first_at DESC LIMIT ?",
        PAGE,
    )
    items: list[dict[str, Any]] = [dict(row) for row in rows]
    return web.json_response({"items": items})


async def set_script(request: web.Request) -> web.Response:
    """`PUT /scripts/{key} {"outcomes": ["insufficient_funds", {"status": "pending", ...}]}`.

    Keys are `method:<id>`, `charge`, `refund:<payment id>`, `refund` (see `script`).
    """
    outcomes = [script.outcome(each) for each in (await control.read(request))["outcomes"]]
    script.write(provider_of(request).store, request.match_info["key"], outcomes)
    return web.json_response({"outcomes": [asdict(each) for each in outcomes]})


async def daily_register(request: web.Request) -> web.Response:
    """`GET /registers/payments|refunds?day=2026-11-22&shop_id=&form=csv&encoding=utf-8&decimal=.`

    Encodings: utf-8, utf-8-sig, windows-1251; decimals: a dot or a comma; `form=xlsx` is a workbook
    and has no encoding; `totals=no` leaves the last lines out.
    """
    provider, query = provider_of(request), request.query
    kind, decimal = request.match_info["kind"], query.get("decimal", ".")
    form = query.get("form", "csv")
    if kind not in {"payments", "refunds"} or decimal not in {".", ","}:
        raise control.Mistake("there are payments and refunds, and a dot or a comma")
    if form not in {"csv", "xlsx"}:
        raise control.Mistake("there are csv and xlsx")
    wanted = register.Register(
        "payments" if kind == "payments" else "refunds",
        query.get("shop_id", provider.settings.shops[0].id),
        date.fromisoformat(query["day"]),
        "." if decimal == "." else ",",
        totals=query.get("totals") != "no",
        form="csv" if form == "csv" else "xlsx",
    )
    made = register.table(provider.store, wanted)
    text = made.csv().encode(query.get("encoding", "utf-8"), "replace")
    headers = {"Content-Disposition": f'attachment; filename="{wanted.name}"'}
    body, kind_of = (made.xlsx(), _WORKBOOK) if form == "xlsx" else (text, "text/csv")
    return web.Response(body=body, content_type=kind_of, headers=headers)
