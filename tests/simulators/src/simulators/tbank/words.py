"""How T-Bank signs and answers: tokens, and errors inside HTTP 200."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any


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
    null, an object or a list has no part in it.
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


def read(raw: bytes) -> dict[str, Any]:
    """Read a request; its numbers stay the texts that they were. Raises Refusal."""
    try:
        body = json.loads(raw, parse_int=str, parse_float=str)
    except ValueError:
        raise Refusal("308", "Неверные параметры", "тело запроса не JSON") from None
    if not isinstance(body, dict):
        raise Refusal("308", "Неверные параметры", "ожидается объект")
    return body


def whole(body: Mapping[str, Any], name: str) -> int:
    """Return a whole number above nothing; raises Refusal."""
    value = body.get(name)
    if not isinstance(value, str) or not value.isdigit() or int(value) <= 0:
        raise Refusal("308", "Неверные параметры", f"Поле {name} неверно")
    return int(value)


def text(body: Mapping[str, Any], name: str, most: int) -> str:
    """Return a text that must be there; raises Refusal."""
    value = body.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= most:
        raise Refusal("308", "Неверные параметры", f"Поле {name} неверно")
    return value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
