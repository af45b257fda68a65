"""Errors: each has its HTTP status and speaks both languages."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import pytest

from shared import errors
from shared.errors import FieldError, Invalid, Poison, SaldoError, SettingsError, Text, invalid

DETAIL = Text("it broke", "оно сломалось")
STATUSES = {
    "SaldoError": 500,
    "BadRequest": 400,
    "Unauthorized": 401,
    "Forbidden": 403,
    "NotFound": 404,
    "Conflict": 409,
    "TooLarge": 413,
    "UnsupportedMedia": 415,
    "Invalid": 422,
    "TooMany": 429,
    "Unavailable": 503,
}


def kinds() -> Iterator[type[SaldoError]]:
    for _, kind in inspect.getmembers(errors, inspect.isclass):
        if issubclass(kind, SaldoError):
            yield kind


def is_russian(text: str) -> bool:
    return any("а" <= letter <= "я" for letter in text.lower())


def test_the_tree_says_which_status_each_failure_has() -> None:
    assert {kind.__name__: kind.status for kind in kinds()} == STATUSES
    drawn = dict(re.findall(r"(\w+) +(\d{3})\b", errors.__doc__ or ""))
    assert {name: int(status) for name, status in drawn.items()} == STATUSES


@pytest.mark.parametrize("kind", list(kinds()), ids=lambda kind: kind.__name__)
def test_each_title_is_there_in_both_languages(kind: type[SaldoError]) -> None:
    assert is_russian(kind.title.ru)
    assert not is_russian(kind.title.en)
    assert kind.title.en


def test_a_text_answers_in_the_language_asked_for() -> None:
    assert DETAIL.in_("en") == "it broke"
    assert DETAIL.in_("ru") == "оно сломалось"


def test_an_error_carries_its_detail_its_fields_and_when_to_come_back() -> None:
    field = FieldError("amount", DETAIL)
    error = errors.TooMany(DETAIL, fields=[field], retry_after_seconds=30)
    assert str(error) == "it broke"
    assert (error.detail, error.fields, error.retry_after_seconds) == (DETAIL, (field,), 30)
    assert errors.Conflict(DETAIL).retry_after_seconds is None


def test_invalid_names_every_field_in_both_languages() -> None:
    error = Invalid(FieldError("amount", DETAIL), FieldError("contract", DETAIL))
    assert error.detail == Text(
        "Wrong value: amount, contract", "Неверное значение: amount, contract"
    )
    assert [item.field for item in error.fields] == ["amount", "contract"]


def test_a_single_wrong_field_is_said_in_one_call() -> None:
    error = invalid("amount", "too small", "слишком мало")
    assert isinstance(error, Invalid)
    assert error.fields == (FieldError("amount", Text("too small", "слишком мало")),)


@pytest.mark.parametrize("kind", [Poison, SettingsError])
def test_what_is_not_for_http_is_no_http_error(kind: type[Exception]) -> None:
    assert not issubclass(kind, SaldoError)
