"""How T-Bank signs and answers: tokens, and errors inside HTTP 200."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

Body = dict[str, Any]

BAD = "Неверные параметры"
WHOLE_DIGITS = 15
DEADLINE_DAYS = 90


class Refusal(Exception):
    """A business error: its code and its words."""

    def __init__(self, code: str, message: str, details: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.details = details


def token(values: Mapping[str, Any], password: str) -> str:
    """Return the token over every scalar of the root but the token itself.

    Values are as the wire has them: numbers as their text, booleans as `true` and `false`; what is
    null, an object or a list has no part in it. Source: the bank's page "Token".
    """
    said = {
        name: _text(value)
        for name, value in values.items()
        if name != "Token" and value is not None and not isinstance(value, dict | list)
    }
    said["Password"] = password
    return hashlib.sha256("".join(said[name] for name in sorted(said)).encode()).hexdigest()


def genuine(values: Mapping[str, Any], password: str) -> bool:
    """Say whether a request is signed by the terminal."""
    given = values.get("Token")
    if not isinstance(given, str):
        return False
    return hmac.compare_digest(given.encode(), token(values, password).encode())


def read(raw: bytes) -> Body:
    """Read a request; its numbers stay the texts that they were. Raises Refusal."""
    try:
        body = json.loads(raw, parse_int=str, parse_float=str, parse_constant=str)
        # Half of a surrogate pair is JSON, but no text that could be signed or kept.
        json.dumps(body, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise Refusal("308", BAD, "тело запроса не JSON") from None
    if not isinstance(body, dict):
        raise Refusal("308", BAD, "ожидается объект")
    return body


def number(value: Any) -> int | None:
    """Return a whole number from nothing up, or None for anything else."""
    if not isinstance(value, str) or len(value) > WHOLE_DIGITS:
        return None
    return int(value) if value.isascii() and value.isdigit() else None


def whole(body: Mapping[str, Any], name: str) -> int:
    """Return a whole number above nothing; raises Refusal."""
    found = number(body.get(name))
    if not found:
        raise Refusal("308", BAD, f"Поле {name} неверно")
    return found


def text(body: Mapping[str, Any], name: str, most: int, *, needed: bool = True) -> str:
    """Return a text, empty where none is needed and none is there; raises Refusal."""
    value = body.get(name)
    if value is None and not needed:
        return ""
    if not isinstance(value, str) or not 0 < len(value) <= most:
        raise Refusal("308", BAD, f"Поле {name} неверно")
    return value


def yes(value: Any) -> bool:
    """Read a flag, which some clients send as a text."""
    return value is True or (isinstance(value, str) and value.lower() == "true")


def due(body: Mapping[str, Any], now: int) -> int | None:
    """Return the moment of `RedirectDueDate` in milliseconds, if one is said; raises Refusal."""
    said = body.get("RedirectDueDate")
    if said is None:
        return None
    try:
        found = datetime.fromisoformat(str(said))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise Refusal("12", "Неверный RedirectDueDate", "нужны дата, время и смещение")
    moment = int(found.timestamp()) * 1_000
    if not now < moment <= now + DEADLINE_DAYS * 86_400_000:
        raise Refusal("12", "Неверный RedirectDueDate", "срок прошёл или слишком далёк")
    return moment


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
