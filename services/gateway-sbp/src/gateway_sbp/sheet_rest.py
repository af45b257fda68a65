"""Sheets over the API, and the page that is printed.

Whoever asked for a sheet gets a signed address of its page, because a browser sends no token.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Annotated, Final
from uuid import UUID

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, Field

from gateway_sbp import sheets
from gateway_sbp.sheet_work import SHEETS
from gateway_sbp.sheets import CONTRACTS_MAX, Line, Sheet, State
from shared import api as apis
from shared.api import TOKEN, Api
from shared.crypto import Link, read_link, write_link
from shared.db import raise_signal, reading, transaction
from shared.errors import FieldError, Invalid, NotFound, Text
from shared.gateway import directory
from shared.gateway.directory import CLOSED
from shared.gateway.forms import Body
from shared.gateway.gateway import Gateway
from shared.gateway.limits import Limits
from shared.web import codes, pages

BODY_BYTES_MAX: Final = 512 * 1024
SHEET: Final = "sheet"
OPEN: Final = timedelta(days=7)
"""How long a sheet's page can be opened by its address."""
PAGE_LINES: Final = 500
WRONG_MAX: Final = 20
_LOOK_MAX: Final = 500

_NO_SHEET: Final = Text("There is no such sheet", "Такого листа нет")


class NewSheet(Body):
    """The contracts whose codes are to be printed, in this order."""

    contracts: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=64)], ...],
        Field(min_length=1, max_length=CONTRACTS_MAX),
    ]


class SheetView(BaseModel):
    """A sheet and how far it is."""

    id: UUID
    state: str
    """`working`, then `finished`."""
    total: int
    ready: int
    failed: int
    created_at: AwareDatetime
    print_url: str
    """The page to print; it shows what is ready."""


def add(api: Api, gateway: Gateway, limits: Limits, audience: str, prefix: str) -> None:
    """Add the operations of sheets to the API."""
    base = f"{limits.public_url.rstrip('/')}{prefix}/sheets"

    def view(made: Sheet) -> SheetView:
        until = gateway.clock() + OPEN
        token = write_link(gateway.signer, Link(audience, SHEET, str(made.id), until, {}))
        return SheetView(
            id=made.id,
            state="finished" if made.finished else "working",
            total=made.total,
            ready=made.ready,
            failed=made.failed,
            created_at=made.created_at,
            print_url=f"{base}?sheet={token}",
        )

    @api.post(
        "/v1/sheets",
        body=NewSheet,
        answers={202: SheetView},
        scope="payments:write",
        summary="Make a sheet of codes to print, for as many as 5 000 contracts",
    )
    async def make_sheet(request: web.Request, body: NewSheet) -> web.Response:
        await _require_open(gateway, body.contracts)
        async with transaction(gateway.db) as tx:
            caller = request[TOKEN].name
            made = await sheets.make(tx, body.contracts, caller, gateway.clock())
            raise_signal(tx, SHEETS)
        return apis.answer(view(made), 202)

    @api.get(
        "/v1/sheets/{id}",
        answers={200: SheetView},
        scope="payments:read",
        summary="See how far a sheet is",
    )
    async def show_sheet(request: web.Request) -> web.Response:
        return apis.answer(view(await _found(gateway, request.match_info["id"])))


def setup(app: web.Application, gateway: Gateway, audience: str) -> None:
    """Add the page that is printed."""

    async def page(request: web.Request) -> web.Response:
        token, at = request.query.get("sheet", ""), gateway.clock()
        link = read_link(gateway.signer, token, audience=audience, purpose=SHEET, at=at)
        made = await _found(gateway, link.subject)
        since = _since(request.query.get("from", "0"))
        async with reading(gateway.db) as tx:
            found = await sheets.lines(tx, made.id, since, PAGE_LINES)
        ready = [one for one in found if one.status is State.READY]
        # A code takes milliseconds to draw: hundreds of them are not for the loop.
        drawn = await asyncio.to_thread(_drawn, ready)
        more = since + PAGE_LINES
        return pages.render(
            request,
            "sheet.html",
            made=made,
            codes=drawn,
            bad=[one for one in found if one.status is State.FAILED],
            further=f"?sheet={token}&from={more}" if more < made.total else None,
        )

    app.router.add_get("/sheets", page, name="sheet", allow_head=False)


def _drawn(ready: list[Line]) -> list[tuple[str, str]]:
    return [(one.contract, codes.svg(one.payload or "", one.contract)) for one in ready]


def _since(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0


async def _found(gateway: Gateway, text: str) -> Sheet:
    try:
        sheet_id = UUID(text)
    except ValueError:
        raise NotFound(_NO_SHEET) from None
    async with reading(gateway.db) as tx:
        found = await sheets.find(tx, sheet_id)
    if found is None:
        raise NotFound(_NO_SHEET)
    return found


async def _require_open(gateway: Gateway, contracts: tuple[str, ...]) -> None:
    """Raise Invalid that names the first contracts which are unknown, closed or named twice."""
    known: dict[str, directory.Entry] = {}
    async with reading(gateway.db) as tx:
        for begin in range(0, len(contracts), _LOOK_MAX):
            known |= await directory.entries(tx, contracts[begin : begin + _LOOK_MAX])
    wrong: list[FieldError] = []
    seen: set[str] = set()
    for index, number in enumerate(contracts):
        field, entry = f"contracts.{index}", known.get(number)
        if number in seen:
            wrong.append(FieldError(field, Text("named twice", "указан дважды")))
        elif entry is None:
            wrong.append(FieldError(field, directory.UNKNOWN))
        elif entry.status == CLOSED:
            wrong.append(directory.closed(field))
        seen.add(number)
    if wrong:
        raise Invalid(*wrong[:WRONG_MAX])
