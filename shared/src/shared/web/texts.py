"""Texts of the pages that every service has, and how a catalogue of texts is used.

A catalogue maps a word to a sentence in both languages; a template says ``{{ t("word") }}``. A
missing word is an error at once, so a page that renders in a test has all its texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from shared.errors import Language, Text

Catalogue = Mapping[str, Text]


class Translate(Protocol):
    """Returns the sentence under a word, its ``{names}`` filled in."""

    def __call__(self, word: str, /, **values: object) -> str: ...


def translator(catalogue: Catalogue, language: Language) -> Translate:
    """Return the lookup for one language; it raises KeyError for an unknown word or name."""

    def translate(word: str, /, **values: object) -> str:
        return catalogue[word].in_(language).format(**values)

    return translate


COMMON: Final[Catalogue] = {
    "skip": Text("Skip to the content", "К содержанию"),
    "language": Text("Language", "Язык"),
    "to_home": Text("To the main page", "На главную"),
    "request_code": Text(
        "If you write to support, name the code {code}",
        "Если будете писать в поддержку, назовите код {code}",
    ),
    "come_back_seconds": Text("Try again in {count} s", "Попробуйте ещё раз через {count} с"),
    "come_back_minutes": Text("Try again in {count} min", "Попробуйте ещё раз через {count} мин"),
}
