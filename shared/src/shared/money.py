"""Amounts of roubles as whole kopecks.

Everything inside Saldo counts in kopecks. `Decimal` appears only where a file or a protocol
demands it, a float never: 0.1 + 0.2 is not 0.3 there, and a subscriber sees the difference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from shared.errors import Text

RUB: Final = "RUB"

_WIRE = re.compile(r"(?P<sign>-?)(?P<roubles>\d{1,13})(?:\.(?P<kopecks>\d{1,2}))?", re.ASCII)
_PATTERN: Final = r"^-?\d{1,13}(\.\d{1,2})?$"
_EXACT: Final = Context(prec=64, traps=[Inexact])

_EXPECTED: Final = Text(
    'expected an amount such as "650.00": text, a dot, at most two decimals',
    'нужна сумма вида "650.00": текст, точка, не больше двух знаков после неё',
)
_ROUNDED: Final = Text(
    "the amount is not a whole number of kopecks", "в сумме не целое число копеек"
)


class MoneyError(ValueError):
    """A text or number that is not an exact amount of roubles and kopecks."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


@dataclass(frozen=True, order=True, slots=True)
class Money:
    """An exact amount in kopecks, of either sign."""

    kopecks: int

    def __post_init__(self) -> None:
        """Raise TypeError for a float, a Decimal of a database's SUM or anything but an int."""
        if type(self.kopecks) is not int:
            raise TypeError(f"whole kopecks are needed, not {type(self.kopecks).__name__}")

    @classmethod
    def parse(cls, text: object) -> Money:
        """Read ``"650"``, ``"650.5"`` or ``"-650.00"``.

        Raises MoneyError for anything else: a third decimal, an exponent, NaN, a comma, spaces,
        and every value that is not text, because a JSON number has already been rounded.
        """
        match = _WIRE.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise MoneyError(_EXPECTED)
        kopecks = int(match["roubles"]) * 100 + int((match["kopecks"] or "0").ljust(2, "0"))
        return cls(-kopecks if match["sign"] else kopecks)

    @classmethod
    def from_decimal(cls, amount: Decimal) -> Money:
        """Convert roubles; raises MoneyError where kopecks would have to be rounded."""
        if not amount.is_finite() or amount.adjusted() > 12:
            raise MoneyError(_EXPECTED)
        try:
            kopecks = _EXACT.multiply(amount, Decimal(100))
        except Inexact:
            raise MoneyError(_ROUNDED) from None
        if kopecks != kopecks.to_integral_value():
            raise MoneyError(_ROUNDED)
        return cls(int(kopecks))

    def __str__(self) -> str:
        """Roubles with two decimals and a dot, as every provider writes them."""
        roubles, kopecks = divmod(abs(self.kopecks), 100)
        return f"{'-' if self.kopecks < 0 else ''}{roubles}.{kopecks:02d}"

    def __add__(self, other: Money) -> Money:
        return Money(self.kopecks + other.kopecks)

    def __sub__(self, other: Money) -> Money:
        return Money(self.kopecks - other.kopecks)

    def __neg__(self) -> Money:
        return Money(-self.kopecks)

    def __bool__(self) -> bool:
        return self.kopecks != 0


def _validate(value: Any) -> Money:
    return value if isinstance(value, Money) else Money.parse(value)


WireMoney = Annotated[
    Money,
    BeforeValidator(_validate),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": _PATTERN, "examples": ["650.00"]}),
]
"""An amount in a JSON body: a string of roubles, ``"650.00"``."""
