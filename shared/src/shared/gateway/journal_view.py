"""How the journal looks from outside: a page of the JSON API, a line of a command."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from aiohttp import web
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import Row

from shared import api as apis
from shared.api import Api
from shared.db import Database, reading
from shared.gateway import journal

IDS_MAX = 2**63 - 1


class EntryView(BaseModel):
    """One request of ours (``out``) or one callback (``in``); bodies hold harmless fields only."""

    id: int
    at: AwareDatetime
    direction: journal.Direction
    shop: str
    call: str
    outcome: str
    status: int | None
    milliseconds: float
    object_id: str | None
    provider_payment_id: str | None
    payment_id: str | None
    correlation_id: str
    sent: Any
    said: Any


class JournalView(BaseModel):
    """Entries, newest first; `next_cursor` leads to the older ones."""

    entries: list[EntryView]
    next_cursor: str | None


class JournalQuery(BaseModel):
    """Which payment is meant, by our id of it or by the provider's."""

    model_config = ConfigDict(extra="forbid")

    payment: Annotated[str, Field(min_length=1, max_length=64)]
    limit: int = Field(50, ge=1, le=200)
    cursor: Annotated[int, Field(ge=1, le=IDS_MAX)] | None = None


def describe(api: Api, db: Database) -> None:
    """Add the journal's address to a gateway's API."""

    @api.get(
        "/v1/journal",
        answers={200: JournalView},
        scope="journal:read",
        query=JournalQuery,
        summary="What was asked and told about a payment, newest first",
    )
    async def show_journal(_request: web.Request, query: JournalQuery) -> web.Response:
        async with reading(db) as tx:
            rows = await journal.about(tx, query.payment, query.cursor, query.limit + 1)
        shown = rows[: query.limit]
        more = str(shown[-1].id) if len(rows) > query.limit else None
        return apis.answer(JournalView(entries=[view(row) for row in shown], next_cursor=more))


def view(row: Row[Any]) -> EntryView:
    """Return an entry as the API tells it."""
    return EntryView(
        id=row.id,
        at=row.at,
        direction=row.direction,
        shop=row.shop,
        call=row.call,
        outcome=row.outcome,
        status=row.status,
        milliseconds=row.micros / 1000,
        object_id=row.object_id,
        provider_payment_id=row.provider_payment_id,
        payment_id=str(row.payment_id) if row.payment_id else None,
        correlation_id=row.correlation_id,
        sent=_read(row.sent),
        said=_read(row.said),
    )


def line(row: Row[Any]) -> str:
    """Return an entry as one line for a person."""
    arrow = "<-" if row.direction == "in" else "->"
    parts = [
        *(row.at.isoformat(timespec="milliseconds"), arrow, row.shop, row.call),
        *(str(row.status or "-"), row.outcome, f"{row.micros / 1000:.1f} ms"),
        *(row.object_id or "-", row.correlation_id or "-"),
        *(part for part in (row.sent, row.said) if part),
    ]
    return " ".join(parts)


def _read(text: str | None) -> Any:
    return orjson.loads(text) if text else None
