"""Tariffs and the services of contracts: addresses."""

from __future__ import annotations

from aiohttp import web

from core_billing import service_refusals, services, tariff_changes, tariffs
from core_billing.tariff_changes import TARIFF_UNKNOWN
from core_billing.web import fees_acts
from core_billing.web.acting import CheckView, perform, rehearse
from core_billing.web.base import CONTRACT_UNKNOWN, CORE, api, existing
from core_billing.web.fees_acts import SERVICE_ID_MAX, TARIFF_ID_MAX, read_id
from core_billing.web.fees_views import (
    ServiceAsked,
    ServiceEdit,
    ServicesView,
    ServiceView,
    TariffAsked,
    TariffEdit,
    TariffsView,
    TariffView,
    service_view,
    tariff_view,
)
from core_billing.web.views import PageQuery
from shared import api as apis
from shared.db import reading
from shared.errors import invalid


@api.get(
    "/tariffs",
    answers={200: TariffsView},
    scope="tariffs:read",
    query=PageQuery,
    summary="All tariffs with their prices, past and planned",
)
async def list_tariffs(request: web.Request, query: PageQuery) -> web.Response:
    """Answer with a page of tariffs."""
    core = request.app[CORE]
    today = core.rules.day(core.clock())
    async with reading(core.db) as tx:
        found = await tariffs.page(tx, _cursor(query, TARIFF_ID_MAX), query.limit + 1)
    shown = found[: query.limit]
    more = str(shown[-1].id) if len(found) > query.limit else None
    items = [tariff_view(one, today) for one in shown]
    return apis.answer(TariffsView(items=items, next_cursor=more))


@api.get(
    "/tariffs/{tariff}",
    answers={200: TariffView},
    scope="tariffs:read",
    summary="A tariff with its prices, past and planned",
    refusals=(TARIFF_UNKNOWN,),
)
async def show_tariff(request: web.Request) -> web.Response:
    """Answer with a tariff."""
    core = request.app[CORE]
    named = request.match_info["tariff"]
    async with reading(core.db) as tx:
        found = await tariffs.find(tx, read_id(named, TARIFF_ID_MAX))
    if found is None:
        raise TARIFF_UNKNOWN(tariff=named)
    return apis.answer(tariff_view(found, core.rules.day(core.clock())))


@api.post(
    "/tariffs",
    body=TariffAsked,
    answers={201: TariffView},
    scope="tariffs:create",
    summary="Make a tariff",
    keyed=True,
    refusals=(tariff_changes.NAME_TAKEN,),
)
async def create_tariff(request: web.Request, asked: TariffAsked) -> web.Response:
    """Make it."""
    return await perform(request, "tariff.create", asked, fees_acts.making(asked))


@api.post(
    "/tariffs/check",
    body=TariffAsked,
    answers={200: CheckView[TariffView]},
    scope="tariffs:create",
    summary="What making a tariff would do",
)
async def check_tariff(request: web.Request, asked: TariffAsked) -> web.Response:
    """Answer beforehand."""
    return await rehearse(request, fees_acts.making(asked))


@api.post(
    "/tariffs/{tariff}",
    body=TariffEdit,
    answers={200: TariffView},
    scope="tariffs:edit",
    summary="Rename or close a tariff, or set a price for days to come",
    keyed=True,
    refusals=tariff_changes.CHANGING,
)
async def edit_tariff(request: web.Request, asked: TariffEdit) -> web.Response:
    """Change it."""
    return await perform(request, "tariff.edit", asked, await fees_acts.editing(request, asked))


@api.post(
    "/tariffs/{tariff}/check",
    body=TariffEdit,
    answers={200: CheckView[TariffView]},
    scope="tariffs:edit",
    summary="What changing a tariff would do",
)
async def check_tariff_edit(request: web.Request, asked: TariffEdit) -> web.Response:
    """Answer beforehand."""
    return await rehearse(request, await fees_acts.editing(request, asked))


@api.get(
    "/contracts/{number}/services",
    answers={200: ServicesView},
    scope="contracts:read",
    query=PageQuery,
    summary="The services of a contract, with the next fee of each",
    refusals=(CONTRACT_UNKNOWN,),
)
async def list_services(request: web.Request, query: PageQuery) -> web.Response:
    """Answer with a page of services."""
    core = request.app[CORE]
    today = core.rules.day(core.clock())
    async with reading(core.db) as tx:
        owner = await existing(tx, request.match_info["number"])
        after = _cursor(query, SERVICE_ID_MAX)
        found = await services.of_contract(tx, owner.id, after, query.limit + 1)
    shown = found[: query.limit]
    more = str(shown[-1].id) if len(found) > query.limit else None
    items = [service_view(one, owner.number, today) for one in shown]
    return apis.answer(ServicesView(items=items, next_cursor=more))


@api.post(
    "/contracts/{number}/services",
    body=ServiceAsked,
    answers={201: ServiceView},
    scope="contracts:edit",
    summary="Begin a service of a contract under a tariff",
    keyed=True,
    refusals=(CONTRACT_UNKNOWN, *service_refusals.BEGINNING),
)
async def begin_service(request: web.Request, asked: ServiceAsked) -> web.Response:
    """Begin it."""
    return await perform(request, "service.create", asked, fees_acts.beginning(request, asked))


@api.post(
    "/contracts/{number}/services/check",
    body=ServiceAsked,
    answers={200: CheckView[ServiceView]},
    scope="contracts:edit",
    summary="What beginning a service would do, and what it would cost first",
)
async def check_service(request: web.Request, asked: ServiceAsked) -> web.Response:
    """Answer beforehand."""
    return await rehearse(request, fees_acts.beginning(request, asked))


@api.post(
    "/contracts/{number}/services/{service}",
    body=ServiceEdit,
    answers={200: ServiceView},
    scope="contracts:edit",
    summary="Plan another tariff for a service, or its end",
    keyed=True,
    refusals=(CONTRACT_UNKNOWN, *service_refusals.CHANGING),
)
async def edit_service(request: web.Request, asked: ServiceEdit) -> web.Response:
    """Change it."""
    return await perform(request, "service.edit", asked, await fees_acts.changing(request, asked))


@api.post(
    "/contracts/{number}/services/{service}/check",
    body=ServiceEdit,
    answers={200: CheckView[ServiceView]},
    scope="contracts:edit",
    summary="What changing a service would do",
)
async def check_service_edit(request: web.Request, asked: ServiceEdit) -> web.Response:
    """Answer beforehand."""
    return await rehearse(request, await fees_acts.changing(request, asked))


def _cursor(query: PageQuery, most: int) -> int:
    if query.cursor is None:
        return 0
    after = read_id(query.cursor, most)
    if not after:
        raise invalid(
            "cursor",
            "take `next_cursor` of the page before",
            "возьмите `next_cursor` предыдущей страницы",
        )
    return after
