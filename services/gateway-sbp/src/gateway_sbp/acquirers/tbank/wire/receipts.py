"""Receipts in T-Bank's words. Source: the bank's "Receipt" of Init and Cancel, format 1.2 (54-FZ).

The lines, the rates and their dates are those of every gateway: see `shared.gateway.receipt`.
"""

from __future__ import annotations

from typing import Any, Final

from shared.gateway.receipt import Line, Measure, Mode, Receipt, TaxSystem
from shared.gateway.vat import Rate

FORMAT: Final = "1.2"

TAXES: Final[dict[Rate, str]] = {
    Rate(None): "none",
    Rate(0): "vat0",
    Rate(5): "vat5",
    Rate(7): "vat7",
    Rate(10): "vat10",
    Rate(20): "vat20",
    Rate(22): "vat22",
    Rate(5, calculated=True): "vat105",
    Rate(7, calculated=True): "vat107",
    Rate(10, calculated=True): "vat110",
    Rate(20, calculated=True): "vat120",
    Rate(22, calculated=True): "vat122",
}
_TAXATION: Final = {
    TaxSystem.GENERAL: "osn",
    TaxSystem.SIMPLIFIED: "usn_income",
    TaxSystem.SIMPLIFIED_LESS_EXPENSES: "usn_income_outcome",
    TaxSystem.AGRICULTURAL: "esn",
    TaxSystem.PATENT: "patent",
}
_MEASURES: Final = {
    Measure.PIECE: "шт",
    Measure.DAY: "сутки",
    Measure.HOUR: "час",
    Measure.GIGABYTE: "Гбайт",
    Measure.ANOTHER: "ед",
}
_MODES: Final = {Mode.PARTIAL_PREPAYMENT: "prepayment"}
"""Where the bank calls it otherwise than the format does."""


def receipt(wanted: Receipt) -> dict[str, Any]:
    """Return the `Receipt` of a payment or of a part that goes back.

    Raises ValueError for a rate that the bank has no word for.
    """
    said: dict[str, Any] = {"FfdVersion": FORMAT, "Items": [_item(line) for line in wanted.lines]}
    if wanted.tax_system is not None:
        said["Taxation"] = _TAXATION[wanted.tax_system]
    if wanted.customer.email:
        said["Email"] = wanted.customer.email
    if wanted.customer.phone:
        said["Phone"] = wanted.customer.phone
    return said


def _item(line: Line) -> dict[str, Any]:
    return {
        "Name": line.text,
        "Price": line.price_kopecks,
        "Quantity": line.quantity,
        "Amount": line.kopecks,
        "Tax": _tax(line.rate),
        "PaymentMethod": _MODES.get(line.mode, str(line.mode)),
        "PaymentObject": str(line.subject),
        "MeasurementUnit": _MEASURES[line.measure],
    }


def _tax(rate: Rate) -> str:
    if rate not in TAXES:
        raise ValueError(f"T-Bank has no word for VAT of {rate.percent} %")
    return TAXES[rate]
