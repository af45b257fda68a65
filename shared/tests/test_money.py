"""Money: what is read, what is refused, and that nothing is ever rounded."""

from __future__ import annotations

import decimal
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from shared.money import Money, MoneyError, WireMoney

KOPECKS_MAX = 10**15 - 1
kopecks = st.integers(-KOPECKS_MAX, KOPECKS_MAX)
amounts = kopecks.map(Money)


class Body(BaseModel):
    amount: WireMoney


class TestRoundTrips:
    @given(amounts)
    def test_what_is_written_is_read_back(self, amount: Money) -> None:
        assert Money.parse(str(amount)) == amount

    @given(amounts)
    def test_what_is_written_is_the_exact_decimal(self, amount: Money) -> None:
        assert Decimal(str(amount)) * 100 == amount.kopecks
        assert Money.from_decimal(Decimal(str(amount))) == amount

    @given(amounts)
    def test_a_json_body_comes_back_as_it_went(self, amount: Money) -> None:
        body = Body(amount=amount)
        assert body.model_dump() == {"amount": str(amount)}
        assert Body.model_validate_json(body.model_dump_json()) == body

    @given(amounts, amounts)
    def test_sums_and_differences_are_those_of_kopecks(self, one: Money, two: Money) -> None:
        assert (one + two).kopecks == one.kopecks + two.kopecks
        assert (one - two).kopecks == one.kopecks - two.kopecks
        assert (-one).kopecks == -one.kopecks
        assert (one < two) == (one.kopecks < two.kopecks)

    @given(st.text())
    def test_any_text_is_read_exactly_or_refused(self, text: str) -> None:
        try:
            amount = Money.parse(text)
        except MoneyError:
            return
        assert Decimal(text) * 100 == amount.kopecks


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("650", 65_000),
        ("650.5", 65_050),
        ("650.05", 65_005),
        ("-650.00", -65_000),
        ("-0.01", -1),
        ("0", 0),
        ("007", 700),
        ("9999999999999.99", KOPECKS_MAX),
    ],
)
def test_these_forms_are_read(text: str, expected: int) -> None:
    assert Money.parse(text).kopecks == expected


REFUSED: list[Any] = [
    "0.001",
    "650.000",
    "650.",
    ".5",
    "",
    "-",
    "--1",
    "+1",
    "1e3",
    "1E3",
    "NaN",
    "Infinity",
    "-inf",
    "650,00",
    "1 000",
    "1_000",
    "1'000.00",
    " 650",
    "650 ",
    "650\n",
    "\t650",
    "650.00 RUB",
    "0x10",
    "٦٥٠",
    "６５０",
    "650.٠٠",
    "−650",
    "10000000000000",
    "9" * 5000,
    650,
    650.0,
    0.1,
    float("nan"),
    True,
    False,
    None,
    b"650.00",
    Decimal(650),
    ["650"],
    {"amount": "650"},
]


@pytest.mark.parametrize("value", REFUSED, ids=lambda value: repr(value)[:24])
def test_every_other_form_is_refused(value: Any) -> None:
    with pytest.raises(MoneyError) as refused:
        Money.parse(value)
    assert '"650.00"' in refused.value.text.en
    assert '"650.00"' in refused.value.text.ru
    with pytest.raises(ValidationError):
        Body.model_validate({"amount": value})


@pytest.mark.parametrize(
    ("text", "expected"),
    [("650", 65_000), ("6.5E+2", 65_000), ("-0.01", -1), ("1.000", 100), ("0E-3", 0)],
)
def test_a_decimal_of_whole_kopecks_is_converted(text: str, expected: int) -> None:
    assert Money.from_decimal(Decimal(text)).kopecks == expected


ROUNDED = [
    *("0.001", "0.005", "-1.999", "1E-999999", "9" * 13 + ".991"),
    *("1." + "0" * zeros + "1" for zeros in (40, 80)),
]


@pytest.mark.parametrize("text", ROUNDED, ids=lambda text: text[:24])
def test_a_decimal_that_would_be_rounded_is_refused(text: str) -> None:
    with pytest.raises(MoneyError) as refused:
        Money.from_decimal(Decimal(text))
    assert "whole number of kopecks" in refused.value.text.en
    assert "не целое число копеек" in refused.value.text.ru


def test_a_caller_with_little_precision_does_not_round_money() -> None:
    with decimal.localcontext(decimal.Context(prec=4)):
        assert Money.from_decimal(Decimal("12345.67")).kopecks == 1_234_567


@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "-Infinity", "1E+13", "1E+999999"])
def test_a_decimal_that_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(MoneyError) as refused:
        Money.from_decimal(Decimal(text))
    assert '"650.00"' in refused.value.text.en


def test_the_largest_decimal_is_as_large_as_the_largest_text() -> None:
    assert Money.from_decimal(Decimal("9999999999999.99")).kopecks == KOPECKS_MAX
    assert Money.from_decimal(Decimal("-9999999999999.99")).kopecks == -KOPECKS_MAX


@pytest.mark.parametrize("value", [1.0, True, "1", Decimal(1), []])
def test_only_an_integer_counts_kopecks(value: Any) -> None:
    with pytest.raises(TypeError, match=rf"^whole kopecks are needed, not {type(value).__name__}$"):
        Money(value)


def test_money_is_a_value() -> None:
    assert len({Money(1), Money(1), Money(2)}) == 2
    with pytest.raises(AttributeError):
        Money(1).kopecks = 2  # type: ignore[misc]


def test_only_no_money_is_false() -> None:
    assert not Money(0)
    assert Money(1)
    assert Money(-1)


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0.00"), (1, "0.01"), (-1, "-0.01"), (-100, "-1.00"), (123_456_789, "1234567.89")],
)
def test_text_has_two_decimals_and_a_dot(amount: int, text: str) -> None:
    assert str(Money(amount)) == text


def test_the_schema_of_a_body_says_what_is_read() -> None:
    described = Body.model_json_schema()["properties"]["amount"]
    assert described["type"] == "string"
    assert described["examples"] == ["650.00"]
    assert described["pattern"] == r"^-?\d{1,13}(\.\d{1,2})?$"


def test_a_body_keeps_the_money_it_is_given() -> None:
    amount = Money(65_000)
    assert Body(amount=amount).amount is amount
