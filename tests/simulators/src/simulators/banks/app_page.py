"""The payer's bank app as a page: it reads a code, shows the sum, pays or refuses.

A real payload opens an app that is not on this machine, so the page takes the payload, or the id in
it, and each bank's index lists the codes that can be paid.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from aiohttp import web

from simulators import control
from simulators import web as pages
from simulators.banks import nspk
from simulators.control import Mistake

LISTED_MAX = 50


@dataclass(frozen=True, slots=True)
class Code:
    """A code as its payer sees it."""

    id: str
    payload: str
    title: str
    """Whom and what for."""
    kopecks: int | None
    """None where the payer types the sum."""
    binding: bool
    """A consent to later charges, not a payment."""
    payable: bool
    state: str
    """The bank's own word."""


@dataclass(frozen=True, slots=True)
class Payer:
    """What a bank lets its payers do; each raises Mistake for what cannot be done."""

    name: str
    title: str
    find: Callable[[web.Request, str], Code | None]
    listed: Callable[[web.Request], Sequence[Code]]
    pay: Callable[[web.Request, str, Any], dict[str, Any]]
    """Pays, or agrees to a binding; the last argument is a sum as typed, or None."""
    refuse: Callable[[web.Request, str], dict[str, Any]]
    """Refuses, or revokes a binding."""


def routes(payer: Payer) -> list[web.RouteDef]:
    """Return the routes of a bank's app."""
    app = _App(payer)
    return [
        web.get("", app.home),
        web.get("/", app.home),
        web.get("/app", app.show),
        web.post("/qr/{id}/pay", app.pay),
        web.post("/qr/{id}/refuse", app.refuse),
    ]


@dataclass(frozen=True, slots=True)
class _App:
    payer: Payer

    async def home(self, request: web.Request) -> web.Response:
        """`GET /`: the codes that can be paid."""
        codes = self.payer.listed(request)[:LISTED_MAX]
        return pages.page(request, "bank_home.html", bank=self.payer, codes=codes)

    async def show(self, request: web.Request) -> web.Response:
        """`GET /app?qr=<id>` or `?payload=<what the code holds>`."""
        query = request.query
        return self._page(request, nspk.id_of(query.get("payload") or query.get("qr", "")))

    async def pay(self, request: web.Request) -> web.StreamResponse:
        """`POST /qr/{id}/pay {"amount"?}`: what the button does; form or JSON."""
        return await self._act(request, self.payer.pay)

    async def refuse(self, request: web.Request) -> web.StreamResponse:
        """`POST /qr/{id}/refuse`: the payer's bank refuses, or the payer revokes a binding."""
        return await self._act(request, lambda given, qr_id, _: self.payer.refuse(given, qr_id))

    async def _act(
        self, request: web.Request, act: Callable[[web.Request, str, Any], dict[str, Any]]
    ) -> web.StreamResponse:
        qr_id = request.match_info["id"]
        if request.content_type != "application/x-www-form-urlencoded":
            body = await control.read(request)
            return web.json_response(act(request, qr_id, body.get("amount")))
        form = await request.post()
        try:
            act(request, qr_id, form.get("amount"))
        except Mistake as error:
            return self._page(request, qr_id, mistake=str(error), status=error.status)
        # Back to the page, so that a reload does not pay again.
        place = urlencode({"qr": qr_id, "done": request.path.rpartition("/")[2]})
        raise web.HTTPSeeOther(f"{_prefix(request)}/{self.payer.name}/app?{place}")

    def _page(
        self, request: web.Request, qr_id: str, mistake: str | None = None, status: int = 200
    ) -> web.Response:
        code = self.payer.find(request, qr_id)
        if code is None:
            return pages.page(request, "gone.html", status=404, what="Код не найден")
        return pages.page(
            request,
            "bank_app.html",
            status=status,
            bank=self.payer,
            code=code,
            done=request.query.get("done"),
            mistake=mistake,
        )


def _prefix(request: web.Request) -> str:
    return urlsplit(request.config_dict[pages.SETTINGS].public_url).path.rstrip("/")
