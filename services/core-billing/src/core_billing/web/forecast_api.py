"""What a contract is advised to pay, and when it will be blocked: addresses."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from aiohttp import web

from core_billing import outlook, policy_rows
from core_billing.forecast import foresee
from core_billing.policies import BLOCK_CALENDAR, RECOMMENDED, Recommended, of_group
from core_billing.recommend import recommend
from core_billing.web.base import CONTRACT_UNKNOWN, CORE, api, existing
from core_billing.web.forecast_views import (
    MODE_UNKNOWN,
    ForecastsQuery,
    ForecastsView,
    ForecastView,
    RecommendedQuery,
    RecommendedView,
    forecast_view,
    recommended_view,
)
from shared import api as apis
from shared import problem
from shared.db import reading
from shared.errors import Refusal

AHEAD_DAYS_MAX: Final = 366
DATE_PAST: Final = Refusal(
    *("recommended_date_past", 422),
    "A payment is recommended for today, {today}, or a later day",
    "Рекомендуемый платёж считается на сегодня, {today}, или позже",
    field="date",
)
DATE_TOO_FAR: Final = Refusal(
    *("recommended_date_too_far", 422),
    "A payment is recommended for {last} at the latest",
    "Рекомендуемый платёж считается не дальше {last}",
    field="date",
)


@api.get(
    "/contracts/{number}/recommended",
    answers={200: RecommendedView},
    scope="contracts:read",
    query=RecommendedQuery,
    summary="What the contract is advised to pay, line by line",
    refusals=(CONTRACT_UNKNOWN, MODE_UNKNOWN, DATE_PAST, DATE_TOO_FAR),
)
async def show_recommended(request: web.Request, query: RecommendedQuery) -> web.Response:
    """Answer with the recommended payment and what it is made of."""
    core = request.app[CORE]
    today = core.rules.day(core.clock())
    last = today + timedelta(days=AHEAD_DAYS_MAX)
    day = query.date or today
    if day < today:
        raise DATE_PAST(today=today)
    if day > last:
        raise DATE_TOO_FAR(last=last)
    async with reading(core.db) as tx:
        found = await existing(tx, request.match_info["number"])
        position, policies = await outlook.find(tx, core.rules, found.id, today)
    setting = _setting(policies.get(RECOMMENDED, of_group(position.group)), query)
    made = recommend(position, setting, day)
    return apis.answer(recommended_view(made, setting.mode, problem.language(request)))


@api.get(
    "/contracts/{number}/forecast",
    answers={200: ForecastView},
    scope="contracts:read",
    summary="When the contract will be blocked if nothing is paid, and why",
    refusals=(CONTRACT_UNKNOWN,),
)
async def show_forecast(request: web.Request) -> web.Response:
    """Answer with the day on which the contract will be blocked."""
    core = request.app[CORE]
    today = core.rules.day(core.clock())
    async with reading(core.db) as tx:
        found = await existing(tx, request.match_info["number"])
        position, policies = await outlook.find(tx, core.rules, found.id, today)
    foreseen = foresee(position, policies.get(BLOCK_CALENDAR), today)
    return apis.answer(forecast_view(position, foreseen, today, problem.language(request)))


@api.get(
    "/forecasts",
    answers={200: ForecastsView},
    scope="contracts:read",
    query=ForecastsQuery,
    summary="When each contract will be blocked if nothing is paid, and why",
)
async def list_forecasts(request: web.Request, query: ForecastsQuery) -> web.Response:
    """Answer with a page of the forecasts of all contracts."""
    core, chosen = request.app[CORE], problem.language(request)
    today, after = core.rules.day(core.clock()), int(query.cursor or 0)
    async with reading(core.db) as tx:
        policies = await policy_rows.load_all(tx, today)
        found = await outlook.page(tx, core.rules, policies, after, query.limit + 1, today)
    shown = found[: query.limit]
    more = str(shown[-1].position.contract_id) if len(found) > query.limit else None
    items = [forecast_view(one.position, one.forecast, today, chosen) for one in shown]
    return apis.answer(ForecastsView(items=items, next_cursor=more))


def _setting(kept: Recommended, query: RecommendedQuery) -> Recommended:
    """Return the setting with what the query says instead."""
    said = query.model_dump(include={"mode", "periods"}, exclude_none=True)
    return kept.model_copy(update=said)
