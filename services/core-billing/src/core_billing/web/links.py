"""The ways from the cabinet to the pages of other services: signed links, made when clicked.

Whoever holds such a link acts for the contract, so it lives an hour and stands on no page.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final, NamedTuple
from urllib.parse import urlencode

from aiohttp import web

from core_billing.web.visit import Visit, own_contract, see_other, signed_in
from shared.crypto import Link, write_link
from shared.db import reading
from shared.errors import NotFound, Text

LASTS: Final = timedelta(hours=1)
_NOT_HERE: Final = Text("There is no such page", "Такой страницы нет")


class Place(NamedTuple):
    """A page of another service: for whom and for what its links are signed, and where it is."""

    audience: str
    purpose: str
    path: str


AUTOPAY: Final = Place("autopay", "mandate", "/autopay/")
MESSAGES: Final = Place("notifier", "preferences", "/notifier/preferences")


@signed_in
async def autopay(request: web.Request, visit: Visit) -> web.Response:
    """Lead to the mandate of a contract."""
    return await _lead(request, visit, AUTOPAY)


@signed_in
async def messages(request: web.Request, visit: Visit) -> web.Response:
    """Lead to what a contract's subscriber is told, and where."""
    return await _lead(request, visit, MESSAGES)


async def _lead(request: web.Request, visit: Visit, place: Place) -> web.Response:
    """Lead on with a link; without a word it is about the contract that was signed in with."""
    cabinet = visit.cabinet
    if place.audience not in cabinet.services:
        raise NotFound(_NOT_HERE)
    number = request.query.get("contract", visit.session.contract)
    async with reading(cabinet.db) as tx:
        await own_contract(tx, visit, number)
    until = cabinet.clock() + LASTS
    link = Link(place.audience, place.purpose, number, until, {"contract": number})
    token = urlencode({"token": write_link(cabinet.signer, link)})
    return see_other(f"{cabinet.public_url.rstrip('/')}{place.path}?{token}")
