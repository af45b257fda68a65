"""Numbers keep their text, and roubles become kopecks without a float."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_sbp import exact

NO_AMOUNTS: list[Any] = [
    *(None, True, 350, 350.5, Decimal("350.5"), [], {}),
    *("", "-1", "-0.01", "350.505", "0.001", "1e-3", "1,5", " 1", "1 ", "1_0", "+1", ".5", "1."),
    *("1e99", "9" * 20, "1" * 21, "NaN", "Infinity", "٣", "1e100", "0x10"),
]


@pytest.mark.parametrize(
    ("text", "kopecks"),
    [
        ("350.5", 35_050),
        ("350.50", 35_050),
        ("350.500", 35_050),
        ("1000", 100_000),
        ("1E+3", 100_000),
        ("1e3", 100_000),
        ("0.01", 1),
        ("1e-2", 1),
        ("0", 0),
        ("0.00", 0),
        ("9999999999999.99", 999_999_999_999_999),
    ],
)
def test_roubles_become_kopecks(text: str, kopecks: int) -> None:
    assert exact.kopecks(text) == exact.kopecks(exact.Number(text)) == kopecks


@pytest.mark.parametrize("value", NO_AMOUNTS, ids=repr)
def test_what_is_no_amount(value: Any) -> None:
    with pytest.raises(ValueError, match="number"):
        exact.kopecks(value)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("350.50", "350.5"),
        ("350.5", "350.5"),
        ("1000", "1000"),
        ("1E+3", "1000"),
        ("100.00", "100"),
        ("0.01", "0.01"),
        ("1e-2", "0.01"),
        ("0.0", "0"),
        ("12500.5", "12500.5"),
    ],
)
def test_the_plain_form_of_a_number(text: str, plain: str) -> None:
    assert exact.canonical(text) == plain


@pytest.mark.parametrize("value", ["", "abc", "1.", None, 1.5])
def test_what_has_no_plain_form(value: Any) -> None:
    with pytest.raises(ValueError, match="not a number"):
        exact.canonical(value)


@pytest.mark.parametrize(("text", "number"), [("900000000001", 900_000_000_001), ("1E3", 1000)])
def test_whole_numbers(text: str, number: int) -> None:
    assert exact.whole(text) == number


@pytest.mark.parametrize("value", ["1.5", "-1", "1e99", "", None, True, 5, "9" * 20])
def test_what_is_no_whole_number(value: Any) -> None:
    with pytest.raises(ValueError, match="number"):
        exact.whole(value)


@given(st.integers(min_value=0, max_value=exact.KOPECKS_MAX))
def test_there_and_back(kopecks: int) -> None:
    written = orjson.dumps({"amount": exact.roubles(kopecks)})
    said = exact.read(written)["amount"]
    assert exact.kopecks(said) == kopecks
    assert len(said.partition(".")[2]) == 2, "receipts want exactly two digits"
    assert Decimal(exact.canonical(said)) * 100 == kopecks


def test_numbers_keep_their_text_and_texts_stay_texts() -> None:
    said = exact.read(b'{"a":350.50,"b":1E+3,"c":"350.50","d":7,"e":true,"f":null}')
    assert said == {"a": "350.50", "b": "1E+3", "c": "350.50", "d": "7", "e": True, "f": None}
    assert [type(said[name]) is exact.Number for name in "abcd"] == [True, True, False, True]


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"\xff", b'{"a":NaN}', b'{"a":Infinity}', b'{"a":-Infinity}'),
        b"[" * 100_000,
    ],
    ids=["empty", "cut", "no utf-8", "nan", "infinity", "minus infinity", "deep"],
)
def test_what_is_no_json(body: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        exact.read(body)


def test_a_float_would_have_been_wrong() -> None:
    assert math.floor(1.15 * 100) != exact.kopecks("1.15") == 115
