"""`/autopay/v1/charges` and `/autopay/v1/methods`: what was charged, and what could be."""

from __future__ import annotations

from aiohttp import web

from autopay import charges, methods
from autopay.web.base import AUTOPAY, api, cursor, read_cursor
from autopay.web.bodies import ChargesQuery, OfContract
from autopay.web.views import ChargePage, MethodList, charge_view, method_list
from shared import api as apis
from shared.db import reading


@api.get(
    "/v1/charges",
    answers={200: ChargePage},
    scope="mandates:read",
    query=ChargesQuery,
    summary="List charges, newest first",
)
async def list_charges(request: web.Request, query: ChargesQuery) -> web.Response:
    """Answer one page of charges."""
    place = read_cursor(query.cursor) if query.cursor else None
    async with reading(request.app[AUTOPAY].db) as tx:
        found = await charges.page(
            tx,
            limit=query.limit + 1,
            contract=query.contract,
            mandate=query.mandate,
            state=query.state,
            before=None if place is None else (place[0], str(place[1])),
        )
    shown = found[: query.limit]
    more = cursor(shown[-1].created_at, shown[-1].id) if len(found) > query.limit else None
    return apis.answer(ChargePage(items=[charge_view(one) for one in shown], next_cursor=more))


@api.get(
    "/v1/methods",
    answers={200: MethodList},
    scope="mandates:read",
    query=OfContract,
    summary="List what a contract could be charged from",
)
async def list_methods(request: web.Request, query: OfContract) -> web.Response:
    """Answer the live methods of a contract; none for one that is not known."""
    async with reading(request.app[AUTOPAY].db) as tx:
        found = await methods.live(tx, query.contract)
    return apis.answer(method_list(found))
