"""What can go wrong on purpose, as a tree.

::

    SaldoError                    500  something we promised cannot be done
    ├── BadRequest                400  not readable: not JSON, a malformed header
    ├── Unauthorized              401  no token, or an unknown one
    ├── Forbidden                 403  known, but not allowed
    ├── NotFound                  404
    ├── Conflict                  409  the same key or number with other content
    ├── TooLarge                  413
    ├── UnsupportedMedia          415
    ├── Invalid                   422  readable, but a field is wrong; names each field
    ├── TooMany                   429  slow down; says when to come back
    ├── Unavailable               503  ours to repair; the caller may repeat
    └── (not for HTTP)
        ├── Poison                     a message that can never be processed
        └── SettingsError              the environment is unusable; lists every mistake

Each text exists in English and Russian, because both engineers and subscribers read it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

Language = Literal["ru", "en"]


class Text(NamedTuple):
    """One sentence for people, in both languages."""

    en: str
    ru: str

    def in_(self, language: Language) -> str:
        """Return the sentence in the language asked for."""
        return self.ru if language == "ru" else self.en


@dataclass(frozen=True, slots=True)
class FieldError:
    """Which field is wrong, and what to do about it."""

    field: str
    text: Text
    code: str | None = None
    """The rule's name, for programs, where it has one."""


class SaldoError(Exception):
    """Base of every expected failure; carries its HTTP status and a text for people."""

    status: int = 500
    title: Text = Text("Internal error", "Внутренняя ошибка")

    def __init__(
        self,
        detail: Text,
        *,
        fields: Sequence[FieldError] = (),
        retry_after_seconds: int | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(detail.en)
        self.detail = detail
        self.fields = tuple(fields)
        self.retry_after_seconds = retry_after_seconds
        self.code = code


class BadRequest(SaldoError):
    """The request could not be read."""

    status = 400
    title = Text("Malformed request", "Запрос не разобран")


class Unauthorized(SaldoError):
    """The caller did not say who it is, or is not known."""

    status = 401
    title = Text("Not signed in", "Вход не выполнен")


class Forbidden(SaldoError):
    """The caller is known and may not do this."""

    status = 403
    title = Text("Not allowed", "Недостаточно прав")


class NotFound(SaldoError):
    """There is no such thing, or not for this caller."""

    status = 404
    title = Text("Not found", "Не найдено")


class Conflict(SaldoError):
    """The same key or number already stands for something else."""

    status = 409
    title = Text("Conflict", "Противоречие")


class TooLarge(SaldoError):
    """The body is larger than this address accepts."""

    status = 413
    title = Text("Body too large", "Слишком большой запрос")


class UnsupportedMedia(SaldoError):
    """The body is not of the type this address reads."""

    status = 415
    title = Text("Unsupported content type", "Неподдерживаемый тип содержимого")


class Invalid(SaldoError):
    """The request was understood and a field of it is wrong."""

    status = 422
    title = Text("Check the fields", "Проверьте поля")

    def __init__(self, *fields: FieldError) -> None:
        named = ", ".join(field.field for field in fields)
        super().__init__(
            Text(f"Wrong value: {named}", f"Неверное значение: {named}"), fields=fields
        )


class TooMany(SaldoError):
    """Too often; `retry_after_seconds` says when to try again."""

    status = 429
    title = Text("Too many requests", "Слишком часто")


class Unavailable(SaldoError):
    """A part we need does not answer; repeating later is safe."""

    status = 503
    title = Text("Temporarily unavailable", "Временно недоступно")


class Poison(Exception):
    """A message that no repetition can mend: unreadable, unsigned or of an impossible shape."""


class SettingsError(Exception):
    """The environment cannot be used; the message lists every mistake, one a line."""


def invalid(field: str, en: str, ru: str) -> Invalid:
    """Make the error for a single wrong field."""
    return Invalid(FieldError(field, Text(en, ru)))


@dataclass(frozen=True, slots=True)
class Refusal:
    """A rule that says no, by name: documented with the addresses it guards.

    Called with what its sentence holds between braces, it makes the error to raise.
    """

    code: str
    status: int
    en: str
    ru: str
    field: str = ""
    """Which field of the body is to be changed; none where no other value would help."""

    def __call__(self, **facts: object) -> SaldoError:
        """Return the error of this refusal."""
        text = Text(self.en.format_map(facts), self.ru.format_map(facts))
        fields = [FieldError(self.field, text, self.code)] if self.field else []
        error: SaldoError
        if self.status == Invalid.status:
            error = Invalid(*fields)
        else:
            error = _OF_STATUS[self.status](text, fields=fields)
        error.detail, error.code = text, self.code
        return error


_OF_STATUS: Final[dict[int, type[SaldoError]]] = {
    kind.status: kind for kind in (Forbidden, NotFound, Conflict)
}
