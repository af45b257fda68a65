"""Payments looked for: the list with its filters, one payment, exports."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import partial

from aiohttp import web

from core_billing import payment_list, search
from core_billing.correction_refusals import PAYMENT_UNKNOWN
from core_billing.export import MEDIA, ROWS_MAX, Line
from core_billing.payment_filter import Filter
from core_billing.rules import Core, Rules
from core_billing.search import Found
from core_billing.time_limit import TOO_WIDE, reading_briefly
from core_billing.web import exporting
from core_billing.web.base import CONTRACT_UNKNOWN, CORE, api, existing
from core_billing.web.exporting import TOO_LARGE, File, Language
from core_billing.web.payment_columns import line, titles
from core_billing.web.search_views import (
    RANGE_REVERSED,
    PaymentFilter,
    PaymentsExport,
    PaymentsQuery,
    PaymentsView,
    PaymentView,
    TotalsView,
    UncreditedView,
    filter_of,
)
from shared import api as apis
from shared.db import Tx

_REFUSALS = (CONTRACT_UNKNOWN, RANGE_REVERSED, TOO_WIDE)


@api.get(
    "/payments",
    answers={200: PaymentsView},
    scope="payments:read",
    query=PaymentsQuery,
    refusals=_REFUSALS,
    summary="Payments, newest first; where one is, by the id its provider gave it",
)
async def list_payments(request: web.Request, query: PaymentsQuery) -> web.Response:
    """Answer with a page of payments, each once and as it stands now."""
    core = request.app[CORE]
    after = None if query.cursor is None else int(query.cursor)
    totals, uncredited = None, []
    async with reading_briefly(core.db) as tx:
        asked = await _asked(tx, core.rules, query)
        found = await search.page(tx, asked, after, query.limit + 1)
        if query.totals:
            totals = TotalsView.model_validate(
                await payment_list.totals(tx, asked), from_attributes=True
            )
        if query.provider_payment_id is not None:
            uncredited = await search.refused(tx, query.provider_payment_id, query.provider)
    shown = found[: query.limit]
    answer = PaymentsView(
        items=[_view(one) for one in shown],
        uncredited=[UncreditedView.model_validate(u, from_attributes=True) for u in uncredited],
        next_cursor=shown[-1].id if len(found) > query.limit else None,
        totals=totals,
    )
    return _answer(query, answer)


@api.get(
    "/payments/export",
    answers={},
    scope="payments:read",
    query=PaymentsExport,
    refusals=(*_REFUSALS, TOO_LARGE),
    media=tuple(MEDIA.values()),
    summary="A file of all payments that are asked for",
)
async def export_payments(request: web.Request, query: PaymentsExport) -> web.StreamResponse:
    """Send every payment that is asked for as CSV or as a sheet."""
    core = request.app[CORE]
    encoding = await exporting.encoding_of(request, query.encoding)
    async with reading_briefly(core.db) as tx:
        asked = await _asked(tx, core.rules, query)
        if await payment_list.is_longer(tx, asked, most := ROWS_MAX[query.format]):
            raise TOO_LARGE(most=most, format=query.format)
    day = core.rules.day(core.clock())
    file = File(f"payments-{day}", query.format, encoding, titles(query.lang))
    return await exporting.send(request, file, partial(_pages, core, asked, query.lang))


# Only ids, so that it is not mistaken for the addresses beside it.
@api.get(
    "/payments/{id:[0-9]{1,18}}",
    answers={200: PaymentView},
    scope="payments:read",
    refusals=(PAYMENT_UNKNOWN,),
    summary="A payment or another operation, by the id of any of its revisions",
)
async def show_payment(request: web.Request) -> web.Response:
    """Answer with all that is known of one operation as it stands now."""
    given = request.match_info["id"]
    async with reading_briefly(request.app[CORE].db) as tx:
        found = await search.by_id(tx, int(given))
    if found is None:
        raise PAYMENT_UNKNOWN(id=given)
    return apis.answer(_view(found))


async def _asked(tx: Tx, rules: Rules, query: PaymentFilter) -> Filter:
    contract = None if query.contract is None else await existing(tx, query.contract)
    return filter_of(query, None if contract is None else contract.id, rules)


async def _pages(core: Core, asked: Filter, language: Language) -> AsyncIterator[Sequence[Line]]:
    """Read page after page, each in a picture of its own: none stays open for a slow reader.

    The place in the list never moves, so each payment is read once, and none that came meanwhile.
    """
    after: int | None = None
    for _ in range(0, ROWS_MAX["csv"] + exporting.PAGE, exporting.PAGE):
        async with reading_briefly(core.db) as tx:
            found = await search.page(tx, asked, after, exporting.PAGE)
        if not found:
            return
        yield [line(one, core.rules.zone, language) for one in found]
        after = int(found[-1].id)


def _view(found: Found) -> PaymentView:
    return PaymentView.model_validate(found, from_attributes=True)


def _answer(query: PaymentsQuery, answer: PaymentsView) -> web.Response:
    left_out = set() if query.totals else {"totals"}
    if query.provider_payment_id is not None:
        left_out |= {"next_cursor"}
    body = answer.model_dump_json(exclude=left_out).encode()
    return web.Response(body=body, content_type="application/json")
