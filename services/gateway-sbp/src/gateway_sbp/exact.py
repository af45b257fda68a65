"""JSON whose numbers keep their text, and roubles that were never a float: pure.

A signature covers an amount as it was written, `350.5` and `350.50` are not the same to it. So
numbers are read as the text they are, and become kopecks in one place.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any, Final, NoReturn

import orjson

DIGITS_MAX: Final = 20
WHOLE_MAX: Final = 2**63 - 1
KOPECKS_MAX: Final = 10**15
"""More than any payment, and less than a database's whole number can hold."""

_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?", re.ASCII)


class Number(str):
    """A JSON number as it was written."""

    __slots__ = ()


def read(body: bytes) -> Any:
    """Return a body as JSON, its numbers as `Number`; raises ValueError for what is no JSON."""
    try:
        text = body.decode()
        return json.loads(text, parse_float=Number, parse_int=Number, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def kopecks(value: Any) -> int:
    """Return an amount in roubles as kopecks, whether it is written as a number or as a text.

    Raises ValueError for anything else, a fraction of a kopeck, what is below zero or above all
    measure.
    """
    amount = _decimal(value) * 100
    if not 0 <= amount <= KOPECKS_MAX or amount != amount.to_integral_value():
        raise ValueError("an amount that is not a whole number of kopecks")
    return int(amount)


def whole(value: Any) -> int:
    """Return a whole number; raises ValueError for anything else, below zero or too large."""
    number = _decimal(value)
    if not 0 <= number <= WHOLE_MAX or number != number.to_integral_value():
        raise ValueError("not a whole number")
    return int(number)


def canonical(value: str) -> str:
    """Return a number without an exponent and without trailing zeros, such as `350.5` or `1000`.

    Raises ValueError for what is no number.
    """
    text = f"{_decimal(value):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def roubles(amount: int) -> orjson.Fragment:
    """Return kopecks as a JSON number in roubles, such as `350.50`."""
    return orjson.Fragment(f"{amount // 100}.{amount % 100:02d}".encode())


def _decimal(value: Any) -> Decimal:
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        raise ValueError("not a number")
    return Decimal(value)


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")
