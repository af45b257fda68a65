"""The code of a contract for its paper bill, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aiohttp import web
from pydantic import BaseModel

from gateway_sbp import papers
from gateway_sbp.acquirer import Acquirer
from shared.api import Api
from shared.errors import Conflict, NotFound, Text
from shared.gateway import directory
from shared.gateway.directory import CLOSED
from shared.gateway.gateway import Gateway
from shared.gateway.limits import Limits
from shared.gateway.scan import drawn

KEPT_SECONDS: Final = 86_400
_UNKNOWN: Final = Text(
    "There is no such contract: check the number", "Такого договора нет: проверьте номер"
)
_CLOSED: Final = Text(
    "The contract is closed and takes no payments", "Договор закрыт и платежей не принимает"
)


class Picture(BaseModel):
    """An SVG or a PNG, not JSON."""


def add(api: Api, gateway: Gateway, acquirers: Sequence[Acquirer], limits: Limits) -> None:
    """Add the pictures to the API; the code is registered at the bank when it is first wanted."""

    async def picture(request: web.Request, kind: str) -> web.Response:
        number = request.match_info["number"]
        await _require_open(gateway, number, limits)
        made = await papers.first(gateway, acquirers, number)
        shown = drawn(made.code.payload, kind)
        # The same for years; only who may ask for it keeps it.
        shown.headers["Cache-Control"] = f"private, max-age={KEPT_SECONDS}"
        return shown

    @api.get(
        "/v1/contracts/{number}/qr.svg",
        answers={200: Picture},
        scope="payments:read",
        summary="The code for a paper bill as SVG: paid many times, any sum",
    )
    async def draw_svg(request: web.Request) -> web.Response:
        return await picture(request, "svg")

    @api.get(
        "/v1/contracts/{number}/qr.png",
        answers={200: Picture},
        scope="payments:read",
        summary="The code for a paper bill as PNG: paid many times, any sum",
    )
    async def draw_png(request: web.Request) -> web.Response:
        return await picture(request, "png")


async def _require_open(gateway: Gateway, number: str, limits: Limits) -> None:
    known = await directory.awaited(gateway.db, [number], limits.contract_wait)
    if number not in known:
        raise NotFound(_UNKNOWN)
    if known[number].status == CLOSED:
        raise Conflict(_CLOSED)
