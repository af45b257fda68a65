"""What stands on a receipt: rates by their day, sums to the kopeck, somebody to send it to."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.gateway import receipt, vat
from shared.gateway.receipt import (
    Customer,
    Mode,
    NoContact,
    ReceiptTerms,
    Settlement,
    Subject,
    TaxSystem,
    Tender,
)
from shared.gateway.vat import Rate, Vat

NOON = datetime(2026, 11, 22, 9, tzinfo=UTC)
SOMEBODY = Customer(email="user@example.com")
TERMS = ReceiptTerms(Vat.BASE)
KOPECKS = st.integers(1, 10**12)


@pytest.mark.parametrize(
    ("day", "percent"),
    [
        (date(2018, 12, 31), 18),
        (date(2019, 1, 1), 20),
        (date(2025, 12, 31), 20),
        (date(2026, 1, 1), 22),
        (date(2030, 6, 1), 22),
    ],
)
def test_the_base_rate_is_that_of_the_day(day: date, percent: int) -> None:
    assert vat.rate(Vat.BASE, day) == Rate(percent)
    assert vat.rate(Vat.BASE, day, calculated=True) == Rate(percent, calculated=True)


@pytest.mark.parametrize(
    ("kind", "plain", "calculated"),
    [
        (Vat.TEN, Rate(10), Rate(10, calculated=True)),
        (Vat.SEVEN, Rate(7), Rate(7, calculated=True)),
        (Vat.FIVE, Rate(5), Rate(5, calculated=True)),
        (Vat.ZERO, Rate(0), Rate(0)),
        (Vat.NONE, Rate(None), Rate(None)),
    ],
)
def test_every_kind_of_vat_has_its_rate(kind: Vat, plain: Rate, calculated: Rate) -> None:
    assert vat.rate(kind, NOON.date()) == plain
    assert vat.rate(kind, NOON.date(), calculated=True) == calculated


def test_a_rate_that_did_not_exist_yet_is_an_error() -> None:
    with pytest.raises(ValueError, match="5 %"):
        vat.rate(Vat.FIVE, date(2024, 12, 31))


@pytest.mark.parametrize(
    ("moment", "percent"),
    [
        (datetime(2025, 12, 31, 20, 59, 59, tzinfo=UTC), 20),
        (datetime(2025, 12, 31, 21, tzinfo=UTC), 22),
    ],
)
def test_the_year_begins_in_moscow(moment: datetime, percent: int) -> None:
    paid = receipt.payment_line(TERMS, 100, moment)
    assert paid.rate == Rate(percent, calculated=True)


def test_a_payment_is_an_advance_with_the_calculated_rate() -> None:
    line = receipt.payment_line(TERMS, 65_000, NOON)
    paid = receipt.settled(TERMS, line, Tender.CASHLESS, SOMEBODY)
    assert paid.lines == (line,)
    assert (line.text, line.kopecks) == ("Аванс за услуги связи", 65_000)
    assert (line.rate, line.mode) == (Rate(22, calculated=True), Mode.ADVANCE)
    assert (line.subject, line.quantity) == (Subject.PAYMENT, 1)
    assert paid.settlements == (Settlement(Tender.CASHLESS, 65_000),)
    assert (paid.customer, paid.internet, paid.tax_system) == (SOMEBODY, True, None)


@pytest.mark.parametrize(
    ("changes", "rate"),
    [
        ({"calculated_rate": False}, Rate(22)),
        ({"mode": Mode.FULL_PREPAYMENT}, Rate(22, calculated=True)),
        ({"mode": Mode.FULL_PAYMENT}, Rate(22)),
    ],
)
def test_the_accountant_decides_about_mode_and_rate(changes: Any, rate: Rate) -> None:
    terms = ReceiptTerms(Vat.BASE, tax_system=TaxSystem.SIMPLIFIED, **changes)
    line = receipt.payment_line(terms, 100, NOON)
    assert line.rate == rate
    paid = receipt.settled(terms, line, Tender.CASHLESS, SOMEBODY)
    assert paid.tax_system is TaxSystem.SIMPLIFIED


def test_an_offset_is_a_service_paid_in_full_by_the_advance() -> None:
    line = receipt.offset_line(TERMS, 30_000, NOON, service="Интернет 100", period="2026-11")
    assert (line.text, line.kopecks) == ("Услуги связи за 2026-11", 30_000)
    assert (line.rate, line.mode) == (Rate(22), Mode.FULL_PAYMENT)
    assert line.subject is Subject.SERVICE
    done = receipt.settled(TERMS, line, Tender.PREPAYMENT, SOMEBODY)
    assert done.settlements == (Settlement(Tender.PREPAYMENT, 30_000),)


def test_a_long_name_is_cut() -> None:
    terms = ReceiptTerms(Vat.NONE, offset_text="{service}, {period}")
    line = receipt.offset_line(terms, 1, NOON, service="я" * 200, period="2026")
    assert line.text == "я" * receipt.TEXT_MAX


@given(KOPECKS, KOPECKS)
def test_a_part_goes_back_as_the_advance_it_was(one: int, other: int) -> None:
    whole, part = max(one, other), min(one, other)
    old = datetime(2025, 12, 1, tzinfo=UTC)
    paid = receipt.payment_line(TERMS, whole, old)
    line = receipt.part_of(paid, part)
    back = receipt.settled(TERMS, line, Tender.CASHLESS, SOMEBODY)
    assert back.kopecks == sum(part.kopecks for part in back.settlements) == part
    # It was taken at 20/120 and goes back at 20/120, whatever holds now.
    assert line.rate == Rate(20, calculated=True)
    assert (line.mode, line.text) == (Mode.ADVANCE, paid.text)


@pytest.mark.parametrize("kopecks", [0, -1, 1.0, True])
def test_a_receipt_is_about_whole_kopecks(kopecks: Any) -> None:
    with pytest.raises(ValueError, match="whole number"):
        receipt.payment_line(TERMS, kopecks, NOON)


@pytest.mark.parametrize(
    ("email_needed", "customer", "field"),
    [
        (True, Customer(), "contact.email"),
        (True, Customer(phone="+79161234567"), "contact.email"),
        (True, SOMEBODY, None),
        (False, Customer(), "contact"),
        (False, Customer(phone="+79161234567"), None),
        (False, SOMEBODY, None),
    ],
)
def test_without_somebody_to_send_it_to_there_is_no_receipt(
    email_needed: bool, customer: Customer, field: str | None
) -> None:
    terms = ReceiptTerms(Vat.NONE, email_needed=email_needed)
    wrong = receipt.missing(terms, customer)
    assert (None if wrong is None else wrong.field) == field
    line = receipt.payment_line(terms, 1, NOON)
    if field is None:
        assert receipt.settled(terms, line, Tender.CASHLESS, customer).customer == customer
    else:
        with pytest.raises(NoContact):
            receipt.settled(terms, line, Tender.CASHLESS, customer)


@given(st.sampled_from(Vat), st.sampled_from(Mode), KOPECKS)
def test_a_line_is_kept_as_it_is(kind: Vat, mode: Mode, kopecks: int) -> None:
    line = receipt.payment_line(ReceiptTerms(kind, mode=mode), kopecks, NOON)
    assert receipt.read_line(line.written()) == line
