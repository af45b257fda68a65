"""What is wrong with a value, for people: pydantic's findings in English and Russian."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from shared.errors import FieldError, Text

DEPTH_MAX: Final = 32

_RUSSIAN: Final = {
    "missing": "обязательное поле",
    "extra_forbidden": "такого поля нет",
    "string_type": "нужен текст",
    "string_too_short": "слишком коротко: нужно знаков не меньше {min_length}",
    "string_too_long": "слишком длинно: можно знаков не больше {max_length}",
    "string_pattern_mismatch": "не подходит по форме",
    "too_short": "слишком мало: нужно не меньше {min_length}",
    "too_long": "слишком много: можно не больше {max_length}",
    "greater_than": "нужно больше {gt}",
    "greater_than_equal": "нужно не меньше {ge}",
    "less_than": "нужно меньше {lt}",
    "less_than_equal": "можно не больше {le}",
    "enum": "нужно одно из: {expected}",
    "literal_error": "нужно одно из: {expected}",
    "timezone_aware": "нужен часовой пояс, например 2026-11-22T12:00:00+03:00",
    "model_type": "нужен объект",
    "model_attributes_type": "нужен объект",
    "list_type": "нужен список",
    "tuple_type": "нужен список",
    "finite_number": "нужно число",
}
_RUSSIAN_KINDS: Final = {
    "int": "нужно целое число",
    "float": "нужно число",
    "decimal": "нужно число",
    "bool": "нужно true или false",
    "datetime": "нужны дата и время, например 2026-11-22T12:00:00+03:00",
    "date": "нужна дата, например 2026-11-22",
    "uuid": "нужен UUID",
    "dict": "нужен объект",
}
_ZERO: Final = Text("must hold no zero byte", "не должно быть нулевого байта")


def complaint(item: Any) -> FieldError:
    """Return one of pydantic's findings as the error of a field.

    A ValueError that carries a `text` in both languages is quoted in both.
    """
    english = str(item["msg"]).removeprefix("Value error, ")
    context = item.get("ctx") or {}
    error = context.get("error")
    said = getattr(error, "text", None)
    text = said if isinstance(said, Text) else Text(english, _russian(item, context, english))
    return FieldError(named(item["loc"]), text, getattr(error, "code", None))


def zero_bytes(value: Any, location: tuple[str | int, ...] = ()) -> Iterator[FieldError]:
    """Find texts with a zero byte, which JSON can write and PostgreSQL cannot keep."""
    if isinstance(value, str) and "\x00" in value:
        yield FieldError(named(location), _ZERO)
    if len(location) > DEPTH_MAX:
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from zero_bytes(key, (*location, key))
            yield from zero_bytes(inner, (*location, key))
    if isinstance(value, list):
        for number, inner in enumerate(value):
            yield from zero_bytes(inner, (*location, number))


def named(location: tuple[str | int, ...]) -> str:
    """Return the dotted name of a field; ``body`` for the whole."""
    return ".".join(str(part) for part in location).replace("\x00", "\ufffd") or "body"


def _russian(item: Any, context: Any, english: str) -> str:
    known = _RUSSIAN.get(item["type"]) or _RUSSIAN_KINDS.get(item["type"].partition("_")[0])
    if known is None:
        return f"не подходит: {english}"
    words = {name: str(value).replace(" or ", " или ") for name, value in context.items()}
    return known.format_map(words)
