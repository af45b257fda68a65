"""Receipts in YooKassa's words: those we send, and what it says of their registration.

Source: YooKassa, "Receipts from YooKassa" and "Parameters' values" (54-FZ); its OpenAPI document of
API v3, 2026. A state nobody has heard of counts as pending: it never makes a receipt good or bad.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import orjson

from gateway_yookassa.wire.words import ID, Unreadable, matching, moment, text
from shared.gateway.receipt import Line, Receipt, TaxSystem
from shared.gateway.till import Issued, Registered, Registration
from shared.gateway.vat import Rate
from shared.money import RUB, Money, MoneyError

QUANTITY_MAX: Final = 100_000
RECEIPT_ID: Final = re.compile(r"[0-9A-Za-z_-]{1,64}", re.ASCII)

VAT_CODES: Final[dict[Rate, int]] = {
    Rate(None): 1,
    Rate(0): 2,
    Rate(10): 3,
    Rate(20): 4,
    Rate(10, calculated=True): 5,
    Rate(20, calculated=True): 6,
    Rate(5): 7,
    Rate(7): 8,
    Rate(5, calculated=True): 9,
    Rate(7, calculated=True): 10,
    Rate(22): 11,
    Rate(22, calculated=True): 12,
}
_TAX_SYSTEMS: Final = {
    TaxSystem.GENERAL: 1,
    TaxSystem.SIMPLIFIED: 2,
    TaxSystem.SIMPLIFIED_LESS_EXPENSES: 3,
    TaxSystem.AGRICULTURAL: 5,
    TaxSystem.PATENT: 6,
}
_ODD: Final = (
    *(KeyError, IndexError, TypeError, AttributeError),
    *(MoneyError, ValueError, InvalidOperation),
)
_REGISTRATIONS: Final = {
    "succeeded": Registration.SUCCEEDED,
    "canceled": Registration.FAILED,
}


def receipt(wanted: Receipt) -> dict[str, Any]:
    """Return the `receipt` of a payment or of a refund.

    Raises ValueError for a rate that YooKassa has no code for.
    """
    said: dict[str, Any] = {
        "customer": _customer(wanted),
        "items": [_item(line) for line in wanted.lines],
        "internet": wanted.internet,
    }
    if wanted.tax_system is not None:
        said["tax_system_code"] = _TAX_SYSTEMS[wanted.tax_system]
    return said


def separate(wanted: Receipt, provider_payment_id: str) -> bytes:
    """Return the body that makes a receipt apart from its payment."""
    settlements = [
        {"type": str(part.tender), "amount": _amount(part.kopecks)} for part in wanted.settlements
    ]
    about = {"type": "payment", "payment_id": provider_payment_id, "send": True}
    return orjson.dumps({**about, **receipt(wanted), "settlements": settlements})


def registered(value: Any) -> Registered:
    """Read `receipt_registration` of a payment or refund: pending where it is not there yet.

    Raises Unreadable for what is no object.
    """
    if not isinstance(value, dict):
        raise Unreadable("not an object")
    return Registered(_registration(value.get("receipt_registration")))


def issued(value: Any) -> Issued:
    """Read a receipt object; raises Unreadable."""
    try:
        lines = value["items"]
        return Issued(
            id=matching(RECEIPT_ID, value["id"]),
            provider_payment_id=_id(value.get("payment_id")),
            text=text(lines[0], "description", 128),
            mode=text(lines[0], "payment_mode"),
            kopecks=int(sum(_kopecks(line) for line in lines)),
            registered=Registered(
                _registration(value["status"]),
                receipt_id=value["id"],
                document=text(value, "fiscal_document_number"),
                storage=text(value, "fiscal_storage_number"),
                attribute=text(value, "fiscal_attribute"),
                registered_at=_moment(value.get("registered_at")),
            ),
        )
    except _ODD as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable(f"not a receipt: {error!r:.200}") from error


def receipts(value: Any) -> list[Issued]:
    """Read the list of a payment's or refund's receipts, newest first; raises Unreadable.

    One that cannot be read makes the list unreadable: it might be the one that is looked for.
    """
    if not isinstance(value, dict) or not isinstance(value.get("items"), list):
        raise Unreadable("not a list")
    return [issued(item) for item in value["items"]]


def _customer(wanted: Receipt) -> dict[str, str]:
    said = {}
    if wanted.customer.email:
        said["email"] = wanted.customer.email
    if wanted.customer.phone:
        # Digits of E.164, without the plus.
        said["phone"] = re.sub(r"\D", "", wanted.customer.phone)
    return said


def _item(line: Line) -> dict[str, Any]:
    return {
        "description": line.text,
        "quantity": line.quantity,
        "amount": _amount(line.price_kopecks),
        "vat_code": _vat_code(line.rate),
        "measure": str(line.measure),
        "payment_mode": str(line.mode),
        "payment_subject": str(line.subject),
    }


def _vat_code(rate: Rate) -> int:
    if rate not in VAT_CODES:
        raise ValueError(f"YooKassa has no code for VAT of {rate.percent} %")
    return VAT_CODES[rate]


def _amount(kopecks: int) -> dict[str, str]:
    return {"value": str(Money(kopecks)), "currency": RUB}


def _kopecks(line: Any) -> Decimal:
    """The sum of a line; a quantity comes as a number or, from the official SDK, as a text."""
    quantity = Decimal(str(line["quantity"]))
    if not 0 < quantity < QUANTITY_MAX:
        raise Unreadable("a quantity that is none")
    return Money.parse(line["amount"]["value"]).kopecks * quantity


def _registration(said: Any) -> Registration:
    known = _REGISTRATIONS.get(said) if isinstance(said, str) else None
    return known or Registration.PENDING


def _id(value: Any) -> str | None:
    return None if value is None else matching(ID, value)


def _moment(value: Any) -> datetime | None:
    return moment(value) if value else None
