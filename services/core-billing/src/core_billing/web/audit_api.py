"""The audit log: who did what, when and to what."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from core_billing import audit
from core_billing.audit import Filter
from core_billing.time_limit import TOO_WIDE, reading_briefly
from core_billing.web.base import CORE, api
from core_billing.web.search_views import RANGE_REVERSED, Period, Word, begins, ends
from shared import api as apis

PAGE_MAX = 200


class AuditQuery(BaseModel):
    """Which acts; both days of a period belong to it."""

    # The bounds are called from and to, which Python does not let a field be called.
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    actor: Word | None = None
    """The name of a token: a manager or a system."""
    action: Word | None = None
    """What was done, such as payment.create."""
    subject: Word | None = None
    """What it was done to, such as contract:100245 or payment:17."""
    first_day: Annotated[Period | None, Field(alias="from")] = None
    last_day: Annotated[Period | None, Field(alias="to")] = None
    cursor: Annotated[str, Field(pattern=r"^[0-9]{1,18}$")] | None = None
    limit: int = Field(50, ge=1, le=PAGE_MAX)


class ActView(BaseModel):
    """One act; `asked` is the body it was asked with, free of passwords and addresses."""

    id: str
    at: datetime
    actor: str
    action: str
    subject: str
    asked: dict[str, Any]
    correlation_id: str


class ActsView(BaseModel):
    """A page of acts, newest first; `next_cursor` is null on the last one."""

    items: list[ActView]
    next_cursor: str | None


@api.get(
    "/audit",
    answers={200: ActsView},
    scope="audit:read",
    query=AuditQuery,
    refusals=(RANGE_REVERSED, TOO_WIDE),
    summary="Who did what, when and to what, newest first",
)
async def list_acts(request: web.Request, query: AuditQuery) -> web.Response:
    """Answer with a page of the audit log."""
    core = request.app[CORE]
    if query.first_day and query.last_day and query.first_day > query.last_day:
        raise RANGE_REVERSED(low="from", high="to")
    period = begins(core.rules, query.first_day), ends(core.rules, query.last_day)
    asked = Filter(query.actor, query.action, query.subject, *period)
    after = None if query.cursor is None else int(query.cursor)
    async with reading_briefly(core.db) as tx:
        found = await audit.page(tx, asked, after, query.limit + 1)
    shown = found[: query.limit]
    items = [ActView(**{**row._mapping, "id": str(row.id)}) for row in shown]
    more = items[-1].id if len(found) > query.limit else None
    return apis.answer(ActsView(items=items, next_cursor=more))
