"""How the bank writes: numbers in roubles, moments of Moscow, signatures.

A number leaves as the text that is signed, without trailing zeros, unless a knob wants it
otherwise. Inside the simulator money is kopecks.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

SIGNATURE = "X-Api-Signature-SHA256"
MOSCOW = timezone(timedelta(hours=3))
KOPECKS_MAX = 10**12
"""The bank's own bound is not published; this one keeps a number a number."""
ORDER = re.compile(r"[A-Za-z0-9._-]{1,40}", re.ASCII)


class Refusal(Exception):
    """A business error: its code, its words, and the status that the newer part of the API has."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.status = status


def number_text(kopecks: int) -> str:
    """Return roubles as the bank signs them: `1`, `350.5`, `0.01`."""
    return f"{kopecks // 100}.{kopecks % 100:02d}".rstrip("0").rstrip(".")


def number(kopecks: int) -> orjson.Fragment:
    """Return roubles as a JSON number."""
    return orjson.Fragment(number_text(kopecks).encode())


def kopecks(value: Any) -> int:
    """Read roubles out of JSON; raises Refusal for what is no sum."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Refusal("ERROR.INVALID_REQUEST", "Неверный формат суммы")
    try:
        exact = Decimal(value) * 100
    except InvalidOperation:
        raise Refusal("ERROR.INVALID_REQUEST", "Неверный формат суммы") from None
    if exact != exact.to_integral_value() or not 1 <= exact <= KOPECKS_MAX:
        raise Refusal("ERROR.INVALID_REQUEST", "Сумма меньше 1 копейки или с дробью копейки")
    return int(exact)


def moment(milliseconds: int, fraction: int = 6) -> str:
    """Write a moment of Moscow with so many digits of a second."""
    seconds, rest = divmod(milliseconds, 1_000)
    text = datetime.fromtimestamp(seconds, UTC).astimezone(MOSCOW).strftime("%Y-%m-%dT%H:%M:%S")
    digits = f".{rest * 1_000:06d}"[: fraction + 1] if fraction else ""
    return f"{text}{digits}+03:00"


def sign(key: str, *parts: str) -> str:
    """Return the signature of these parts."""
    return hmac.new(key.encode(), "|".join(parts).encode(), hashlib.sha256).hexdigest()
