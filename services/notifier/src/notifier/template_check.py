"""Whether a text that an operator has written can be used for a part of a kind. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from notifier import segments, variables
from notifier.messages import written
from notifier.template_errors import Place, TemplateError, fault
from notifier.template_language import faults
from notifier.template_parser import parse
from notifier.texts import Key, Part, default
from notifier.words import words

SEGMENTS_MAX: Final = 10
"""Providers cut or refuse longer ones, and each part costs."""
_FOLLOWING: Final[Mapping[Part, Part]] = {"text": "html", "sms": "bot"}
# What mail readers strip or distrust, and what would run there.
_MARKUP = re.compile(
    r"<\s*/?\s*(script|style|iframe|object|embed|form|input|link|meta|base|svg)\b"
    r"|[\s/\"']on[a-z]+\s*=|javascript\s*:|<!--|<!doctype|<\s*/?\s*(?:html|head|body)\b",
    re.IGNORECASE,
)


def problems(key: Key, text: str, at: datetime) -> list[TemplateError]:
    """Return everything that is wrong with a text; nothing where it can be used."""
    try:
        nodes = parse(text)
    except TemplateError as error:
        return [error]
    found = faults(nodes, variables.names(key.kind))
    if key.part == "html" and (markup := _MARKUP.search(text)):
        place = _place(text, markup.start())
        found.append(fault("markup", place, " ".join(markup[0].split())))
    return found or _tried(key, text, at)


def _tried(key: Key, text: str, at: datetime) -> list[TemplateError]:
    """Write it for somebody: what is empty, or too long, shows there.

    So is what is made of it: a letter must not say one thing as text and another as HTML.
    """
    said = words(variables.sample(key.kind, at), variables.reader(key.language), at)
    try:
        made = written(key, said, text)
    except TemplateError as error:
        return [error]
    if key.part == "sms" and segments.size(made).segments > SEGMENTS_MAX:
        return [fault("too_many_segments", Place(1, 1), str(SEGMENTS_MAX))]
    if key.part in _FOLLOWING:
        other = key._replace(part=_FOLLOWING[key.part])
        try:
            written(other, said, default(other, {key: text}))
        except TemplateError:
            return [fault("made_too_long", Place(1, 1), other.part)]
    return []


def _place(text: str, at: int) -> Place:
    return Place(text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))
