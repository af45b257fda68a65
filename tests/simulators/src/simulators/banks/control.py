"""Control of a simulated bank: time, callbacks, mischief, faults, knobs, scripts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any

from aiohttp import web

from simulators import control
from simulators.banks.bank import Mischief, Told, bank_of
from simulators.banks.faults import KINDS
from simulators.clock import iso
from simulators.control import Mistake
from simulators.settings import require_loopback

PAGE = 1_000
FAR = 10 * 366 * 24 * 3_600
REPEATS_MAX = 100
NULLABLE = frozenset({"no_info"})
"""Knobs that may be null; all others are of one kind."""

Sweep = Callable[[web.Request], None]
"""Lets everything happen that is due by now."""


def create(tables: tuple[str, ...], sweep: Sweep) -> web.Application:
    """Return the application that is mounted at `/<bank>/control`; `tables` are forgotten."""
    app = control.application()

    async def reset(request: web.Request) -> web.Response:
        """`POST /reset`: forget every object, fault and mischief; the clock keeps its shift."""
        bank = bank_of(request)
        with bank.store.transaction():
            for table in tables:
                bank.store.run(f"DELETE FROM {table}")
            bank.store.run(
                "DELETE FROM bank_attempt WHERE delivery_id IN "
                "(SELECT id FROM bank_delivery WHERE bank = ?)",
                bank.name,
            )
            bank.store.run("DELETE FROM bank_delivery WHERE bank = ?", bank.name)
        bank.faults.faults.clear()
        bank.scripts.clear()
        bank.mischief = Mischief()
        return web.json_response({})

    async def advance(request: web.Request) -> web.Response:
        """`POST /clock {"advance_seconds"}`: move time forward and let happen what is due."""
        bank = bank_of(request)
        seconds = control.whole(await control.read(request), "advance_seconds", 0, FAR)
        bank.clock.advance(seconds * 1_000)
        sweep(request)
        bank.bell.set()
        return await _clock(request)

    app.add_routes(
        [
            web.post("/reset", reset),
            web.get("/clock", _clock),
            web.post("/clock", advance),
            web.get("/callback", _callback),
            web.put("/callback", _set_callback),
            web.get("/mischief", _mischief),
            web.put("/mischief", _set_mischief),
            web.get("/faults", _faults),
            web.post("/faults", _add_faults),
            web.delete("/faults", _clear_faults),
            web.get("/knobs", _knobs),
            web.put("/knobs", _set_knobs),
            web.put("/scripts/{key}", _set_script),
            web.get("/deliveries", _deliveries),
            web.post("/deliveries/repeat", _repeat),
            web.post("/deliveries/hasten", _hasten),
            web.post("/deliveries/forge", _forge),
        ]
    )
    return app


async def _clock(request: web.Request) -> web.Response:
    return web.json_response({"now": iso(bank_of(request).clock.now())})


async def _callback(request: web.Request) -> web.Response:
    return web.json_response({"url": bank_of(request).callback_url})


async def _set_callback(request: web.Request) -> web.Response:
    url = (await control.read(request)).get("url")
    bank_of(request).callback_url = None if url is None else require_loopback(str(url))
    return await _callback(request)


async def _mischief(request: web.Request) -> web.Response:
    return web.json_response(asdict(bank_of(request).mischief))


async def _set_mischief(request: web.Request) -> web.Response:
    """`PUT /mischief`: what is not named is off."""
    wanted = await control.read(request)
    unknown = set(wanted) - {each.name for each in fields(Mischief)}
    if unknown:
        raise Mistake(f"no such mischief: {', '.join(sorted(unknown))}")
    for name, value in wanted.items():
        _fits(name, value, getattr(Mischief(), name))
    bank_of(request).mischief = Mischief(**wanted)
    return await _mischief(request)


async def _faults(request: web.Request) -> web.Response:
    plan = bank_of(request).faults
    known = {"kinds": KINDS, "calls": sorted(plan.calls)}
    return web.json_response({"faults": [asdict(fault) for fault in plan.faults], **known})


async def _add_faults(request: web.Request) -> web.Response:
    bank_of(request).faults.add((await control.read(request)).get("faults", []))
    return await _faults(request)


async def _clear_faults(request: web.Request) -> web.Response:
    bank_of(request).faults.faults.clear()
    return await _faults(request)


async def _knobs(request: web.Request) -> web.Response:
    return web.json_response(bank_of(request).knobs)


async def _set_knobs(request: web.Request) -> web.Response:
    """`PUT /knobs {...}`: what is named is set, the others stay."""
    knobs, wanted = bank_of(request).knobs, await control.read(request)
    unknown = set(wanted) - set(knobs)
    if unknown:
        raise Mistake(f"no such knob: {', '.join(sorted(unknown))}")
    for name, value in wanted.items():
        if name not in NULLABLE or value is not None:
            _fits(name, value, "" if name in NULLABLE else knobs[name])
    knobs.update(wanted)
    return await _knobs(request)


def _fits(name: str, value: Any, like: Any) -> None:
    """Raise Mistake for what is not of the same kind; a whole number serves as a chance."""
    kind = type(like)
    if type(value) is not kind and not (kind is float and type(value) is int):
        raise Mistake(f"{name} must be like {like!r}, not {value!r}")


async def _set_script(request: web.Request) -> web.Response:
    """`PUT /scripts/<key> {"outcomes": [...]}`: what the next of them come to."""
    outcomes = (await control.read(request)).get("outcomes")
    if not isinstance(outcomes, list):
        raise Mistake("outcomes must be a list")
    bank_of(request).scripts[request.match_info["key"]] = list(outcomes)
    return web.json_response({"outcomes": outcomes})


async def _deliveries(request: web.Request) -> web.Response:
    """`GET /deliveries?object_id=&state=&kind=&limit=`: the log, with every attempt."""
    bank, query = bank_of(request), request.query
    wanted = {name: query[name] for name in ("object_id", "state", "kind") if name in query}
    where = "".join(f" AND {name} = ?" for name in wanted)
    limit = min(PAGE, int(query.get("limit", PAGE)))
    rows = bank.store.all(
        f"SELECT * FROM bank_delivery WHERE bank = ?{where} ORDER BY id LIMIT ?",
        *(bank.name, *wanted.values(), limit),
    )
    items = []
    for row in rows:
        tried = bank.store.all(
            "SELECT * FROM bank_attempt WHERE delivery_id = ? ORDER BY number", row["id"]
        )
        items.append(dict(row) | {"tried": [dict(one) for one in tried]})
    return web.json_response({"items": items})


async def _repeat(request: web.Request) -> web.Response:
    """`POST /deliveries/repeat {"object_id", "times"?}`: tell the last word of it again."""
    bank, body = bank_of(request), await control.read(request)
    row = bank.store.one(
        "SELECT * FROM bank_delivery WHERE bank = ? AND object_id = ? AND kind != 'forged' "
        "ORDER BY id DESC LIMIT 1",
        bank.name,
        str(body.get("object_id", "")),
    )
    if row is None:
        raise Mistake("nothing was told of it", status=404)
    told = Told(row["object_id"], row["body"], json.loads(row["headers"]), row["url"])
    times = control.whole(body, "times", 1, REPEATS_MAX)
    for _ in range(times):
        bank.post("duplicate", told, 0, "waiting")
    bank.bell.set()
    return web.json_response({"repeated": times})


async def _hasten(request: web.Request) -> web.Response:
    """`POST /deliveries/hasten {"all"?}`: what waits is due now; with `all` also what was lost."""
    bank, body = bank_of(request), await control.read(request)
    states = "('waiting', 'lost', 'given_up')" if body.get("all") else "('waiting')"
    count = bank.store.run(
        f"UPDATE bank_delivery SET state = 'waiting', due_at = ? WHERE bank = ? "
        f"AND state IN {states}",
        bank.clock.now(),
        bank.name,
    )
    bank.bell.set()
    return web.json_response({"hastened": count})


async def _forge(request: web.Request) -> web.Response:
    """`POST /deliveries/forge {"body", "headers"?, "times"?}`: send any callback whatever."""
    bank, body = bank_of(request), await control.read(request)
    headers: dict[str, str] = body.get("headers") or {"Content-Type": "application/json"}
    if not all("\n" not in f"{name}{value}" for name, value in headers.items()):
        raise Mistake("a header is one line")
    told = Told("forged", str(body.get("body", "")), {n: str(v) for n, v in headers.items()})
    for _ in range(control.whole(body, "times", 1, REPEATS_MAX)):
        bank.post("forged", told, 0, "waiting")
    bank.bell.set()
    return web.json_response({})
