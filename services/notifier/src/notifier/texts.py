"""The texts of the kinds: the operator's, else the shipped ones. Pure.

A shipped text has a subject, words for an e-mail and words for an SMS. The HTML of an e-mail is
made of its words, whoever wrote them, and a bot says what an SMS says, with a link below; so both
follow what is edited, until they are written by themselves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import Final, Literal, NamedTuple, get_args

from notifier.html_text import html_of
from notifier.kinds import KindName
from shared.errors import Language

Part = Literal["subject", "text", "html", "sms", "bot"]
"""What a text is for; `text` and `html` are the two halves of one e-mail."""
PARTS: Final[tuple[Part, ...]] = get_args(Part)
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)

_HEADING = re.compile(r"^\[(subject|sms|text)\]\n", re.MULTILINE)
_BODY: Final = "<!-- body -->"


class Key(NamedTuple):
    """Which text is meant."""

    kind: KindName
    language: Language
    part: Part


Stored = Mapping[Key, str]
"""Texts that the operator has written, by what they replace."""
NONE: Final[Stored] = {}


def source(key: Key, stored: Stored = NONE) -> str:
    """Return the text that is used for something: the operator's, or else the default."""
    return stored[key] if key in stored else default(key, stored)


def default(key: Key, stored: Stored = NONE) -> str:
    """Return what stands where the operator has written nothing."""
    if key.part == "html":
        return html_of(source(key._replace(part="text"), stored))
    if key.part == "bot":
        return source(key._replace(part="sms"), stored).rstrip() + "\n{{ link }}\n"
    return _shipped(key.language, key.kind)[key.part]


@lru_cache(maxsize=2)
def frame(language: Language) -> tuple[str, str]:
    """Return what stands before and after the words of an HTML e-mail."""
    whole = _file("frame.html").replace("<html>", f'<html lang="{language}">')
    before, _, after = whole.partition(_BODY)
    return before, after


@lru_cache(maxsize=128)
def _shipped(language: Language, kind: KindName) -> Mapping[str, str]:
    pieces = _HEADING.split(_file(f"{language}/{kind}.txt"))
    return {
        part: words.strip() + "\n" for part, words in zip(pieces[1::2], pieces[2::2], strict=True)
    }


def _file(name: str) -> str:
    return resources.files("notifier").joinpath("templates", name).read_text("utf-8")
