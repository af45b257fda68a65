"""What a wrong body is told: each field, in the reader's language, and nothing is coerced."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from pydantic import BaseModel

from sample_api import NewThing
from shared.api import idempotency_key, validated
from shared.errors import Invalid

GOOD: dict[str, Any] = {"number": "A1", "amount": "650.00"}


def told(body: Any, language: str = "en") -> dict[str, str]:
    """Return what each wrong field is told."""
    with pytest.raises(Invalid) as refused:
        validated(NewThing, body)
    shown = "ru" if language == "ru" else "en"
    return {item.field: item.text.in_(shown) for item in refused.value.fields}  # type: ignore[arg-type]


PART: dict[str, Any] = {"amount": "1", "count": 1}
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "missing": ({"number": ...}, "number"),
    "unknown": ({"colour_of": 1}, "colour_of"),
    "no text": ({"number": 7}, "number"),
    "too short": ({"number": ""}, "number"),
    "too long": ({"number": "A" * 9}, "number"),
    "pattern": ({"number": "a b"}, "number"),
    "no amount": ({"amount": "650,00"}, "amount"),
    "number as amount": ({"amount": 650}, "amount"),
    "float as amount": ({"amount": 650.5}, "amount"),
    "NaN as amount": ({"amount": "NaN"}, "amount"),
    "no list": ({"parts": "x"}, "parts"),
    "too many": ({"parts": [{"amount": "1", "count": 1}] * 4}, "parts"),
    "no object": ({"parts": [7]}, "parts.0"),
    "inner": (
        {"parts": [{"amount": "1", "count": 1}, {"amount": "x", "count": 1}]},
        "parts.1.amount",
    ),
    "too little": ({"parts": [{"amount": "1", "count": 0}]}, "parts.0.count"),
    "too much": ({"parts": [{"amount": "1", "count": 10}]}, "parts.0.count"),
    "a part": ({"count": 1.5}, "count"),
    "huge float": ({"count": 1e30}, "count"),
    "no integer": ({"count": "one"}, "count"),
    "no number": ({"ratio": "x"}, "ratio"),
    "NaN": ({"price": "NaN"}, "price"),
    "no decimal": ({"price": "x"}, "price"),
    "no moment": ({"at": "yesterday"}, "at"),
    "no zone": ({"at": "2026-11-22T12:00:00"}, "at"),
    "no flag": ({"flag": "perhaps"}, "flag"),
    "no language": ({"language": "de"}, "language"),
    "no colour": ({"colour": "green"}, "colour"),
    "zero byte": ({"note": "a\x00b"}, "note"),
    "inner zero byte": ({"parts": [{"amount": "1\x00", "count": 1}]}, "parts.0.amount"),
    "zero byte in a name": ({"a\x00b": 1}, "a\ufffdb"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_field_is_named_and_explained_in_both_languages(name: str) -> None:
    changed, field = WRONG[name]
    body = {key: value for key, value in {**GOOD, **changed}.items() if value is not ...}
    english, russian = told(body), told(body, "ru")
    assert list(english) == list(russian) == [field]
    assert english[field]
    assert not re.search("[а-яА-Я]", english[field])
    assert re.search("[а-яА-Я]", russian[field])


def test_every_wrong_field_is_named_at_once() -> None:
    assert set(told({"amount": 1, "count": "x", "parts": [{}]})) == {
        *("number", "amount", "count", "parts.0.amount", "parts.0.count"),
    }


def test_a_flood_of_mistakes_is_bounded() -> None:
    assert len(told({**GOOD, **{f"f{n}": n for n in range(1000)}})) == 20


@pytest.mark.parametrize("body", [None, [], "text", 7, True, [GOOD]], ids=repr)
def test_what_is_no_object_is_told_so(body: Any) -> None:
    assert list(told(body)) == ["body"]
    assert told(body, "ru") == {"body": "нужен объект"}


def test_bounds_are_said_in_both_languages() -> None:
    body = {**GOOD, "parts": [{"amount": "1", "count": 10}], "number": "A" * 9}
    english, russian = told(body), told(body, "ru")
    assert "9" in english["parts.0.count"]
    assert "9" in russian["parts.0.count"]
    assert "8" in english["number"]
    assert "8" in russian["number"]


def test_amounts_say_what_is_expected() -> None:
    body = {**GOOD, "amount": "650,00"}
    assert '"650.00"' in told(body)["amount"]
    assert told(body, "ru")["amount"].startswith("нужна сумма")


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text() | st.integers(), st.lists))
def test_any_value_of_a_field_is_read_or_told(value: Any) -> None:
    for field in NewThing.model_fields:
        fields: set[str] = set()
        try:
            validated(NewThing, {**GOOD, field: value})
        except Invalid as refused:
            fields = {item.field.partition(".")[0] for item in refused.fields}
        assert fields <= {field}


def test_what_is_right_is_read() -> None:
    class Plain(BaseModel):
        name: str

    assert validated(Plain, {"name": "x"}).name == "x"


class Request:
    """As much of a request as the key needs."""

    def __init__(self, *keys: str) -> None:
        self.headers = CIMultiDict(("Idempotency-Key", key) for key in keys)


class TestIdempotencyKey:
    def test_none_is_none(self) -> None:
        assert idempotency_key(Request()) is None  # type: ignore[arg-type]

    @pytest.mark.parametrize("key", ["a", "x" * 64, "0b7c-1.2_3:4+5", "A" * 36])
    def test_a_good_one_is_returned(self, key: str) -> None:
        assert idempotency_key(Request(key)) == key  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        "keys",
        [[""], ["x" * 65], ["a b"], ["ключ"], ["a\n"], ["a", "b"], ["a", "a"], ["٢"]],
        ids=repr,
    )
    def test_any_other_is_refused_by_name(self, keys: list[str]) -> None:
        with pytest.raises(Invalid) as refused:
            idempotency_key(Request(*keys))  # type: ignore[arg-type]
        (field,) = refused.value.fields
        assert field.field == "Idempotency-Key"
        assert "64" in field.text.en
        assert "64" in field.text.ru
