"""What a contract's subscriber was told: an address."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Row

from core_billing import timeline
from core_billing.timeline import PAGE_MAX, Cursor
from core_billing.web.base import CONTRACT_UNKNOWN, CORE, api, existing
from shared import api as apis
from shared.db import reading


class MessagesQuery(BaseModel):
    """Which page of the messages."""

    model_config = ConfigDict(extra="forbid")

    cursor: Annotated[str, Field(max_length=60)] | None = None
    limit: int = Field(50, ge=1, le=PAGE_MAX)


class MessageView(BaseModel):
    """A message that has left, or will not.

    `state` is sent or failed, of which `reason` says why. `about` is the id of the event it tells
    of; its text and address are known to the notifier alone.
    """

    id: str
    at: datetime
    kind: str
    channel: str
    state: str
    reason: str | None
    about: str


class MessagesView(BaseModel):
    """A page of messages, newest first; `next_cursor` is null on the last one."""

    items: list[MessageView]
    next_cursor: str | None


@api.get(
    "/contracts/{number}/messages",
    answers={200: MessagesView},
    scope="contracts:read",
    query=MessagesQuery,
    summary="What a contract's subscriber was told in the last 400 days, newest first",
    refusals=(CONTRACT_UNKNOWN,),
)
async def list_messages(request: web.Request, query: MessagesQuery) -> web.Response:
    """Answer with a page of the contract's messages."""
    after = None if query.cursor is None else Cursor.read(query.cursor)
    async with reading(request.app[CORE].db) as tx:
        contract = await existing(tx, request.match_info["number"])
        found = await timeline.page(tx, contract.id, after, query.limit + 1)
    shown = found[: query.limit]
    more = str(Cursor(shown[-1].at, shown[-1].id)) if len(found) > query.limit else None
    return apis.answer(MessagesView(items=[_view(row) for row in shown], next_cursor=more))


def _view(row: Row[Any]) -> MessageView:
    return MessageView(
        id=row.message_id,
        at=row.at,
        kind=row.kind,
        channel=row.channel,
        state=row.state,
        reason=row.reason,
        about=row.about,
    )
