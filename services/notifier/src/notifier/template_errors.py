"""What can be wrong in a text that an operator has written: where, and what to do. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from shared.errors import Text


@dataclass(frozen=True, slots=True)
class Place:
    """A line and a column of a text, counted from 1."""

    line: int
    column: int


class TemplateError(ValueError):
    """A text cannot be used; says where, by which rule, and what it is about."""

    def __init__(self, code: str, place: Place, about: str, text: Text) -> None:
        super().__init__(text.en)
        self.code, self.place, self.about, self.text = code, place, about, text


_WHAT: Final[Mapping[str, Text]] = {
    "syntax": Text(
        "{about} cannot be read: write {{{{ name }}}} or {{{{ name|filter }}}}",
        "{about} не разобрать: пишите {{{{ имя }}}} или {{{{ имя|фильтр }}}}",
    ),
    "stray": Text(
        "{about} has no counterpart: each {{{{ needs }}}} and each {{% needs %}}",
        "{about} без пары: на каждую {{{{ нужна }}}}, на каждую {{% нужна %}}",
    ),
    "unexpected": Text(
        "{about} is not expected here: there are if, if not, else, endif,"
        " for line in lines and endfor",
        "{about} здесь не ожидается: есть if, if not, else, endif, for line in lines и endfor",
    ),
    "not_closed": Text(
        "this block is not closed: add {{% {about} %}}",
        "этот блок не закрыт: добавьте {{% {about} %}}",
    ),
    "too_deep": Text(
        "blocks stand in one another more than {about} deep: make the text simpler",
        "блоки вложены глубже {about}: упростите текст",
    ),
    "too_long": Text(
        "longer than {about} characters: shorten it", "длиннее {about} знаков: сократите"
    ),
    "made_too_long": Text(
        "the {about} that is made of it becomes too long: shorten it",
        "{about} из этого текста выходит слишком длинным: сократите",
    ),
    "unknown_variable": Text("there is no variable {about}", "нет переменной {about}"),
    "unknown_filter": Text("there is no filter {about}", "нет фильтра {about}"),
    "markup": Text(
        "{about} is not allowed in an e-mail: remove it", "{about} в письме нельзя: уберите"
    ),
    "too_many_segments": Text(
        "the SMS would take more than {about} parts: shorten it",
        "SMS займёт больше {about} частей: сократите",
    ),
    "empty": Text("the text is empty: write it", "текст пуст: напишите его"),
}


def fault(code: str, place: Place, about: str, known: Sequence[str] = ()) -> TemplateError:
    """Make the error of a rule; of the known names it offers the nearest ones, else them all."""
    what = _WHAT[code]
    line, column = place.line, place.column
    en = f"line {line}, column {column}: {what.en.format(about=about)}"
    ru = f"строка {line}, позиция {column}: {what.ru.format(about=about)}"
    if known:
        offered = ", ".join(get_close_matches(about, known, n=3, cutoff=0.6) or known)
        en, ru = f"{en}; known: {offered}", f"{ru}; есть: {offered}"
    return TemplateError(code, place, about, Text(en, ru))
