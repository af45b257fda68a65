"""The words that every object of YooKassa is made of, and what its answers mean.

What decides by an answer decides by its HTTP status, its code and its fields, never by the
description: its texts are not promised. Source: "Interaction format", "Response handling".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar
from uuid import UUID

import orjson

from shared.events_gateway import FailureClass
from shared.gateway.provider import Failure, Missing, Refused, Throttled, Unclear
from shared.redaction import redact

NAME: Final = "yookassa"
ID: Final = re.compile(r"[0-9A-Za-z_-]{1,64}", re.ASCII)
DETAIL_MAX: Final = 200
ACCOUNT: Final = re.compile(r"[0-9]{1,20}", re.ASCII)

Read = TypeVar("Read")

_QUOTED = re.compile(r"[0-9A-Za-z_-]{20,}")
_UNCLEAR_4XX: Final = (408, 425)
_ABSENT: Final = "not_found"


class Unreadable(ValueError):
    """An answer that is not what the API promises."""


def shop_name(account_id: str) -> str:
    """Return what we call a shop everywhere, for instance ``yookassa:100500``."""
    return f"{NAME}:{account_id}"


def answer(body: bytes) -> Any:
    """Read the body of a 200; raises Unreadable for HTML, a truncated text and the like."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Unreadable("not JSON") from None


def failure(status: int, body: bytes, *, reading: bool = False) -> Failure | Missing:
    """Return what an answer other than 200 means; `reading` tells a GET from a POST.

    Never decides by the description: its texts are not promised.
    """
    said = _object(body)
    after = _retry_after(said)
    if status == 429:
        return Throttled(after)
    code = said.get("code")
    if reading and (status in (404, 410) or (400 <= status < 500 and code == _ABSENT)):
        return Missing()
    if status < 400 or status >= 500 or status in _UNCLEAR_4XX:
        return Unclear(f"http_{status}", after)
    detail = f"{said.get('description', '')} {said.get('parameter', '')}".strip()
    named = code if isinstance(code, str) and code else f"http_{status}"
    about_method = said.get("parameter") == "payment_method_id"
    return Refused(
        named[:64],
        harmless(detail),
        ours=status in (401, 403),
        locked_out=status == 401,
        failure=FailureClass.HARD if about_method else FailureClass.SHOP,
    )


def uuid(value: Any) -> UUID | None:
    """Return an id of ours; None for anything else."""
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def matching(pattern: re.Pattern[str], value: Any) -> str:
    """Return a text of this form; raises Unreadable for anything else."""
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise Unreadable("an id of another form")
    return value


def moment(value: Any) -> datetime:
    """Return a moment in UTC; raises ValueError or TypeError for what is none."""
    read = datetime.fromisoformat(value)
    return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)


def text(value: Any, name: str, most: int = 64) -> str:
    """Return a short text that an object may hold; empty where it does not."""
    found = value.get(name) if isinstance(value, dict) else None
    return found[:most] if isinstance(found, str) else ""


def items(value: Any, read: Callable[[Any], Read]) -> tuple[list[Read], str | None, int]:
    """Read one page of a list: what could be read, the next cursor, how many could not be read.

    Raises Unreadable for what is no list.
    """
    if not isinstance(value, dict) or not isinstance(value.get("items"), list):
        raise Unreadable("not a list")
    cursor = value.get("next_cursor")
    if cursor is not None and not isinstance(cursor, str):
        raise Unreadable("a cursor that is no text")
    found: list[Read] = []
    unreadable = 0
    for item in value["items"]:
        try:
            found.append(read(item))
        except Unreadable:
            unreadable += 1
    return found, cursor or None, unreadable


def harmless(text: str) -> str:
    """Return the beginning of a text for people without what it might quote: ids, addresses."""
    return _QUOTED.sub("…", redact(text[:DETAIL_MAX]))


def web_address(confirmation: Any) -> str | None:
    """Return where a payer confirms, where there is such a place."""
    url = confirmation.get("confirmation_url") if isinstance(confirmation, dict) else None
    fine = isinstance(url, str) and re.match(r"https?://[^\s]+\Z", url)
    return url if fine else None


def _object(body: bytes) -> dict[str, Any]:
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}


def _retry_after(said: dict[str, Any]) -> timedelta | None:
    """`retry_after` is in milliseconds; more than an hour is taken for an hour."""
    value = said.get("retry_after")
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        return None
    return timedelta(milliseconds=min(value, 3_600_000))
