"""What a `Receipt` must hold for the bank to pass it on to the cash register (54-FZ).

Source: the bank's page on receipts. Only what it demands of every receipt is checked here; the
words of taxes and subjects are the register's business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from simulators.tbank.words import Refusal, number

ITEMS_MAX = 100
NAME_MAX = 128
QUANTITY = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?", re.ASCII)
TAXATIONS = ("osn", "usn_income", "usn_income_outcome", "envd", "esn", "patent")
VERSIONS = (None, "1.05", "1.2")


def check(body: Mapping[str, Any], kopecks: int, *, needed: bool) -> None:
    """Raise Refusal for a receipt that is missing or wrong; its lines must make up the sum."""
    said = body.get("Receipt")
    if said is None:
        if needed:
            raise _wrong("не передан Receipt")
        return
    if not isinstance(said, dict):
        raise _wrong("Receipt не объект")
    _head(said)
    items = said.get("Items")
    if not isinstance(items, list) or not 0 < len(items) <= ITEMS_MAX:
        raise _wrong("Items")
    if sum(_item(item) for item in items) != kopecks:
        raise _wrong("сумма позиций не равна сумме операции")


def _head(said: Mapping[str, Any]) -> None:
    if not any(isinstance(said.get(name), str) and said[name] for name in ("Email", "Phone")):
        raise _wrong("нужен Email или Phone")
    if said.get("Taxation") not in TAXATIONS:
        raise _wrong("Taxation")
    if said.get("FfdVersion") not in VERSIONS:
        raise _wrong("FfdVersion")


def _item(said: Any) -> int:
    """Return the kopecks of a line."""
    if not isinstance(said, dict):
        raise _wrong("Items")
    for name, most in (("Name", NAME_MAX), ("Tax", 10)):
        value = said.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= most:
            raise _wrong(f"Items.{name}")
    price, amount, quantity = number(said.get("Price")), number(said.get("Amount")), _many(said)
    if price is None or amount is None:
        raise _wrong("Items.Amount")
    if amount != int((price * quantity).quantize(Decimal(1), ROUND_HALF_UP)):
        raise _wrong("Items.Amount не равна Price × Quantity")
    return amount


def _many(said: Mapping[str, Any]) -> Decimal:
    value = said.get("Quantity")
    if not isinstance(value, str) or not QUANTITY.fullmatch(value):
        raise _wrong("Items.Quantity")
    return Decimal(value)


def _wrong(details: str) -> Refusal:
    return Refusal("309", "Неверные параметры. Проверьте Receipt.", details)
