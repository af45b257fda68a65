"""Receipts in T-Bank's words, and that they travel with payments and with parts that go back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
import pytest

from gateway_sbp.acquirers.tbank.wire import payments, refunds
from gateway_sbp.acquirers.tbank.wire.receipts import TAXES, receipt
from shared.events import Allocation
from shared.gateway.provider import Order, RefundOrder
from shared.gateway.receipt import (
    Customer,
    Line,
    Measure,
    Mode,
    Receipt,
    ReceiptTerms,
    Subject,
    TaxSystem,
    Tender,
    payment_line,
    settled,
)
from shared.gateway.vat import _SINCE, Rate, Vat

AT = datetime(2026, 11, 28, 10, tzinfo=UTC)
OURS = UUID("0d0e0f00-0000-4000-8000-000000000001")
CUSTOMER = Customer("ivan@example.ru", "+79161234567")


def advance(**terms: Any) -> Receipt:
    """Return the receipt of a payment of 350.50."""
    said = ReceiptTerms(**{"vat": Vat.BASE, "tax_system": TaxSystem.GENERAL, **terms})
    return settled(said, payment_line(said, 35_050, AT), Tender.CASHLESS, CUSTOMER)


def test_an_advance_with_the_calculated_rate_of_its_day() -> None:
    assert receipt(advance()) == {
        "FfdVersion": "1.2",
        "Taxation": "osn",
        "Email": "ivan@example.ru",
        "Phone": "+79161234567",
        "Items": [
            {
                "Name": "Аванс за услуги связи",
                "Price": 35_050,
                "Quantity": 1,
                "Amount": 35_050,
                "Tax": "vat122",
                "PaymentMethod": "advance",
                "PaymentObject": "payment",
                "MeasurementUnit": "шт",
            }
        ],
    }


@pytest.mark.parametrize(
    ("system", "word"),
    [
        (TaxSystem.GENERAL, "osn"),
        (TaxSystem.SIMPLIFIED, "usn_income"),
        (TaxSystem.SIMPLIFIED_LESS_EXPENSES, "usn_income_outcome"),
        (TaxSystem.AGRICULTURAL, "esn"),
        (TaxSystem.PATENT, "patent"),
    ],
)
def test_tax_systems(system: TaxSystem, word: str) -> None:
    assert receipt(advance(tax_system=system))["Taxation"] == word


def test_every_rate_of_the_law_has_a_word() -> None:
    percents = {percent for table in _SINCE.values() for _, percent in table} - {18}
    rates = {Rate(percent) for percent in percents} | {Rate(None)}
    rates |= {Rate(percent, calculated=True) for percent in percents if percent}
    assert rates == set(TAXES)
    assert len(set(TAXES.values())) == len(TAXES)


def test_a_rate_without_a_word_is_an_error() -> None:
    line = Line("x", 1, Rate(18), Mode.ADVANCE, Subject.PAYMENT)
    with pytest.raises(ValueError, match="18"):
        receipt(Receipt(CUSTOMER, (line,), ()))


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("measure", list(Measure))
def test_every_mode_and_measure_has_a_word(mode: Mode, measure: Measure) -> None:
    line = Line("x", 100, Rate(None), mode, Subject.SERVICE, measure, quantity=3)
    (item,) = receipt(Receipt(CUSTOMER, (line,), ()))["Items"]
    words = ("full_prepayment", "prepayment", "advance", "full_payment")
    assert item["PaymentMethod"] in words
    assert item["MeasurementUnit"]
    assert (item["Price"], item["Quantity"], item["Amount"]) == (100, 3, 300)


def test_a_payment_takes_its_receipt_along() -> None:
    parts = (Allocation(contract="100245", amount_kopecks=35_050),)
    order = Order(OURS, parts, 35_050, None, receipt=advance())

    asked = orjson.loads(payments.request(order, "T", AT, None))
    assert asked["Receipt"]["Items"][0]["Amount"] == asked["Amount"]


@pytest.mark.parametrize("printed", [True, False])
def test_a_part_that_goes_back_has_a_receipt_of_its_own(printed: bool) -> None:
    wanted = RefundOrder(OURS, "1", 35_050, False, receipt=advance() if printed else None)

    assert ("Receipt" in orjson.loads(refunds.refund_request(wanted, "T"))) is printed
