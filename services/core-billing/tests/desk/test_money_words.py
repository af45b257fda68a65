"""Sums in words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core_billing.desk_receipt import vat_included
from core_billing.money_words import in_words, plural


@pytest.mark.parametrize(
    ("kopecks", "said"),
    [
        (0, "Ноль рублей 00 копеек"),
        (1, "Ноль рублей 01 копейка"),
        (102, "Один рубль 02 копейки"),
        (205, "Два рубля 05 копеек"),
        (511, "Пять рублей 11 копеек"),
        (1121, "Одиннадцать рублей 21 копейка"),
        (1900, "Девятнадцать рублей 00 копеек"),
        (2100, "Двадцать один рубль 00 копеек"),
        (11_100, "Сто одиннадцать рублей 00 копеек"),
        (20_507, "Двести пять рублей 07 копеек"),
        (100_000, "Одна тысяча рублей 00 копеек"),
        (125_050, "Одна тысяча двести пятьдесят рублей 50 копеек"),
        (222_200, "Две тысячи двести двадцать два рубля 00 копеек"),
        (1_200_000, "Двенадцать тысяч рублей 00 копеек"),
        (
            99_999_999,
            "Девятьсот девяносто девять тысяч девятьсот девяносто девять рублей 99 копеек",
        ),
        (100_000_000, "Один миллион рублей 00 копеек"),
        (200_100_100, "Два миллиона одна тысяча один рубль 00 копеек"),
        (500_000_000_000, "Пять миллиардов рублей 00 копеек"),
        (-102, "Минус один рубль 02 копейки"),
    ],
)
def test_in_russian(kopecks: int, said: str) -> None:
    assert in_words(kopecks, "ru") == said


@pytest.mark.parametrize(
    ("kopecks", "said"),
    [
        (0, "Zero roubles 00 kopecks"),
        (101, "One rouble 01 kopeck"),
        (125_050, "One thousand two hundred fifty roubles 50 kopecks"),
        (2_100_000_013, "Twenty-one million roubles 13 kopecks"),
        (-1_900, "Minus nineteen roubles 00 kopecks"),
    ],
)
def test_in_english(kopecks: int, said: str) -> None:
    assert in_words(kopecks, "en") == said


def test_words_end_somewhere() -> None:
    assert in_words(10**17 - 1, "ru").startswith("Девятьсот девяносто девять триллионов")
    with pytest.raises(ValueError, match="more than words"):
        in_words(10**17, "ru")


@given(st.sets(st.integers(0, 10**15), min_size=2, max_size=8))
@settings(max_examples=50, deadline=None)
def test_no_two_sums_have_the_same_words(sums: set[int]) -> None:
    for language in ("ru", "en"):
        assert len({in_words(one, language) for one in sums}) == len(sums)


@pytest.mark.parametrize(
    ("form", "numbers"),
    [
        ("a", (1, 21, 101, 1021)),
        ("b", (2, 4, 22, 104)),
        ("c", (0, 5, 11, 12, 14, 20, 100, 111, 112, 1011)),
    ],
)
def test_russian_has_three_forms(form: str, numbers: tuple[int, ...]) -> None:
    assert {plural(number, ("a", "b", "c")) for number in numbers} == {form}


@pytest.mark.parametrize(
    ("kopecks", "percent", "vat"),
    [
        (12_200, 22, 2_200),
        (125_050, 22, 22_550),
        (11_000, 0, 0),
        (0, 22, 0),
        (2, 20, 0),
        # A half goes up: 3 * 20 / 120.
        (3, 20, 1),
        (10, 5, 0),
        (11, 5, 1),
    ],
)
def test_vat_is_included_and_rounded_half_up(kopecks: int, percent: int, vat: int) -> None:
    assert vat_included(kopecks, percent) == vat
