"""Sums in words, as a receipt has them: roubles in words, kopecks in two digits. Pure."""

from __future__ import annotations

from typing import Final

from shared.errors import Language

_RU_ONES: Final = (
    *("", "один", "два", "три", "четыре", "пять", "шесть", "семь", "восемь", "девять", "десять"),
    *("одиннадцать", "двенадцать", "тринадцать", "четырнадцать", "пятнадцать", "шестнадцать"),
    *("семнадцать", "восемнадцать", "девятнадцать"),
)
_RU_TENS: Final = (
    *("", "", "двадцать", "тридцать", "сорок", "пятьдесят", "шестьдесят", "семьдесят"),
    *("восемьдесят", "девяносто"),
)
_RU_HUNDREDS: Final = (
    *("", "сто", "двести", "триста", "четыреста", "пятьсот", "шестьсот", "семьсот"),
    *("восемьсот", "девятьсот"),
)
_RU_FEMININE: Final = {"один": "одна", "два": "две"}
_RU_ROUBLES: Final = ("рубль", "рубля", "рублей")
_RU_KOPECKS: Final = ("копейка", "копейки", "копеек")
_RU_THOUSANDS: Final = ("тысяча", "тысячи", "тысяч")
_RU_SCALES: Final = (
    _RU_THOUSANDS,
    ("миллион", "миллиона", "миллионов"),
    ("миллиард", "миллиарда", "миллиардов"),
    ("триллион", "триллиона", "триллионов"),
)
_EN_ONES: Final = (
    *("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen"),
)
_EN_TENS: Final = (
    *("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"),
)
_EN_SCALES: Final = ("thousand", "million", "billion", "trillion")


def in_words(kopecks: int, language: Language) -> str:
    """Return such as ``Двести пять рублей 07 копеек``.

    Raises ValueError from a quadrillion roubles on.
    """
    roubles, rest = divmod(abs(kopecks), 100)
    if roubles >= 10**15:
        raise ValueError(f"{kopecks} kopecks are more than words are here for")
    said = _russian(roubles, rest) if language == "ru" else _english(roubles, rest)
    if kopecks < 0:
        said = f"{'минус' if language == 'ru' else 'minus'} {said}"
    return said[0].upper() + said[1:]


def plural(number: int, forms: tuple[str, str, str]) -> str:
    """Return the Russian form for a number: 1 рубль, 2 рубля, 5 рублей."""
    if number % 100 in range(11, 15):
        return forms[2]
    return forms[{1: 0, 2: 1, 3: 1, 4: 1}.get(number % 10, 2)]


def _russian(roubles: int, kopecks: int) -> str:
    words: list[str] = []
    for group, forms in zip(_groups(roubles), (None, *_RU_SCALES), strict=False):
        said = _russian_below_thousand(group, feminine=forms is _RU_THOUSANDS)
        if group and forms is not None:
            said.append(plural(group, forms))
        words = said + words
    counted = " ".join(words) or "ноль"
    return f"{counted} {plural(roubles, _RU_ROUBLES)} {kopecks:02d} {plural(kopecks, _RU_KOPECKS)}"


def _russian_below_thousand(number: int, *, feminine: bool) -> list[str]:
    hundreds, rest = divmod(number, 100)
    tens, ones = divmod(rest, 10) if rest >= 20 else (0, rest)
    last = _RU_ONES[ones]
    if feminine:
        last = _RU_FEMININE.get(last, last)
    return [word for word in (_RU_HUNDREDS[hundreds], _RU_TENS[tens], last) if word]


def _english(roubles: int, kopecks: int) -> str:
    words: list[str] = []
    for group, scale in zip(_groups(roubles), ("", *_EN_SCALES), strict=False):
        said = _english_below_thousand(group)
        if group and scale:
            said.append(scale)
        words = said + words
    counted = " ".join(words) or "zero"
    rouble = "rouble" if roubles == 1 else "roubles"
    return f"{counted} {rouble} {kopecks:02d} {'kopeck' if kopecks == 1 else 'kopecks'}"


def _english_below_thousand(number: int) -> list[str]:
    hundreds, rest = divmod(number, 100)
    words = [_EN_ONES[hundreds], "hundred"] if hundreds else []
    tens, ones = divmod(rest, 10) if rest >= 20 else (0, rest)
    words.append("-".join(word for word in (_EN_TENS[tens], _EN_ONES[ones]) if word))
    return [word for word in words if word]


def _groups(number: int) -> list[int]:
    """Return groups of three digits, the lowest first."""
    groups: list[int] = []
    while number:
        number, group = divmod(number, 1000)
        groups.append(group)
    return groups
