"""The cabinet: a subscriber sees the balances of their contracts and tops them up."""

from __future__ import annotations

import asyncio
from typing import Final
from uuid import UUID

import structlog
from aiohttp import web

from core_billing import sessions
from core_billing.web import links, saving, sign_in, topup_pages
from core_billing.web.texts import TEXTS
from core_billing.web.visit import CABINET, Cabinet, Visit, read_form, see_other, signed_in
from shared.db import reading, transaction
from shared.errors import NotFound, Text
from shared.web import pages

_ID: Final = "{id:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}}"
_NO_SESSION: Final = Text("You have no such session", "У вас нет такого входа")

_log = structlog.get_logger(__name__)


def application(cabinet: Cabinet) -> web.Application:
    """Return the cabinet, to be mounted at ``/cabinet``."""
    app = web.Application()
    app[CABINET] = cabinet
    app[sign_in.CHECKS] = asyncio.Semaphore(sign_in.CHECKS_AT_ONCE)
    pages.setup(app, __name__.rpartition(".")[0], {**TEXTS, **saving.TEXTS})
    add = app.router
    add.add_get("", _to_home)
    add.add_get("/", topup_pages.home, name="home")
    add.add_get("/login", sign_in.show, name="login")
    add.add_post("/login", sign_in.enter)
    add.add_post("/logout", sign_in.leave, name="logout")
    add.add_get("/topups", _to_home)
    add.add_post("/topups", topup_pages.order, name="topups")
    add.add_get(f"/topups/{_ID}", topup_pages.show, name="topup")
    add.add_get(f"/topups/{_ID}/status", topup_pages.status, name="topup_status")
    add.add_get(f"/topups/{_ID}/pay", topup_pages.pay, name="topup_pay")
    add.add_get("/autopay", links.autopay, name="autopay")
    add.add_get("/messages", links.messages, name="messages")
    add.add_get("/sessions", _sessions, name="sessions")
    add.add_post(f"/sessions/{_ID}/end", _end_session, name="session_end")
    return app


async def _to_home(request: web.Request) -> web.Response:
    return see_other(pages.address(request, "home"))


@signed_in
async def _sessions(request: web.Request, visit: Visit) -> web.Response:
    async with reading(visit.cabinet.db) as tx:
        mine = await sessions.of_subscriber(tx, visit.reader.id, visit.cabinet.clock())
    return pages.render(
        request,
        "sessions.html",
        sessions=mine,
        current=visit.session.id,
        timezone=visit.reader.timezone,
        csrf=visit.csrf,
    )


@signed_in
async def _end_session(request: web.Request, visit: Visit) -> web.Response:
    await read_form(request, visit)
    async with transaction(visit.cabinet.db) as tx:
        found = await sessions.revoke(tx, visit.reader.id, UUID(request.match_info["id"]))
    if not found:
        raise NotFound(_NO_SESSION)
    _log.info("session.revoked")
    return see_other(pages.address(request, "sessions"))
