"""Sums as people type them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from core_billing.amounts import AmountError, TypedMoney, parse
from shared.money import Money
from shared.web.formats import money

UNREADABLE, AMBIGUOUS = "amount_unreadable", "amount_ambiguous"


@pytest.mark.parametrize(
    ("typed", "kopecks"),
    [
        ("650", 65_000),
        ("650.00", 65_000),
        ("1250.5", 125_050),
        ("1250,5", 125_050),
        ("1 250,50", 125_050),
        ("1\u00a0250,50\u00a0₽", 125_050),
        ("1\u202f250.50", 125_050),
        ("1 250 ₽", 125_000),
        ("1250р.", 125_000),
        ("1250 РУБ", 125_000),
        ("1250 rub", 125_000),
        ("1'250'000", 125_000_000),
        ("1,250,000", 125_000_000),
        ("1.250.000", 125_000_000),
        ("  650 ", 65_000),
        ("12 345 678,90", 1_234_567_890),
        ("1,250.00", 125_000),
        ("1.250,00", 125_000),
        ("1,234,567.8", 123_456_780),
        ("-1 250,50", -125_050),
        ("\u22121 250,50", -125_050),
        ("-1.250,00", -125_000),
        ("1,25", 125),
        ("0,01", 1),
        ("-0", 0),
        ("9999999999999.99", 999_999_999_999_999),
        ("9 999 999 999 999,99", 999_999_999_999_999),
        ("9,999,999,999,999.99", 999_999_999_999_999),
    ],
)
def test_what_has_one_meaning_is_read(typed: str, kopecks: int) -> None:
    assert parse(typed) == Money(kopecks)


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("1,250", AMBIGUOUS),
        ("1.250", AMBIGUOUS),
        ("-1.250", AMBIGUOUS),
        ("1,250 ₽", AMBIGUOUS),
        ("", UNREADABLE),
        ("₽", UNREADABLE),
        ("1 25", UNREADABLE),
        ("12 345 67", UNREADABLE),
        ("1234 567", UNREADABLE),
        ("1  250", UNREADABLE),
        ("1 250,500", UNREADABLE),
        ("1 250.500,50", UNREADABLE),
        ("1,250.000,50", UNREADABLE),
        ("1,25.50", UNREADABLE),
        ("1250,", UNREADABLE),
        (",50", UNREADABLE),
        ("1250.505", UNREADABLE),
        ("+650", UNREADABLE),
        ("--5", UNREADABLE),
        ("- 5", UNREADABLE),
        ("5-", UNREADABLE),
        ("'5", UNREADABLE),
        ("1e3", UNREADABLE),
        ("NaN", UNREADABLE),
        ("650\n", UNREADABLE),
        ("١٢", UNREADABLE),
        ("١,٢٥٠", UNREADABLE),
        ("١,٢٥٠.٠٠", UNREADABLE),
        ("１２", UNREADABLE),
        ("5 $", UNREADABLE),
        ("10000000000000", UNREADABLE),
        ("10 000 000 000 000", UNREADABLE),
        ("10,000,000,000,000.00", UNREADABLE),
        ("1" * 100, UNREADABLE),
        (" " * 41 + "5", UNREADABLE),
        (650, UNREADABLE),
        (6.5, UNREADABLE),
        (True, UNREADABLE),
        (None, UNREADABLE),
    ],
)
def test_what_has_none_or_two_is_refused(typed: object, code: str) -> None:
    with pytest.raises(AmountError) as refused:
        parse(typed)
    assert refused.value.code == code


SUMS = st.integers(-(10**15) + 1, 10**15 - 1)


@given(SUMS)
@settings(max_examples=100, deadline=None)
def test_what_we_write_is_read_back(kopecks: int) -> None:
    written = str(Money(kopecks))
    assert parse(written) == Money(kopecks)
    assert parse(written.replace(".", ",")) == Money(kopecks)
    grouped = f"{abs(kopecks) // 100:,}"
    sign, rest = "-" if kopecks < 0 else "", abs(kopecks) % 100
    assert parse(f"{sign}{grouped.replace(',', ' ')},{rest:02d} руб.") == Money(kopecks)
    assert parse(f"{sign}{grouped}.{rest:02d}") == Money(kopecks)
    assert parse(f"{sign}{grouped.replace(',', '.')},{rest:02d}") == Money(kopecks)


@given(st.integers(-(10**9), 10**9))
@settings(max_examples=50, deadline=None)
def test_what_a_page_shows_is_read_back(kopecks: int) -> None:
    assert parse(money(kopecks, "ru")) == parse(money(kopecks, "en")) == Money(kopecks)


@given(st.text("0123456789.,' -", max_size=12))
@settings(max_examples=200, deadline=None)
def test_nothing_is_read_with_other_digits_than_were_typed(typed: str) -> None:
    try:
        read = parse(typed)
    except AmountError:
        return
    digits = "".join(sign for sign in typed if sign.isdigit()).lstrip("0")
    assert digits in {str(abs(read.kopecks) // 10**cut).lstrip("0") for cut in (0, 1, 2)}


def test_in_a_body_the_rule_has_its_name() -> None:
    kind = TypeAdapter(TypedMoney)
    assert kind.dump_python(kind.validate_python("1 250,5"), mode="json") == "1250.50"
    with pytest.raises(ValidationError) as refused:
        kind.validate_python("1,250")
    [found] = refused.value.errors()
    assert found["ctx"]["error"].code == AMBIGUOUS
