"""The statement of a contract: entries and balances between two days, also as a file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import date, datetime
from functools import partial
from typing import Annotated, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from core_billing import statement
from core_billing.export import MEDIA, ROWS_MAX, Cell, Encoding, Format, Line
from core_billing.history import PAGE_MAX, Cursor, Entry
from core_billing.rules import Core
from core_billing.statement import Balances, Span
from core_billing.time_limit import TOO_WIDE, reading_briefly
from core_billing.web import exporting
from core_billing.web.base import CONTRACT_UNKNOWN, CORE, api, existing
from core_billing.web.exporting import TOO_LARGE, File, Language
from core_billing.web.payment_columns import local
from core_billing.web.search_views import RANGE_REVERSED, Period, begins, ends
from core_billing.web.texts import TEXTS
from core_billing.web.views import EntryView, entry_view
from shared.db import Tx
from shared.errors import Text
from shared.money import RUB, Money, WireMoney

_REFUSALS: Final = (CONTRACT_UNKNOWN, RANGE_REVERSED, TOO_WIDE)
_TITLES: Final = (
    Text("Registered", "Дата регистрации"),
    Text("Paid", "Дата платежа"),
    Text("What", "Операция"),
    Text("Amount", "Сумма"),
    Text("Balance", "Баланс"),
    Text("Reference", "Основание"),
)
_OPENING: Final = Text("Opening balance", "Остаток на начало")
_CLOSING: Final = Text("Closing balance", "Остаток на конец")


class StatementPeriod(BaseModel):
    """Which days, both of them included; with neither, everything up to now."""

    # The bounds are called from and to, which Python does not let a field be called.
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    first_day: Annotated[Period | None, Field(alias="from")] = None
    last_day: Annotated[Period | None, Field(alias="to")] = None


class StatementQuery(StatementPeriod):
    """A page of a statement; with `to` alone it tells the balance as of that day."""

    cursor: Annotated[str, Field(max_length=40)] | None = None
    limit: int = Field(50, ge=1, le=PAGE_MAX)


class StatementExport(StatementPeriod):
    """A file of a statement; the encoding of CSV is that of the manager's setting if not given."""

    format: Format = "csv"
    encoding: Encoding | None = None
    lang: Language = "ru"


class StatementEntry(EntryView):
    """One entry: `registered_at` puts it into the period, `paid_at` may be another day."""

    fee: str | None
    """What a fee is for."""


class StatementView(BaseModel):
    """A contract's entries in a period, oldest first, and its balances before and after it.

    `opening` and `credited` less `debited` make `closing`, of the whole period whatever the page.
    """

    model_config = ConfigDict(use_attribute_docstrings=True)

    contract: str
    first_day: Annotated[date | None, Field(serialization_alias="from")]
    last_day: Annotated[date | None, Field(serialization_alias="to")]
    currency: str = RUB
    opening: WireMoney
    credited: WireMoney
    debited: WireMoney
    closing: WireMoney
    items: list[StatementEntry]
    next_cursor: str | None


@api.get(
    "/contracts/{number}/statement",
    answers={200: StatementView},
    scope="contracts:read",
    query=StatementQuery,
    refusals=_REFUSALS,
    summary="A contract's entries between two days, with the balances before and after",
)
async def show_statement(request: web.Request, query: StatementQuery) -> web.Response:
    """Answer with a page of the statement."""
    core = request.app[CORE]
    after = None if query.cursor is None else Cursor.read(query.cursor)
    async with reading_briefly(core.db) as tx:
        span = await _span(tx, request, query)
        balances = await statement.balances(tx, span)
        entries = await statement.entries(tx, span, after, query.limit + 1)
    view = _view(query, span, balances, entries)
    body = view.model_dump_json(by_alias=True).encode()
    return web.Response(body=body, content_type="application/json")


@api.get(
    "/contracts/{number}/statement/export",
    answers={},
    scope="contracts:read",
    query=StatementExport,
    refusals=(*_REFUSALS, TOO_LARGE),
    media=tuple(MEDIA.values()),
    summary="A file of a contract's statement",
)
async def export_statement(request: web.Request, query: StatementExport) -> web.StreamResponse:
    """Send the statement as CSV or as a sheet."""
    core = request.app[CORE]
    encoding = await exporting.encoding_of(request, query.encoding)
    async with reading_briefly(core.db) as tx:
        span = await statement.fixed(tx, await _span(tx, request, query))
        balances = await statement.balances(tx, span)
        if balances.entries > (most := ROWS_MAX[query.format]):
            raise TOO_LARGE(most=most, format=query.format)
    titles = [title.in_(query.lang) for title in _TITLES]
    file = File("statement", query.format, encoding, titles)
    return await exporting.send(request, file, partial(_pages, core, span, balances, query))


async def _span(tx: Tx, request: web.Request, query: StatementPeriod) -> Span:
    rules = request.app[CORE].rules
    if query.first_day and query.last_day and query.first_day > query.last_day:
        raise RANGE_REVERSED(low="from", high="to")
    contract = await existing(tx, request.match_info["number"])
    return await statement.span(
        tx, contract, begins(rules, query.first_day), ends(rules, query.last_day)
    )


def _view(
    query: StatementQuery, span: Span, balances: Balances, entries: Sequence[Entry]
) -> StatementView:
    shown = entries[: query.limit]
    return StatementView(
        first_day=query.first_day,
        last_day=query.last_day,
        contract=span.contract.number,
        opening=Money(balances.opening_kopecks),
        credited=Money(balances.credited_kopecks),
        debited=Money(balances.debited_kopecks),
        closing=Money(balances.closing_kopecks),
        items=[StatementEntry(**dict(entry_view(one)), fee=one.fee) for one in shown],
        next_cursor=shown[-1].id if len(entries) > query.limit else None,
    )


async def _pages(
    core: Core, span: Span, balances: Balances, query: StatementExport
) -> AsyncIterator[Sequence[Line]]:
    """Read page after page, each in a picture of its own; the period was fixed before."""
    zone, language = core.rules.zone, query.lang
    yield [_balance(_OPENING, query.first_day, balances.opening_kopecks, language)]
    after: Cursor | None = None
    for _ in range(0, ROWS_MAX["csv"] + exporting.PAGE, exporting.PAGE):
        async with reading_briefly(core.db) as tx:
            entries = await statement.entries(tx, span, after, exporting.PAGE)
        if not entries:
            break
        yield [[local(cell, zone, language) for cell in _cells(one)] for one in entries]
        after = entries[-1].cursor
    yield [_balance(_CLOSING, query.last_day, balances.closing_kopecks, language)]


def _cells(entry: Entry) -> list[Cell | Text]:
    what = TEXTS[f"entry_{entry.word}"]
    if entry.word == "fee":
        what = Text(f"{what.en}: {entry.fee}", f"{what.ru}: {entry.fee}")
    sums = Money(entry.amount_kopecks), Money(entry.balance_kopecks)
    return [entry.registered_at, entry.paid_at, what, *sums, entry.reference]


def _balance(what: Text, day: date | datetime | None, kopecks: int, language: Language) -> Line:
    return [day, None, what.in_(language), None, Money(kopecks), None]
