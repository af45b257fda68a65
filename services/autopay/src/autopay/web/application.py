"""Autopay's addresses put together: the API, and the pages behind signed links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from aiohttp import web

from autopay.autopay import Autopay
from autopay.web import charges_api, mandate_page, mandates_api, skip_page, terms_page
from autopay.web.base import AUTOPAY, PREFIX, TRUSTED, api
from autopay.web.texts import TEXTS
from shared.client import Network
from shared.room import Handler, Room
from shared.settings import ApiToken
from shared.web import pages

__all__ = ["AREAS", "PREFIX", "application"]

AREAS: Final = (mandates_api, charges_api)
"""The areas of the API: importing them registers their addresses."""
_PAGES: Final[Sequence[tuple[str, str, Handler | None, Handler | None]]] = (
    ("mandate", "/", mandate_page.show, None),
    ("new", "/new", terms_page.show_new, terms_page.make),
    ("change", "/change", terms_page.show_change, terms_page.change),
    ("pause", "/pause", None, mandate_page.pause),
    ("resume", "/resume", None, mandate_page.resume),
    ("skip_next", "/skip-next", None, mandate_page.skip_next),
    ("revoke", "/revoke", mandate_page.ask_to_revoke, mandate_page.revoke),
    ("skip", "/skip", skip_page.show, skip_page.skip),
)


def application(
    autopay: Autopay, tokens: Mapping[str, ApiToken], trusted: Sequence[Network]
) -> web.Application:
    """Return the application to mount at `PREFIX`."""
    app = api.application(tokens)
    app[AUTOPAY] = autopay
    app[TRUSTED] = trusted

    async def home(_request: web.Request) -> web.Response:
        raise web.HTTPSeeOther(f"{autopay.public_url.rstrip('/')}/cabinet/")

    pages.setup(app, __name__.rpartition(".")[0], TEXTS)
    # Where an error page leads.
    app.router.add_get("/home", home, name="home", allow_head=False)
    room = Room()
    for name, path, look, act in _PAGES:
        resource = app.router.add_resource(path, name=name)
        if look is not None:
            resource.add_route("GET", room.bounded(look))
        if act is not None:
            resource.add_route("POST", room.bounded(act))
    return app
