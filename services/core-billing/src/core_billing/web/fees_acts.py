"""What is done to tariffs and to the services of contracts, as acts that can be rehearsed."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from core_billing import service_changes, services, tariff_changes, tariffs
from core_billing.tariff_changes import NewPrice, NewTariff
from core_billing.web.acting import Act, Do, Done
from core_billing.web.base import CORE, existing
from core_billing.web.fees_views import (
    ServiceAsked,
    ServiceEdit,
    ServiceView,
    TariffAsked,
    TariffEdit,
    service_view,
    tariff_view,
)
from shared.db import Tx, reading

TARIFF_ID_MAX: Final = 2**31
SERVICE_ID_MAX: Final = 2**63


def making(asked: TariffAsked) -> Do:
    """Make a tariff."""
    new = NewTariff(
        name=asked.name,
        label=asked.service,
        charging=asked.charging,
        month_kopecks=asked.price.kopecks,
        charge_while_blocked=asked.charge_while_blocked,
        blocks=asked.blocks,
    )

    async def do(tx: Tx, act: Act) -> Done:
        made = await tariff_changes.create(tx, new, act.actor, act.at, act.today)
        return Done(tariff_view(made, act.today), f"tariff:{made.id}")

    return do


async def editing(request: web.Request, asked: TariffEdit) -> Do:
    """Change the tariff that an address names."""
    tariff_id = read_id(request.match_info["tariff"], TARIFF_ID_MAX)
    seen = asked.revision
    if seen is None:
        # What stands at arrival is what the manager means to change, see CONFLICT.
        async with reading(request.app[CORE].db) as tx:
            known = await tariffs.find(tx, tariff_id)
        seen = None if known is None else known.revision
    price = None
    if asked.price is not None and asked.valid_from is not None:
        price = NewPrice(asked.valid_from, asked.price.kopecks)

    async def do(tx: Tx, act: Act) -> Done:
        now = await tariff_changes.change(
            tx, tariff_id, asked.columns, price, seen, act.actor, act.at, act.today
        )
        return Done(tariff_view(now, act.today), f"tariff:{now.id}", 200)

    return do


def beginning(request: web.Request, asked: ServiceAsked) -> Do:
    """Begin a service of the contract that an address names."""

    async def do(tx: Tx, act: Act) -> Done:
        owner = await existing(tx, request.match_info["number"])
        starts_on = asked.starts_on or act.today
        made = await service_changes.begin(
            tx, owner, asked.tariff, starts_on, act.actor, act.at, act.today
        )
        return _done(service_view(made, owner.number, act.today), 201)

    return do


async def changing(request: web.Request, asked: ServiceEdit) -> Do:
    """Change the service that an address names."""
    number = request.match_info["number"]
    service_id = read_id(request.match_info["service"], SERVICE_ID_MAX)
    seen = asked.revision
    if seen is None:
        async with reading(request.app[CORE].db) as tx:
            known = await services.find(tx, (await existing(tx, number)).id, service_id)
        seen = None if known is None else known.revision

    async def do(tx: Tx, act: Act) -> Done:
        owner = await existing(tx, number)
        by = (seen, act.actor, act.at, act.today)
        if asked.tariff is not None and asked.since is not None:
            now = await service_changes.change_tariff(
                tx, owner, service_id, asked.tariff, asked.since, *by
            )
        else:
            now = await service_changes.end(tx, owner, service_id, asked.ends_on, *by)
        return _done(service_view(now, number, act.today), 200)

    return do


def _done(view: ServiceView, status: int) -> Done:
    return Done(view, f"contract:{view.contract}", status, {"service": view.id})


def read_id(text: str, most: int) -> int:
    """Read an id of an address; a text that is none is the id of nothing."""
    known = text.isascii() and text.isdecimal() and len(text) <= 19 and int(text) < most
    return int(text) if known else 0
