"""Reading the receipts that shops send.

YooKassa API v3, "Receipts from YooKassa" (54-FZ): customer's e-mail, up to 80 items with measure,
subject and mode, VAT codes 1 to 12, and a sum that is the payment's.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from simulators.yookassa.errors import ApiError, bad
from simulators.yookassa.money import kopecks

ITEMS = 80
MAX_QUANTITY = Decimal("99999.999")
EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,189}")
PHONE = re.compile(r"\d{4,15}")
MODES = (
    "full_prepayment", "partial_prepayment", "advance", "full_payment", "partial_payment", "credit",
    "credit_payment",
)  # fmt: skip
SETTLEMENTS = ("cashless", "prepayment", "postpayment", "consideration")
WORD = re.compile(r"[a-z0-9_]{1,64}")


def receipt(body: dict[str, Any], currency: str, total: int) -> dict[str, Any] | None:
    """Return the optional `receipt` of a payment or refund of `total` kopecks."""
    given = body.get("receipt")
    if given is None:
        return None
    if not isinstance(given, dict):
        raise _malformed("receipt")
    customer(given)
    if items(given.get("items"), currency) != total:
        raise bad("receipt.items", "Receipt is malformed: sum of items differs from the amount")
    return given


def customer(given: dict[str, Any]) -> None:
    """Check who gets the receipt; the old spelling puts e-mail and phone beside the items."""
    person = given.get("customer") or {
        name: given[name] for name in ("email", "phone") if name in given
    }
    if not isinstance(person, dict) or not person.get("email"):
        raise _malformed("receipt.customer.email")
    if not isinstance(person["email"], str) or not EMAIL.fullmatch(person["email"]):
        raise _malformed("receipt.customer.email")
    phone = person.get("phone")
    if phone is not None and not PHONE.fullmatch(str(phone)):
        raise _malformed("receipt.customer.phone")


def items(given: object, currency: str) -> int:
    """Check the lines of a receipt and return their sum in kopecks."""
    if not isinstance(given, list) or not 1 <= len(given) <= ITEMS:
        raise _malformed("receipt.items")
    total = sum(
        (_line(line, f"receipt.items[{n}]", currency) for n, line in enumerate(given)), Decimal()
    )
    return int(total.quantize(Decimal(1)))


def settlements(given: object, currency: str) -> None:
    """Check how the sum of a separate receipt was paid."""
    if not isinstance(given, list) or not given:
        raise _malformed("settlements")
    for number, each in enumerate(given):
        place = f"settlements[{number}]"
        if not isinstance(each, dict) or each.get("type") not in SETTLEMENTS:
            raise _malformed(f"{place}.type")
        _price(each, place, currency)


def _line(line: object, place: str, currency: str) -> Decimal:
    if not isinstance(line, dict):
        raise _malformed(place)
    name = line.get("description")
    if not isinstance(name, str) or not 1 <= len(name) <= 128:
        raise _malformed(f"{place}.description")
    if line.get("vat_code") not in range(1, 13) or isinstance(line.get("vat_code"), bool):
        raise _malformed(f"{place}.vat_code")
    for field in ("measure", "payment_subject"):
        if not isinstance(line.get(field), str) or not WORD.fullmatch(line[field]):
            raise _malformed(f"{place}.{field}")
    if line.get("payment_mode") not in MODES:
        raise _malformed(f"{place}.payment_mode")
    return _quantity(line, place) * _price(line, place, currency)


def _price(holder: dict[str, Any], place: str, currency: str) -> int:
    price = holder.get("amount")
    value = kopecks(price.get("value")) if isinstance(price, dict) else None
    if value is None or not isinstance(price, dict) or price.get("currency") != currency:
        raise _malformed(f"{place}.amount")
    return value


def _quantity(line: dict[str, Any], place: str) -> Decimal:
    # A number, or a text as the official SDK writes it ("1.0").
    given = line.get("quantity")
    try:
        quantity = Decimal(str(given))
    except InvalidOperation:
        raise _malformed(f"{place}.quantity") from None
    if not quantity.is_finite() or not 0 < quantity <= MAX_QUANTITY:
        raise _malformed(f"{place}.quantity")
    if quantity != quantity.quantize(Decimal("0.001")):
        raise _malformed(f"{place}.quantity")
    return quantity


def _malformed(parameter: str) -> ApiError:
    return bad(parameter, "Receipt is malformed")
