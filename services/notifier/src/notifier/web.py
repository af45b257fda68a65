"""`/notifier/v1`: what was told to whom, for the operator's own systems. It only reads."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import Row

from notifier import addresses, history
from notifier.channels.port import Fate
from notifier.content import Content, shown, unseal
from notifier.journal import State
from shared.api import Api, answer
from shared.crypto import Vault
from shared.db import Database, reading
from shared.errors import Invalid, NotFound, Text, invalid

PREFIX: Final = "/notifier"
DB: Final = web.AppKey("notifier_db", Database)
VAULT: Final = web.AppKey("notifier_vault", Vault)

api = Api(title="Saldo notifier", prefix=PREFIX)


class MessageView(BaseModel):
    """A message as the operator may see it: the recipient is masked."""

    id: UUID
    kind: str
    channel: str
    contract: str
    state: State
    reason: str | None
    recipient: str | None
    attempts: int
    provider_id: str | None
    event_id: UUID
    correlation_id: str
    created_at: AwareDatetime
    done_at: AwareDatetime | None
    doubtful: bool
    """It may have come twice: an attempt was never answered, and its provider cannot be asked."""
    report: Fate | None
    """What the provider has reported since."""
    delivered_at: AwareDatetime | None


class MessageDetail(MessageView):
    """A message with its words; none yet where its recipient is still looked for."""

    subject: str | None
    text: str | None


class MessagePage(BaseModel):
    """Messages, newest first; `next_cursor` leads to the older ones."""

    messages: list[MessageView]
    next_cursor: str | None


class PageQuery(BaseModel):
    """Which messages are wanted."""

    model_config = ConfigDict(extra="forbid")

    contract: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    state: State | None = None
    limit: int = Field(50, ge=1, le=200)
    cursor: Annotated[str, Field(max_length=200)] | None = None


@api.get(
    "/v1/messages",
    answers={200: MessagePage},
    scope="messages:read",
    query=PageQuery,
    summary="List messages, newest first",
)
async def list_messages(request: web.Request, query: PageQuery) -> web.Response:
    """Answer one page of messages."""
    before = _read_cursor(query.cursor) if query.cursor else None
    async with reading(request.app[DB]) as tx:
        rows = await history.page(
            tx, limit=query.limit + 1, contract=query.contract, state=query.state, before=before
        )
    vault = request.app[VAULT]
    page = rows[: query.limit]
    more = len(rows) > query.limit
    return answer(
        MessagePage(
            messages=[MessageView(**_view(row, _content(vault, row))) for row in page],
            next_cursor=_cursor(page[-1]) if more else None,
        )
    )


@api.get(
    "/v1/messages/{id}",
    answers={200: MessageDetail},
    scope="messages:read",
    summary="Show one message with its text",
)
async def show_message(request: web.Request) -> web.Response:
    """Answer one message."""
    async with reading(request.app[DB]) as tx:
        row = await history.one(tx, _message_id(request.match_info["id"]))
    if row is None:
        raise _unknown()
    content = _content(request.app[VAULT], row)
    subject = content.subject or None if content else None
    text = shown(content.text) if content else None
    return answer(MessageDetail(**_view(row, content), subject=subject, text=text))


def _view(row: Row[Any], content: Content | None) -> dict[str, Any]:
    same = {name: getattr(row, name) for name in MessageView.model_fields if name != "recipient"}
    return {**same, "recipient": addresses.masked(content.to) if content else None}


def _content(vault: Vault, row: Row[Any]) -> Content | None:
    """Return the words; None where they do not exist yet or no listed key reads them."""
    if row.sealed is None:
        return None
    try:
        return unseal(vault, row.sealed)
    except ValueError:
        return None


def _cursor(row: Row[Any]) -> str:
    place = f"{row.created_at.isoformat()}|{row.id}"
    return base64.urlsafe_b64encode(place.encode()).decode()


def _read_cursor(cursor: str) -> tuple[datetime, UUID]:
    try:
        when, _, this = base64.urlsafe_b64decode(cursor).decode().partition("|")
        place = datetime.fromisoformat(when), UUID(this)
    except ValueError:
        raise wrong_cursor() from None
    if place[0].tzinfo is None:
        raise wrong_cursor()
    return place


def wrong_cursor() -> Invalid:
    """Return the refusal of a cursor that no page has given."""
    return invalid(
        "cursor",
        "take it from next_cursor as it is, or leave it out to begin anew",
        "передайте next_cursor без изменений или уберите, чтобы начать сначала",
    )


def _message_id(written: str) -> UUID:
    try:
        return UUID(written)
    except ValueError:
        raise _unknown() from None


def _unknown() -> NotFound:
    return NotFound(Text("There is no such message", "Такого сообщения нет"))
