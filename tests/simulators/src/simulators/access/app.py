"""The addresses of the access controller: the webhook, what it knows, and its faults.

`POST /` takes a webhook, `GET /` shows whom it keeps out, `/state.json` says the same. It applies
only revisions newer than the one it knows, whatever the order in which they come.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from aiohttp import web

from simulators import control
from simulators import web as pages
from simulators.access import wire
from simulators.clock import SECOND, SandboxClock, iso
from simulators.store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS access (
    contract TEXT PRIMARY KEY, revision INTEGER NOT NULL, blocked INTEGER NOT NULL,
    reason TEXT NOT NULL, available TEXT NOT NULL, heard_at INTEGER NOT NULL
);
"""
SHOWN = 200
SCRIPT_MAX = 1_000
_APPLY = """
INSERT INTO access (contract, revision, blocked, reason, available, heard_at)
VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (contract) DO UPDATE SET
    revision = excluded.revision, blocked = excluded.blocked, reason = excluded.reason,
    available = excluded.available, heard_at = excluded.heard_at
WHERE excluded.revision > access.revision
"""
_NEWEST = "SELECT * FROM access ORDER BY heard_at DESC, contract LIMIT ?"

CLOCK: web.AppKey[SandboxClock] = web.AppKey("access-clock", SandboxClock)
SECRET: web.AppKey[str] = web.AppKey("access-secret", str)
SCRIPT: web.AppKey[deque[int]] = web.AppKey("access-script", deque)


def create(secret: str, clock: SandboxClock) -> web.Application:
    """Return the application that is mounted at `/access` of the sandbox."""
    app = web.Application(client_max_size=wire.BODY_MAX)
    app[CLOCK], app[SECRET], app[SCRIPT] = clock, secret, deque()
    app.add_routes(
        [
            web.post("", hear),
            web.post("/", hear),
            web.get("", show),
            web.get("/", show),
            web.get("/state.json", list_),
        ]
    )
    faults = control.application()
    faults.add_routes([web.put("/state", set_state)])
    app.add_subapp("/control", faults)
    return app


async def hear(request: web.Request) -> web.Response:
    """`POST /`: take a webhook: 204; 401 where it is not signed, 400 where it says nothing."""
    script, store = request.config_dict[SCRIPT], request.config_dict[pages.STORE]
    if script and (status := script.popleft()):
        return web.Response(status=status)
    body, now = await request.read(), request.config_dict[CLOCK].now()
    try:
        wire.check(request.config_dict[SECRET], request.headers, body, now // SECOND)
    except wire.Refused as refused:
        return web.json_response({"error": str(refused)}, status=401)
    try:
        said = wire.read(body)
    except wire.Refused as refused:
        return web.json_response({"error": str(refused)}, status=400)
    values = (said.contract, said.revision, said.blocked, said.reason, said.available, now)
    store.run(_APPLY, *values)
    return web.Response(status=204)


async def show(request: web.Request) -> web.Response:
    """`GET /`: whom the controller keeps out and whom it lets in, the latest word first."""
    return pages.page(request, "access.html", states=_states(request.config_dict[pages.STORE]))


async def list_(request: web.Request) -> web.Response:
    """`GET /state.json` → `{"items": [{"contract", "revision", "blocked", ...}]}`."""
    return web.json_response({"items": _states(request.config_dict[pages.STORE])})


async def set_state(request: web.Request) -> web.Response:
    """`PUT /control/state {"script": [500, 0, 410]}`: statuses of the next answers; 0 is none."""
    body, script = await control.read(request), request.config_dict[SCRIPT]
    wanted = body.get("script", [])
    if not all(type(each) is int and (each == 0 or 200 <= each < 600) for each in wanted):
        raise control.Mistake("script: statuses, such as 500, or 0")
    script.clear()
    script.extend(wanted[:SCRIPT_MAX])
    return web.json_response({"script": list(script)})


def _states(store: Store) -> list[dict[str, Any]]:
    return [
        {
            "contract": row["contract"],
            "revision": row["revision"],
            "blocked": bool(row["blocked"]),
            "reason": row["reason"],
            "available": row["available"],
            "heard_at": iso(row["heard_at"]),
        }
        for row in store.all(_NEWEST, SHOWN)
    ]
