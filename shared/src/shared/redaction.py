"""What log lines and exceptions must not hold: cards, phones, mail addresses and secrets."""

from __future__ import annotations

import re
from typing import Any, Final

TEXT_MAX: Final = 8000
ITEMS_MAX: Final = 100
DEPTH_MAX: Final = 6
_GROUPS_MAX: Final = 5

_NAMES: Final = (
    r"password|passwd|psw|secret|token(?!_hash)|authorization|cookie|signature|credential"
    r"|api[_-]?key|(?:signing|encryption|private)_key"
)
_SECRET_NAME = re.compile(_NAMES, re.IGNORECASE)
_ASSIGNED = re.compile(
    rf"""((?:{_NAMES})[\w-]*["']?\s*[=:]\s*["']?)[^\s"',;&)\]}}]+""", re.IGNORECASE
)
_IN_URL = re.compile(r"(?<=://)[^\s/?#]*@")
_BEARER = re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{6,}", re.IGNORECASE)
_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_RUSSIAN = (
    r"(?<![\w+-])(?:\+7|8|7)[ (-]{0,2}9\d{2}[ )-]{0,2}\d{3}[ -]?\d{2}[ -]?\d{2}(?![0-9A-Za-z])"
)
_FOREIGN = r"(?<![\w+])\+\d(?:[ ()-]{0,2}\d){9,14}(?!\d)"
_PHONE = re.compile(f"{_RUSSIAN}|{_FOREIGN}")
_NUMBERS = re.compile(r"(?<![0-9a-f])[0-9a-f]{32,}|\d+(?:[ -]\d+)*")
_SIGNED_64: Final = range(-(2**63), 2**63)


def redact(text: str) -> str:
    """Mask what a thief could use; an order number that is no card number stays."""
    text = text[:TEXT_MAX].encode("utf-8", "replace").decode()
    text = _IN_URL.sub("<secret>@", text)
    text = _BEARER.sub(r"\1 <secret>", text)
    text = _ASSIGNED.sub(r"\1<secret>", text)
    text = _EMAIL.sub("<email>", text)
    text = _PHONE.sub("<phone>", text)
    return _NUMBERS.sub(lambda found: _without_cards(found[0]), text)


def redacted(value: Any, name: str = "", depth: int = 0) -> Any:
    """Return a value of any kind as one that JSON can hold, masked at every depth."""
    if _SECRET_NAME.search(name):
        return "<secret>"
    if isinstance(value, str):
        return redact(value)
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        masked = redact(str(value))
        return value if masked == str(value) and value in _SIGNED_64 else masked
    if depth >= DEPTH_MAX:
        return "<deep>"
    if isinstance(value, dict):
        items = list(value.items())[:ITEMS_MAX]
        return {redact(str(k)): redacted(v, str(k), depth + 1) for k, v in items}
    if isinstance(value, list | tuple | set | frozenset):
        return [redacted(item, "", depth + 1) for item in list(value)[:ITEMS_MAX]]
    return redact(str(value))


def _without_cards(run: str) -> str:
    """Mask the cards in a run of numbers; ``4111 1111 1111 1111 12`` is one and a month."""
    if not run.replace(" ", "").replace("-", "").isdigit():
        return run  # a long hexadecimal id
    parts = re.split("([ -])", run)
    kept: list[str] = []
    start = 0
    while start < len(parts):
        end = _card_end(parts, start)
        kept.append("<card>" if end else parts[start])
        start = end or start + 1
    return "".join(kept)


def _card_end(parts: list[str], start: int) -> int:
    """Return where the card that begins with a group ends, 0 where none begins."""
    for groups in range(_GROUPS_MAX, 0, -1):
        end = start + 2 * groups - 1
        if start % 2 == 0 and end <= len(parts) and _is_card(parts[start:end:2]):
            return end
    return 0


def _is_card(groups: list[str]) -> bool:
    digits = "".join(groups)
    lengths = [len(group) for group in groups]
    fours = all(length == 4 for length in lengths[:-1]) and lengths[-1] <= 4
    shape = len(groups) == 1 or fours or lengths == [4, 6, 5]
    return 13 <= len(digits) <= 19 and shape and _luhn(digits)


def _luhn(digits: str) -> bool:
    numbers = [int(digit) for digit in reversed(digits)]
    doubled = (n * 2 - 9 if n > 4 else n * 2 for n in numbers[1::2])
    return (sum(numbers[::2]) + sum(doubled)) % 10 == 0
