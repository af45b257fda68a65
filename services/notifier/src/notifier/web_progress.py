"""`/notifier/v1/messages/progress` and `/notifier/v1/unreachable`: how far the queues are."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import Row

from notifier import progress, unreachable
from notifier.web import DB, api, wrong_cursor
from notifier.web_preferences import CHOOSING
from shared.api import answer
from shared.db import reading

_EXPORT_MAX: Final = 100_000
_PAGE: Final = 1_000


class WaitingView(BaseModel):
    """Messages that wait, of one channel, urgency and state."""

    channel: str
    urgency: str
    state: str
    count: int
    oldest: AwareDatetime


class PaceView(BaseModel):
    """How fast a channel is emptied."""

    channel: str
    sent_lately: int = Field(description="in the last minute")
    seconds_left: int | None = Field(description="at this rate; null where nothing left lately")


class ProgressView(BaseModel):
    """The state of all queues."""

    waiting: list[WaitingView]
    paces: list[PaceView]
    doubtful: int = Field(description="perhaps sent twice, in the last day")


class FaultView(BaseModel):
    """What is wrong with one channel, and since when."""

    channel: str
    reason: str = Field(
        description="`no_...`, `bad_...` or `unconfirmed_...` and the address, until it is mended; "
        "`dead_address` or `blocked_bot`: refused at the sending, until a message is taken; "
        "`reported_dead`: messages are taken, but a report of delivery has called the address "
        "wrong or out of service, until one is delivered. A changed address ends each of them"
    )
    since: AwareDatetime
    message_id: UUID | None = Field(description="the message that has met it")


class UnreachableView(BaseModel):
    """A contract and why its subscriber is not reached."""

    contract: str
    reachable: bool = Field(description="whether another channel still works")
    since: AwareDatetime
    faults: list[FaultView]


class UnreachablePage(BaseModel):
    """Contracts in their order; `next_cursor` leads to further ones."""

    contracts: list[UnreachableView]
    next_cursor: str | None


class UnreachableQuery(BaseModel):
    """Which contracts are wanted."""

    model_config = ConfigDict(extra="forbid")

    partly: bool = Field(False, description="also those of whom another channel still works")
    limit: int = Field(50, ge=1, le=unreachable.LISTED_MAX)
    cursor: Annotated[str, Field(max_length=400)] | None = None


class ExportQuery(BaseModel):
    """Which contracts are wanted."""

    model_config = ConfigDict(extra="forbid")

    partly: bool = False


@api.get(
    "/v1/messages/progress",
    answers={200: ProgressView},
    scope="messages:read",
    summary="Show how far the queues are",
)
async def show_progress(request: web.Request) -> web.Response:
    """Answer the state of all queues."""
    async with reading(request.app[DB]) as tx:
        found = await progress.look(tx, request.app[CHOOSING].clock())
    waiting = [
        WaitingView(
            channel=one.channel,
            urgency=one.urgency.name.lower(),
            state=one.state,
            count=one.count,
            oldest=one.oldest,
        )
        for one in found.waiting
    ]
    paces = [
        PaceView(channel=one.channel, sent_lately=one.sent_lately, seconds_left=one.seconds_left)
        for one in found.paces
    ]
    return answer(ProgressView(waiting=waiting, paces=paces, doubtful=found.doubtful))


@api.get(
    "/v1/unreachable",
    answers={200: UnreachablePage},
    scope="messages:read",
    query=UnreachableQuery,
    summary="List the subscribers whom no message reaches",
)
async def list_unreachable(request: web.Request, query: UnreachableQuery) -> web.Response:
    """Answer one page of contracts."""
    after = _read_cursor(query.cursor) if query.cursor else None
    async with reading(request.app[DB]) as tx:
        found = await unreachable.page(tx, limit=query.limit + 1, after=after, partly=query.partly)
    numbers = sorted(found)
    shown = numbers[: query.limit]
    cursor = _cursor(shown[-1]) if len(numbers) > query.limit else None
    views = [_view(number, found[number]) for number in shown]
    return answer(UnreachablePage(contracts=views, next_cursor=cursor))


@api.get(
    "/v1/unreachable.csv",
    answers={},
    media=("text/csv",),
    scope="messages:read",
    query=ExportQuery,
    summary="Export the subscribers whom no message reaches, at most 100 000 contracts",
)
async def export_unreachable(request: web.Request, query: ExportQuery) -> web.StreamResponse:
    """Answer a file of all of them, page by page."""
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/csv; charset=utf-8",
            "Content-Disposition": 'attachment; filename="unreachable.csv"',
        }
    )
    await response.prepare(request)
    await response.write(_lines([("contract", "channel", "reason", "since", "message_id")]))
    after: str | None = None
    for _ in range(_EXPORT_MAX // _PAGE):
        async with reading(request.app[DB]) as tx:
            found = await unreachable.page(tx, limit=_PAGE, after=after, partly=query.partly)
        if not found:
            break
        after = max(found)
        await response.write(_lines(_cells(found)))
    await response.write_eof()
    return response


def _view(contract: str, rows: Sequence[Row[Any]]) -> UnreachableView:
    faults = [
        FaultView(channel=r.channel, reason=r.reason, since=r.since, message_id=r.message_id)
        for r in rows
    ]
    since: datetime = min(row.since for row in rows)
    return UnreachableView(
        contract=contract, reachable=not rows[0].alone, since=since, faults=faults
    )


def _cells(found: Mapping[str, Sequence[Row[Any]]]) -> list[tuple[str, ...]]:
    return [
        (number, row.channel, row.reason, row.since.isoformat(), str(row.message_id or ""))
        for number in sorted(found)
        for row in found[number]
    ]


def _lines(rows: Sequence[Sequence[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows([_harmless(cell) for cell in row] for row in rows)
    return out.getvalue().encode()


def _harmless(cell: str) -> str:
    # A table would run a cell that begins like a formula.
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


def _cursor(contract: str) -> str:
    return base64.urlsafe_b64encode(contract.encode()).decode()


def _read_cursor(cursor: str) -> str:
    try:
        place = base64.urlsafe_b64decode(cursor).decode()
    except ValueError:
        raise wrong_cursor() from None
    if _cursor(place) != cursor or "\x00" in place:
        raise wrong_cursor()
    return place
