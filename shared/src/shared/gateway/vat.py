"""VAT by the day: which rate holds is a table with dates, because the law changes it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from shared.clock import MOSCOW


class Vat(StrEnum):
    """Which VAT a legal entity pays on what it sells."""

    BASE = "base"
    TEN = "10"
    SEVEN = "7"
    FIVE = "5"
    ZERO = "0"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate on one day; `calculated` is the form for advances, such as 22/122."""

    percent: int | None
    """None: not subject to VAT, which is another thing than 0 %."""
    calculated: bool = False


_SINCE: Final[Mapping[Vat, tuple[tuple[date, int], ...]]] = {
    Vat.BASE: ((date(2004, 1, 1), 18), (date(2019, 1, 1), 20), (date(2026, 1, 1), 22)),
    Vat.TEN: ((date(2004, 1, 1), 10),),
    Vat.SEVEN: ((date(2025, 1, 1), 7),),
    Vat.FIVE: ((date(2025, 1, 1), 5),),
    Vat.ZERO: ((date(2004, 1, 1), 0),),
}
"""Each rate with the Moscow day from which it holds. Source: Tax Code of Russia, article 164."""


def rate(vat: Vat, day: date, *, calculated: bool = False) -> Rate:
    """Return the rate that holds on a Moscow day; raises ValueError for one before the table."""
    if vat is Vat.NONE:
        return Rate(None)
    percents = [percent for since, percent in _SINCE[vat] if since <= day]
    if not percents:
        raise ValueError(f"there was no VAT of {vat} % on {day}")
    return Rate(percents[-1], calculated and percents[-1] > 0)


def moscow_day(at: datetime) -> date:
    """Return the day that a receipt of this moment bears."""
    return at.astimezone(MOSCOW).date()
