"""Blocks: which contracts are cut off, whether that may happen now, and what would be tonight."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import Final

from aiohttp import web

from core_billing import block_dry_run, block_guards, block_rows, life
from core_billing.block_dry_run import DAYS_MAX, Foretold
from core_billing.block_guards import Guard
from core_billing.export import MEDIA, Line
from core_billing.policy_rows import load_all
from core_billing.rules import Core
from core_billing.web import exporting
from core_billing.web.base import CONTRACT_UNKNOWN, CORE, api, existing
from core_billing.web.blocks_views import (
    AccessView,
    BlockedQuery,
    BlockedView,
    ChangesView,
    DryRunQuery,
    DryRunView,
    StateView,
    access_view,
    change_view,
    foretold_view,
    line,
    sign_view,
    titles,
    withheld_view,
)
from core_billing.web.exporting import File
from shared import api as apis
from shared import problem
from shared.db import reading
from shared.errors import Language, Refusal

PIECES_MAX: Final = 10
"""As many pieces of the base are looked at for one page of the answer."""
_NO_REVISION: Final = 2**31 - 1

DATE_PAST: Final = Refusal(
    *("dry_run_date_past", 422),
    "What would be blocked is told for today, {today}, or a later day",
    "Прогноз блокировок считается на сегодня, {today}, или позже",
    field="date",
)
DATE_TOO_FAR: Final = Refusal(
    *("dry_run_date_too_far", 422),
    "What would be blocked is told for {last} at the latest",
    "Прогноз блокировок считается не дальше {last}",
    field="date",
)


@api.get(
    "/blocks",
    answers={200: BlockedView},
    scope="blocks:read",
    query=BlockedQuery,
    summary="Blocked contracts, with the reason and since when",
)
async def list_blocked(request: web.Request, query: BlockedQuery) -> web.Response:
    """Answer with a page of blocked contracts."""
    async with reading(request.app[CORE].db) as tx:
        found = await block_rows.blocked(tx, int(query.cursor or 0), query.limit + 1)
    shown, language = found[: query.limit], problem.language(request)
    more = str(shown[-1].contract_id) if len(found) > query.limit else None
    items = [access_view(one, language) for one in shown]
    return apis.answer(BlockedView(items=items, next_cursor=more))


@api.get(
    "/blocks/state",
    answers={200: StateView},
    scope="blocks:read",
    summary="Whether blocks may happen now, else what withholds them",
)
async def show_block_state(request: web.Request) -> web.Response:
    """Answer with what withholds blocks, and with the signs of life they are judged by."""
    core = request.app[CORE]
    own = core.rules.producer
    async with reading(core.db) as tx:
        signs, stuck = await life.signs(tx), await life.is_stuck(tx)
    services = own.topology.services
    found = block_guards.withheld(own.name, services, signs, core.clock(), bus=not stuck)
    # A queue that is asked only before a block has nothing to say in between.
    serious = [one for one in found if one.guard is not Guard.QUEUE_ASKED]
    language = problem.language(request)
    return apis.answer(
        StateView(
            allowed=not serious,
            withheld=[withheld_view(one, language) for one in serious],
            signs=[sign_view(signs[name]) for name in sorted(signs)],
        )
    )


@api.get(
    "/blocks/dry-run",
    answers={200: DryRunView},
    scope="blocks:read",
    query=DryRunQuery,
    refusals=(DATE_PAST, DATE_TOO_FAR),
    media=tuple(MEDIA.values()),
    summary="What would be blocked tonight, or by another night, if nothing were paid",
)
async def foretell_blocks(request: web.Request, query: DryRunQuery) -> web.StreamResponse:
    """Answer with a page, or send the whole base as a file."""
    core = request.app[CORE]
    at = core.clock()
    day = _day(core.rules.day(at), query.date)
    if query.format == "json":
        language = problem.language(request)
        return apis.answer(await _page(core, query, at, day, language))
    encoding = await exporting.encoding_of(request, query.encoding)
    file = File(f"blocks-{day}", query.format, encoding, titles(query.lang))
    return await exporting.send(request, file, partial(_pages, core, at, day, query.lang))


@api.get(
    "/contracts/{number}/block",
    answers={200: AccessView},
    scope="blocks:read",
    refusals=(CONTRACT_UNKNOWN,),
    summary="Whether the contract is blocked, and why",
)
async def show_block(request: web.Request) -> web.Response:
    """Answer with how the contract stands."""
    async with reading(request.app[CORE].db) as tx:
        found = await existing(tx, request.match_info["number"])
        [one] = await block_rows.find(tx, [found.id])
    return apis.answer(access_view(one, problem.language(request)))


@api.get(
    "/contracts/{number}/blocks",
    answers={200: ChangesView},
    scope="blocks:read",
    query=BlockedQuery,
    refusals=(CONTRACT_UNKNOWN,),
    summary="When the contract was blocked and unblocked, newest first",
)
async def list_block_changes(request: web.Request, query: BlockedQuery) -> web.Response:
    """Answer with a page of the contract's changes of access."""
    before = _NO_REVISION if query.cursor is None else int(query.cursor)
    async with reading(request.app[CORE].db) as tx:
        contract = await existing(tx, request.match_info["number"])
        found = await block_rows.history(tx, contract.id, before, query.limit + 1)
    shown, language = found[: query.limit], problem.language(request)
    more = str(shown[-1].revision) if len(found) > query.limit else None
    items = [change_view(one, language) for one in shown]
    return apis.answer(ChangesView(items=items, next_cursor=more))


def _day(today: date, asked: date | None) -> date:
    """Return the day whose beginning is foretold; raises where it lies outside."""
    day, last = asked or today + timedelta(days=1), today + timedelta(days=DAYS_MAX)
    if day < today:
        raise DATE_PAST(today=today)
    if day > last:
        raise DATE_TOO_FAR(last=last)
    return day


async def _page(
    core: Core, query: DryRunQuery, at: datetime, day: date, language: Language
) -> DryRunView:
    after: int | None = int(query.cursor or 0)
    found: list[Foretold] = []
    for _ in range(PIECES_MAX):
        if after is None or len(found) > query.limit:
            break
        after, more = await _piece(core, after, at, day)
        found += more
    shown = found[: query.limit]
    if len(found) > query.limit:
        after = shown[-1].position.contract_id
    return DryRunView(
        date=day,
        items=[foretold_view(one, language) for one in shown],
        next_cursor=None if after is None else str(after),
    )


async def _pages(
    core: Core, at: datetime, day: date, language: Language
) -> AsyncIterator[Sequence[Line]]:
    after: int | None = 0
    while after is not None:
        after, found = await _piece(core, after, at, day)
        if found:
            yield [line(one, language) for one in found]


async def _piece(
    core: Core, after: int, at: datetime, day: date
) -> tuple[int | None, Sequence[Foretold]]:
    """Look at one piece, in a picture of its own: none stays open for a slow reader."""
    async with reading(core.db) as tx:
        policies = await load_all(tx, day)
        piece = await block_dry_run.piece(tx, core.rules, policies, after, at, day)
    return piece.next_after, piece.found
