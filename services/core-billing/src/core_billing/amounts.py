"""Sums as people type them: with spaces, a comma, a currency sign. Ambiguous ones are refused.

``1 250,50``, ``1250.5`` and ``1 250 ₽`` have one meaning; ``1,250`` has two. Pure.
"""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from shared.errors import Text
from shared.money import Money, MoneyError

LENGTH_MAX: Final = 40
_SPACES: Final = " \u00a0\u202f\u2009\t"
_BETWEEN_GROUPS: Final = f"[{_SPACES}'\u2019]"
_CURRENCY: Final = re.compile(r"\s*(₽|р\.?|руб\.?|rub)$", re.IGNORECASE)
_GROUPED: Final = re.compile(r"-?\d{1,3}[.,]\d{3}", re.ASCII)
_MILLIONS: Final = re.compile(r"-?\d{1,3}(?P<mark>[.,])\d{3}((?P=mark)\d{3})+", re.ASCII)
_BOTH: Final = re.compile(
    r"(-?\d{1,3}(?:,\d{3})+)\.(\d{1,2})|(-?\d{1,3}(?:\.\d{3})+),(\d{1,2})", re.ASCII
)
_PLAIN: Final = re.compile(r"-?\d{1,13}(?:[.,]\d{1,2})?", re.ASCII)
_FIRST_GROUP: Final = re.compile(r"-?\d{1,3}", re.ASCII)
_EXPECTED: Final = Text(
    'expected a sum such as "1 250,50": at most two decimals',
    "нужна сумма вида 1 250,50: не больше двух знаков после запятой",
)
_NO_TEXT: Final = Text(
    'send the sum as text in quotes, such as "650.00": a JSON number may have been rounded',
    'передайте сумму текстом в кавычках, например "650.00": число JSON могло округлиться',
)
_AMBIGUOUS: Final = Text(
    "thousands or kopecks? write the sum as 1 250 or 1250.00",
    "тысячи или копейки? напишите сумму как 1 250 или 1250,00",
)


class AmountError(MoneyError):
    """A text that is no sum, or two different ones; `code` says which."""

    def __init__(self, text: Text, code: str) -> None:
        super().__init__(text)
        self.code = code


def parse(typed: object) -> Money:
    """Read a sum as a person types it; raises AmountError for none and for an ambiguous one."""
    if isinstance(typed, Money):
        return typed
    if not isinstance(typed, str):
        raise AmountError(_NO_TEXT, "amount_unreadable")
    if len(typed) > LENGTH_MAX:
        raise AmountError(_EXPECTED, "amount_unreadable")
    text = _CURRENCY.sub("", typed.strip(_SPACES)).strip(_SPACES).replace("\u2212", "-")
    text = _without_spaces(text)
    both = _BOTH.fullmatch(text)
    if both is not None:
        roubles, kopecks = (part for part in both.groups() if part is not None)
        text = f"{re.sub('[.,]', '', roubles)}.{kopecks}"
    if _MILLIONS.fullmatch(text):
        text = re.sub("[.,]", "", text)
    if _GROUPED.fullmatch(text):
        raise AmountError(_AMBIGUOUS, "amount_ambiguous")
    if _PLAIN.fullmatch(text) is None:
        raise AmountError(_EXPECTED, "amount_unreadable")
    return Money.parse(text.replace(",", "."))


def _without_spaces(text: str) -> str:
    """Join groups of thousands; spaces in any other place are a slip of the keyboard."""
    groups = re.split(_BETWEEN_GROUPS, text)
    if len(groups) == 1:
        return text
    whole = re.split("[.,]", groups[-1])[0]
    if not _FIRST_GROUP.fullmatch(groups[0]) or len(whole) != 3:
        raise AmountError(_EXPECTED, "amount_unreadable")
    if any(len(group) != 3 for group in groups[1:-1]):
        raise AmountError(_EXPECTED, "amount_unreadable")
    return "".join(groups)


TypedMoney = Annotated[
    Money,
    BeforeValidator(parse),
    PlainSerializer(str, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "maxLength": LENGTH_MAX,
            "examples": ["650.00", "1 250,50"],
            "description": "a sum as people type it; `amount_unreadable` where it is none,"
            " `amount_ambiguous` where it has two meanings, as 1,250 has",
        }
    ),
]
"""A sum in a body: typed by a person, written back as ``"1250.50"``."""
