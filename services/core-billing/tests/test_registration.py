"""What may be asked for, and what is refused with a sentence that says what to do."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core_billing.registration import NewContract
from shared.api import validated
from shared.errors import Invalid

GOOD = {
    "number": "100245",
    "subscriber": {"name": "Анна", "phone": "+79161234567", "email": "a@example.ru"},
}


def put(field: str, value: Any) -> dict[str, Any]:
    """Return the good body with one field changed; a dot leads into the subscriber."""
    outer, _, inner = field.partition(".")
    if inner:
        return {**GOOD, outer: {**GOOD["subscriber"], inner: value}}
    return {**GOOD, outer: value}


@pytest.mark.parametrize("number", ["1", "A-1", "Д/15_2.7", "0" * 64])
def test_numbers(number: str) -> None:
    assert validated(NewContract, put("number", number)).number == number


@pytest.mark.parametrize(
    ("phone", "kept"),
    [
        ("", ""),
        (" ", ""),
        ("+7 (916) 123-45-67", "+79161234567"),
        ("89161234567", "+79161234567"),
        ("79161234567", "+79161234567"),
        ("9161234567", "+79161234567"),
        ("+358401234567", "+358401234567"),
    ],
)
def test_phones(phone: str, kept: str) -> None:
    assert validated(NewContract, put("subscriber.phone", phone)).subscriber.phone == kept


AMOUNTS = [
    "NaN",
    "Infinity",
    "1.234",
    "1,5",
    "1e3",
    "",
    " 1",
    "+1",
    1,
    1.5,
    None,
    True,
    [],
    {},
    "٣",
]
WRONG = [
    *(("number", v) for v in ("", " ", "-1", "a b", "a:b", "0" * 65, "a\x00", "a\n", 5, None, [])),
    *(("subscriber.id", v) for v in ("", "a b", 7)),
    *(("subscriber.name", v) for v in (None, 5, "a\x00b", "a\nb", "x" * 201)),
    *(
        ("subscriber.phone", v)
        for v in ("123", "+0000000000", "abc", "8916123456", "+7916123456789012")
    ),
    *(("subscriber.email", v) for v in ("a", "a@b", "a@b.r", "a b@c.ru", "a@b.ru,c@d.ru", "@b.ru")),
    *(("subscriber.language", v) for v in ("de", "", None, 1)),
    *(("subscriber.timezone", v) for v in ("Moscow", "", "../etc/passwd", "Europe", None, "\x00")),
    *(("operator", v) for v in ("", "x" * 65, "a\tb", None)),
    *(("currency", v) for v in ("USD", "", "rub", None, 643)),
    *(("balance", v) for v in (*AMOUNTS, "1000000000.01", "-1000000000.01", "9" * 30)),
    *(("credit_limit", v) for v in (*AMOUNTS, "-0.01", "1000000000.01")),
    *(("low_balance", v) for v in AMOUNTS if v is not None),
    *(("password", v) for v in ("abc", "", "x" * 129, 1234)),
    *(("subscriber", v) for v in (None, [], "Anna", 5)),
    ("unknown", 1),
    ("subscriber.unknown", 1),
]


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_a_wrong_field_is_named_in_both_languages(field: str, value: Any) -> None:
    with pytest.raises(Invalid) as refused:
        validated(NewContract, put(field, value))
    assert {item.field for item in refused.value.fields} == {field}
    for item in refused.value.fields:
        assert item.text.en
        assert item.text.ru


@pytest.mark.parametrize("missing", ["number", "subscriber"])
def test_what_is_missing_is_named(missing: str) -> None:
    with pytest.raises(Invalid) as refused:
        validated(NewContract, {k: v for k, v in GOOD.items() if k != missing})
    assert [item.field for item in refused.value.fields] == [missing]


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_any_value_is_taken_or_refused(value: Any) -> None:
    for field in ("number", "balance", "subscriber.phone", "subscriber.timezone", "password"):
        with suppress(Invalid):
            assert validated(NewContract, put(field, value)).number
