"""Reads the language of `template_language` into a tree. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from notifier.template_errors import Place, fault

SOURCE_LENGTH_MAX: Final = 10_000
DEPTH_MAX: Final = 5

_TAG = re.compile(r"\{\{([^{}\n]*)\}\}|\{%([^{}\n]*)%\}")
_STRAY = re.compile(r"\{\{|\}\}|\{%|%\}")
_NAME = r"[a-z][a-z_]*(?:\.[a-z]+)?"
_VARIABLE = re.compile(rf"\s*({_NAME})\s*((?:\|\s*[a-z_]+\s*)*)")
_IF = re.compile(rf"if\s+(not\s+)?({_NAME})")
_FOR: Final = "for line in lines"


@dataclass(frozen=True, slots=True)
class Said:
    """Words that stand as they are."""

    text: str


@dataclass(frozen=True, slots=True)
class Variable:
    """A word to be filled in."""

    name: str
    filters: tuple[str, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Choice:
    """One of two texts, by whether a variable is empty."""

    name: str
    place: Place
    then: tuple[Node, ...]
    otherwise: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Lines:
    """A text for each line."""

    place: Place
    body: tuple[Node, ...]


Node = Said | Variable | Choice | Lines


@lru_cache(maxsize=512)
def parse(source: str) -> tuple[Node, ...]:
    """Read a text; raises TemplateError, with the place, where it is not of this language."""
    if len(source) > SOURCE_LENGTH_MAX:
        raise fault("too_long", Place(1, 1), str(SOURCE_LENGTH_MAX))
    return _Parser(source).read()


class _Parser:
    """Reads a text from its beginning to its end, once."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._tags = list(_TAG.finditer(source))
        self._next = 0
        self._at = 0

    def read(self) -> tuple[Node, ...]:
        nodes, end = self._until((), 0)
        if end is not None:
            raise fault("unexpected", self._place(end[1]), end[0])
        return nodes

    def _until(
        self, ends: Sequence[str], depth: int
    ) -> tuple[tuple[Node, ...], tuple[str, int] | None]:
        """Read up to one of the tags that end this block; return what stands before, and it."""
        nodes: list[Node] = []
        while self._next < len(self._tags):
            tag = self._tags[self._next]
            alone = tag[2] is not None and self._alone(tag)
            before = self._source[self._at : tag.start()]
            nodes += self._said(before.rstrip(" \t") if alone else before)
            self._at = self._after(tag.end()) if alone else tag.end()
            self._next += 1
            if tag[1] is not None:
                nodes.append(self._variable(tag))
                continue
            word = " ".join(tag[2].split())
            if word in ends:
                return tuple(nodes), (word, tag.start())
            nodes.append(self._block(word, tag.start(), depth + 1))
        nodes += self._said(self._source[self._at :])
        self._at = len(self._source)
        return tuple(nodes), None

    def _block(self, word: str, start: int, depth: int) -> Node:
        place = self._place(start)
        if depth > DEPTH_MAX:
            raise fault("too_deep", place, str(DEPTH_MAX))
        if word == _FOR:
            body, end = self._until(("endfor",), depth)
            if end is None:
                raise fault("not_closed", place, "endfor")
            return Lines(place, body)
        asked = _IF.fullmatch(word)
        if asked is None:
            raise fault("unexpected", place, word[:40])
        then, end = self._until(("else", "endif"), depth)
        otherwise: tuple[Node, ...] = ()
        if end is not None and end[0] == "else":
            otherwise, end = self._until(("endif",), depth)
        if end is None:
            raise fault("not_closed", place, "endif")
        if asked[1]:
            then, otherwise = otherwise, then
        return Choice(asked[2], place, then, otherwise)

    def _variable(self, tag: re.Match[str]) -> Variable:
        said = _VARIABLE.fullmatch(tag[1])
        if said is None:
            raise fault("syntax", self._place(tag.start()), tag[0][:40])
        filters = tuple(name.strip() for name in said[2].split("|") if name.strip())
        return Variable(said[1], filters, self._place(tag.start()))

    def _said(self, text: str) -> list[Node]:
        if stray := _STRAY.search(text):
            raise fault("stray", self._place(self._at + stray.start()), stray[0])
        return [Said(text)] if text else []

    def _alone(self, tag: re.Match[str]) -> bool:
        line_start = self._source.rfind("\n", 0, tag.start()) + 1
        line_end = self._source.find("\n", tag.end())
        rest = self._source[tag.end() : line_end if line_end >= 0 else None]
        return not (self._source[line_start : tag.start()] + rest).strip(" \t\r")

    def _after(self, end: int) -> int:
        newline = self._source.find("\n", end)
        return newline + 1 if newline >= 0 else len(self._source)

    def _place(self, at: int) -> Place:
        line_start = self._source.rfind("\n", 0, at) + 1
        return Place(self._source.count("\n", 0, at) + 1, at - line_start + 1)
