"""The stop button: a signed link that shows a saved method and takes it back with one press.

It works without a session, on a phone, twice, and for as long as a letter is kept. Looking at the
page changes nothing, because readers of mail open links by themselves; the method is removed
before the press is answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from uuid import UUID

from aiohttp import web

from shared.crypto import Link, read_link, write_link
from shared.db import reading, transaction
from shared.errors import NotFound, Text
from shared.gateway import methods, methods_saving
from shared.gateway.gateway import Gateway
from shared.gateway.method import MethodStatus
from shared.gateway.methods_rules import Method
from shared.web import pages

PURPOSE: Final = "stop"
LASTS: Final = timedelta(days=3650)

TEXTS: Final[Mapping[str, Text]] = {
    "stop_title": Text("Automatic payments", "Автоматические платежи"),
    "stop_text": Text(
        "Saved for contract {contract}: {title}. Payments are taken from it automatically.",
        "Сохранено для договора {contract}: {title}. С этого способа платежи списываются сами.",
    ),
    "stop_button": Text("Stop and remove", "Остановить и удалить"),
    "stop_hint": Text(
        "It takes effect at once. To pay automatically again, save a card anew.",
        "Подействует сразу. Чтобы снова платить автоматически, сохраните карту заново.",
    ),
    "stopped_title": Text("Stopped", "Остановлено"),
    "stopped_text": Text(
        "{title} is removed: nothing more will be taken from it.",
        "{title}: способ удалён, списаний с него больше не будет.",
    ),
    "stop_nameless": Text("a saved payment method", "сохранённый способ оплаты"),
}

_UNKNOWN: Final = Text("There is no such payment method", "Такого способа оплаты нет")


def stop_link(gateway: Gateway, page_url: str, method_id: UUID) -> str:
    """Return the address of one method's stop button; `page_url` is where the page is served."""
    until = gateway.clock() + LASTS
    link = Link(gateway.service, PURPOSE, str(method_id), until, {})
    return f"{page_url}?m={write_link(gateway.signer, link)}"


def setup(app: web.Application, gateway: Gateway) -> None:
    """Add the page to a gateway's application, after its other pages."""

    async def show(request: web.Request) -> web.StreamResponse:
        method_id = _named(request, gateway)
        async with reading(gateway.db) as tx:
            found = await methods.find(tx, method_id)
        if found is None:
            raise NotFound(_UNKNOWN)
        return _page(request, found)

    async def stop(request: web.Request) -> web.StreamResponse:
        method_id = _named(request, gateway)
        async with transaction(gateway.db) as tx:
            gone = await methods_saving.remove(tx, gateway, method_id, gateway.clock())
        if gone is None:
            raise NotFound(_UNKNOWN)
        return _page(request, gone)

    app.router.add_get("/methods/stop", show, name="stop", allow_head=False)
    app.router.add_post("/methods/stop", stop)


def _named(request: web.Request, gateway: Gateway) -> UUID:
    link = read_link(
        gateway.signer,
        request.query.get("m", ""),
        audience=gateway.service,
        purpose=PURPOSE,
        at=gateway.clock(),
    )
    method_id = methods.parse(link.subject)
    if method_id is None:
        raise NotFound(_UNKNOWN)
    return method_id


def _page(request: web.Request, method: Method) -> web.Response:
    t = pages.translate(request)
    title = method.title or t("stop_nameless")
    gone = method.status is MethodStatus.REMOVED
    return pages.render(
        request,
        "stop.html",
        gone=gone,
        title=t("stopped_title") if gone else t("stop_title"),
        text=t("stopped_text", title=title)
        if gone
        else t("stop_text", contract=method.contract, title=title),
        action=f"?m={request.query['m']}",
    )
