"""Amounts and moments as people read them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Language
from shared.web import forms
from shared.web.formats import moment, money, typed

LANGUAGES = st.sampled_from(["ru", "en"])


@pytest.mark.parametrize(
    ("kopecks", "language", "expected"),
    [
        (-120000, "ru", "−1\u00a0200,00\u00a0₽"),
        (65050, "ru", "650,50\u00a0₽"),
        (0, "ru", "0,00\u00a0₽"),
        (-7, "ru", "−0,07\u00a0₽"),
        (-120000, "en", "−1,200.00\u00a0₽"),
        (10**15 - 1, "en", "9,999,999,999,999.99\u00a0₽"),
    ],
)
def test_an_amount_has_a_real_minus_and_never_breaks(
    kopecks: int, language: Language, expected: str
) -> None:
    assert money(kopecks, language) == expected


@given(kopecks=st.integers(1, 10**15 - 1), language=LANGUAGES)
def test_what_a_page_shows_or_prefills_can_be_typed_back(kopecks: int, language: Language) -> None:
    assert forms.amount(money(kopecks, language)).kopecks == kopecks
    assert forms.amount(typed(kopecks, language)).kopecks == kopecks


def test_a_moment_is_told_in_the_readers_own_zone() -> None:
    at = datetime(2026, 11, 22, 21, 15, tzinfo=UTC)
    assert moment(at, "Asia/Vladivostok", "ru") == "23 ноября 2026, 07:15"
    assert moment(at, "Europe/Moscow", "en") == "23 Nov 2026, 00:15"
    assert moment(at, "Europe/../../etc/passwd", "ru") == "23 ноября 2026, 00:15"
