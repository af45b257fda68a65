"""`/notifier/v1/access`: whom the access controller was told to block, and what it still waits for.

It only reads; `python -m notifier access` has states told again.
"""

from __future__ import annotations

import base64
from typing import Annotated, Any

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import Row

from notifier import access
from notifier.web import DB, api, wrong_cursor
from shared.api import answer
from shared.db import reading
from shared.money import Money, WireMoney


class AccessView(BaseModel):
    """The access of a contract as it was heard last, and what the controller knows of it."""

    contract: str
    blocked: bool
    revision: int
    reason: str
    balance: WireMoney
    available: WireMoney
    since: AwareDatetime
    delivered_revision: int | None
    delivered_at: AwareDatetime | None
    due_at: AwareDatetime | None = Field(
        description="when the controller is told next; none where it knows this revision"
    )
    attempts: int
    last_status: int | None
    last_error: str | None


class AccessPage(BaseModel):
    """States in the order of their contracts; `next_cursor` leads to further ones."""

    states: list[AccessView]
    next_cursor: str | None


class AccessQuery(BaseModel):
    """Which states are wanted."""

    model_config = ConfigDict(extra="forbid")

    contract: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    blocked: bool | None = None
    undelivered: bool | None = None
    limit: int = Field(50, ge=1, le=200)
    cursor: Annotated[str, Field(max_length=400)] | None = None


@api.get(
    "/v1/access",
    answers={200: AccessPage},
    scope="messages:read",
    query=AccessQuery,
    summary="List whom the access controller is told to block",
)
async def list_access(request: web.Request, query: AccessQuery) -> web.Response:
    """Answer one page of states."""
    async with reading(request.app[DB]) as tx:
        rows = await access.page(
            tx,
            limit=query.limit + 1,
            after=_read_cursor(query.cursor) if query.cursor else None,
            contract=query.contract,
            blocked=query.blocked,
            owed=query.undelivered,
        )
    shown = rows[: query.limit]
    more = len(rows) > query.limit
    cursor = _cursor(shown[-1].contract) if more else None
    return answer(AccessPage(states=[_view(row) for row in shown], next_cursor=cursor))


def _view(row: Row[Any]) -> AccessView:
    made = {"balance", "available", "since"}
    same = {name: getattr(row, name) for name in AccessView.model_fields if name not in made}
    return AccessView(
        **same,
        balance=Money(row.balance_kopecks),
        available=Money(row.available_kopecks),
        since=row.occurred_at,
    )


def _cursor(contract: str) -> str:
    return base64.urlsafe_b64encode(contract.encode()).decode()


def _read_cursor(cursor: str) -> str:
    try:
        place = base64.urlsafe_b64decode(cursor).decode()
    except ValueError:
        raise wrong_cursor() from None
    # Decoding passes over what is no base64; PostgreSQL knows no text with a zero.
    if _cursor(place) != cursor or "\x00" in place:
        raise wrong_cursor()
    return place
