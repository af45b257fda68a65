"""Receipts in YooKassa's words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from yookassa.domain.models.receipt import Receipt as SdkReceipt
from yookassa.domain.request.receipt_request import ReceiptRequest

from gateway_yookassa import wire
from gateway_yookassa.wire.receipts import receipt as written
from shared.events import Allocation
from shared.gateway import receipt
from shared.gateway.provider import Order, RefundOrder
from shared.gateway.receipt import Customer, Mode, Receipt, ReceiptTerms, TaxSystem, Tender
from shared.gateway.till import Registered, Registration
from shared.gateway.vat import Rate, Vat

NOON = datetime(2026, 11, 22, 9, tzinfo=UTC)
ID = "3294d482-000f-5000-8000-1a2b3c4d5e6f"
CUSTOMER = Customer("user@example.com", "+79161234567")
ISSUED: dict[str, Any] = {
    "id": "rt-2da5c87d-0384-50e8-a7f3-8d5646dd9e10",
    "type": "payment",
    "payment_id": ID,
    "status": "succeeded",
    "fiscal_document_number": "3986",
    "fiscal_storage_number": "9288000100115785",
    "fiscal_attribute": "2617603921",
    "registered_at": "2026-11-22T10:20:00.000Z",
    "items": [
        {
            "description": "Аванс за услуги связи",
            "quantity": 1.000,
            "amount": {"value": "650.00", "currency": "RUB"},
            "vat_code": 12,
            "payment_mode": "advance",
        }
    ],
}


def _paid(vat: Vat = Vat.BASE, at: datetime = NOON, **changes: Any) -> Receipt:
    terms = ReceiptTerms(vat, **changes)
    line = receipt.payment_line(terms, 65_000, at)
    return receipt.settled(terms, line, Tender.CASHLESS, CUSTOMER)


def _offset(terms: ReceiptTerms, kopecks: int) -> Receipt:
    line = receipt.offset_line(terms, kopecks, NOON, service="Интернет", period="2026-11")
    return receipt.settled(terms, line, Tender.PREPAYMENT, CUSTOMER)


def test_a_receipt_as_documented() -> None:
    assert written(_paid()) == {
        "customer": {"email": "user@example.com", "phone": "79161234567"},
        "internet": True,
        "items": [
            {
                "description": "Аванс за услуги связи",
                "quantity": 1,
                "amount": {"value": "650.00", "currency": "RUB"},
                "vat_code": 12,
                "measure": "piece",
                "payment_subject": "payment",
                "payment_mode": "advance",
            }
        ],
    }


@pytest.mark.parametrize(
    ("vat", "mode", "at", "code"),
    [
        (Vat.NONE, Mode.ADVANCE, NOON, 1),
        (Vat.ZERO, Mode.ADVANCE, NOON, 2),
        (Vat.TEN, Mode.FULL_PAYMENT, NOON, 3),
        (Vat.BASE, Mode.FULL_PAYMENT, datetime(2025, 12, 31, tzinfo=UTC), 4),
        (Vat.TEN, Mode.ADVANCE, NOON, 5),
        (Vat.BASE, Mode.ADVANCE, datetime(2025, 12, 31, tzinfo=UTC), 6),
        (Vat.FIVE, Mode.FULL_PAYMENT, NOON, 7),
        (Vat.SEVEN, Mode.FULL_PAYMENT, NOON, 8),
        (Vat.FIVE, Mode.ADVANCE, NOON, 9),
        (Vat.SEVEN, Mode.ADVANCE, NOON, 10),
        (Vat.BASE, Mode.FULL_PAYMENT, NOON, 11),
        (Vat.BASE, Mode.ADVANCE, NOON, 12),
    ],
)
def test_every_code_of_vat(vat: Vat, mode: Mode, at: datetime, code: int) -> None:
    assert written(_paid(vat, at, mode=mode))["items"][0]["vat_code"] == code


def test_a_rate_without_a_code_is_an_error() -> None:
    paid = _paid()
    odd = replace(paid, lines=(replace(paid.lines[0], rate=Rate(18)),))
    with pytest.raises(ValueError, match="no code"):
        written(odd)


@pytest.mark.parametrize(
    ("system", "code"),
    [
        (TaxSystem.GENERAL, 1),
        (TaxSystem.SIMPLIFIED, 2),
        (TaxSystem.SIMPLIFIED_LESS_EXPENSES, 3),
        (TaxSystem.AGRICULTURAL, 5),
        (TaxSystem.PATENT, 6),
    ],
)
def test_the_tax_system_is_said_where_it_is_known(system: TaxSystem, code: int) -> None:
    assert written(_paid(tax_system=system))["tax_system_code"] == code


def test_it_travels_with_payments_charges_and_refunds() -> None:
    part = Allocation(contract="100234", amount_kopecks=65_000)
    order = Order(uuid4(), (part,), 65_000, "https://pay.example.org/", receipt=_paid())
    assert orjson.loads(wire.request(order))["receipt"] == written(_paid())
    charge = orjson.loads(wire.request(replace(order, token="pm-1", return_url=None)))
    assert charge["receipt"] == written(_paid())
    back = RefundOrder(uuid4(), ID, 100, whole=False, receipt=_paid())
    assert orjson.loads(wire.refund_request(back))["receipt"] == written(_paid())
    assert "receipt" not in orjson.loads(wire.request(replace(order, receipt=None)))
    assert "receipt" not in orjson.loads(wire.refund_request(replace(back, receipt=None)))


def test_an_offset_stands_alone() -> None:
    said = orjson.loads(wire.separate(_offset(ReceiptTerms(Vat.BASE), 30_050), ID))
    assert (said["type"], said["payment_id"], said["send"]) == ("payment", ID, True)
    amount = {"value": "300.50", "currency": "RUB"}
    assert said["settlements"] == [{"type": "prepayment", "amount": amount}]
    (line,) = said["items"]
    assert (line["vat_code"], line["payment_mode"]) == (11, "full_payment")
    assert (line["payment_subject"], line["amount"]) == ("service", amount)


@given(st.integers(1, 35_000_000))
def test_the_official_sdk_takes_our_receipts(kopecks: int) -> None:
    terms = ReceiptTerms(Vat.FIVE, tax_system=TaxSystem.SIMPLIFIED)
    line = receipt.payment_line(terms, kopecks, NOON)
    paid = SdkReceipt(written(receipt.settled(terms, line, Tender.CASHLESS, CUSTOMER)))
    assert int(sum(item.amount.value for item in paid.items) * 100) == kopecks
    assert paid.items[0].vat_code == 9
    request = ReceiptRequest(orjson.loads(wire.separate(_offset(terms, kopecks), ID)))
    request.validate()
    assert int(sum(part.amount.value for part in request.settlements) * 100) == kopecks


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("pending", Registration.PENDING),
        ("succeeded", Registration.SUCCEEDED),
        ("canceled", Registration.FAILED),
        ("archived", Registration.PENDING),
        (None, Registration.PENDING),
        (7, Registration.PENDING),
    ],
)
def test_registration_as_the_payment_says_it(said: Any, meant: Registration) -> None:
    assert wire.registered({"id": ID, "receipt_registration": said}) == Registered(meant)


def test_registration_that_is_not_said_is_pending() -> None:
    assert wire.registered({}) == Registered(Registration.PENDING)
    with pytest.raises(wire.Unreadable):
        wire.registered([])


def test_a_registered_receipt_has_its_numbers() -> None:
    found = wire.issued(ISSUED)
    assert (found.id, found.provider_payment_id) == (ISSUED["id"], ID)
    assert (found.text, found.mode, found.kopecks) == ("Аванс за услуги связи", "advance", 65_000)
    assert found.registered == Registered(
        Registration.SUCCEEDED,
        ISSUED["id"],
        "3986",
        "9288000100115785",
        "2617603921",
        datetime(2026, 11, 22, 10, 20, tzinfo=UTC),
    )


def test_a_receipt_on_its_way_has_none() -> None:
    young = {name: ISSUED[name] for name in ("id", "type", "payment_id", "items")}
    found = wire.issued({**young, "status": "pending"}).registered
    assert (found.registration, found.document) == (Registration.PENDING, "")
    assert found.registered_at is None


def test_the_sdks_quantity_is_read_as_well() -> None:
    line = ISSUED["items"][0]
    two = {**ISSUED, "items": [{**line, "quantity": "2.0"}, {**line, "quantity": 0.5}]}
    assert wire.issued(two).kopecks == 162_500


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", ""),
        ("id", "x" * 65),
        ("id", 7),
        ("payment_id", "a b"),
        ("items", []),
        ("items", [7]),
        ("items", [{"quantity": 1, "amount": {"value": 650.0}}]),
        ("items", [{"quantity": "NaN", "amount": {"value": "1.00"}}]),
        ("items", [{"quantity": "one", "amount": {"value": "1.00"}}]),
        ("registered_at", "yesterday"),
    ],
)
def test_an_odd_receipt_is_unreadable(name: str, value: Any) -> None:
    with pytest.raises(wire.Unreadable):
        wire.issued({**ISSUED, name: value})


def test_a_list_of_receipts() -> None:
    assert [one.id for one in wire.receipts({"items": [ISSUED]})] == [ISSUED["id"]]
    for odd in ({}, {"items": None}, [], {"items": [{}]}):
        with pytest.raises(wire.Unreadable):
            wire.receipts(odd)
