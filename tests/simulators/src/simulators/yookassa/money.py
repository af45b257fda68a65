"""Sums on YooKassa's wire: a text with a dot and two decimals, integer kopecks inside."""

from __future__ import annotations

import re

VALUE = re.compile(r"(\d{1,12})\.(\d{2})")


def kopecks(value: object) -> int | None:
    """Read `"650.00"` as 65000; None for whatever is not exactly that."""
    if not isinstance(value, str):
        return None
    match = VALUE.fullmatch(value)
    return int(match[1]) * 100 + int(match[2]) if match and value.isascii() else None


def amount(sum_kopecks: int, currency: str) -> dict[str, str]:
    """Write kopecks as the API's `amount` object."""
    roubles, rest = divmod(sum_kopecks, 100)
    return {"value": f"{roubles}.{rest:02d}", "currency": currency}


def income(sum_kopecks: int, fee_basis_points: int) -> int:
    """Return what reaches the shop: the sum minus the fee and 22 % VAT on the fee (since 2026)."""
    fee = _half_up(sum_kopecks * fee_basis_points, 10_000)
    return sum_kopecks - fee - _half_up(fee * 22, 100)


def _half_up(number: int, divisor: int) -> int:
    return (2 * number + divisor) // (2 * divisor)
