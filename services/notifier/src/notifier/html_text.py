"""Makes the HTML of an e-mail out of its plain words, both in the language of templates. Pure.

Paragraphs stay paragraphs; lines such as `Баланс: {{ balance }}` become a table, and one whose
value is a link becomes a button.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from html import escape

_TAG = re.compile(r"(\{\{[^{}\n]*\}\}|\{%[^{}\n]*%\})")
_ALONE = re.compile(r"\s*\{%[^{}\n]*%\}\s*")
_AROUND = re.compile(r"\s*\{%\s*(?:if\b[^{}\n]*|endif\s*)%\}\s*")
_OPENS = re.compile(r"\{%\s*(?:if|for)\b")
_CLOSES = re.compile(r"\{%\s*end")
_BUTTON = re.compile(r"([^:{}]{1,60}): (\{\{ (?:link|[a-z]+_url) \}\})")
# What ends with a full stop is a sentence.
_ROW = re.compile(r"([^:{},.]{1,40}|\{\{ line\.text \}\}): (.*[^.\s])\s*")


@lru_cache(maxsize=512)
def html_of(text: str) -> str:
    """Return the HTML of a text: what it says literally is escaped, its tags are left alone."""
    blocks = re.split(r"\n[ \t]*\n", text.strip())
    return "\n".join(_block(block.strip("\n").split("\n")) for block in blocks) + "\n"


def _block(lines: list[str]) -> str:
    """Return one block; tags around all of it stay outside of its element."""
    first, last = 0, len(lines)
    while first < last and _AROUND.fullmatch(lines[first]):
        first += 1
    while last > first and _AROUND.fullmatch(lines[last - 1]):
        last -= 1
    if not _balanced(lines[first:last]):
        first, last = 0, len(lines)
    inner = [_element(lines[first:last])] if first < last else []
    return "\n".join([*lines[:first], *inner, *lines[last:]])


def _balanced(lines: list[str]) -> bool:
    whole = "\n".join(lines)
    return len(_OPENS.findall(whole)) == len(_CLOSES.findall(whole))


def _element(lines: list[str]) -> str:
    words = [line for line in lines if not _ALONE.fullmatch(line)]
    if all(_BUTTON.fullmatch(line) for line in words):
        return "\n".join(_each(lines, _button))
    if all(_ROW.fullmatch(line) for line in words):
        return "\n".join(["<table>", *_each(lines, _row), "</table>"])
    return "<p>" + "\n".join(_each(lines, _sentence)).replace("<br>", "", 1) + "</p>"


def _each(lines: list[str], write: Callable[[str], str]) -> list[str]:
    return [line if _ALONE.fullmatch(line) else write(line) for line in lines]


def _button(line: str) -> str:
    label, _, link = line.partition(": ")
    return f'<p><a class="button" href="{link}">{_escaped(label)}</a></p>'


def _row(line: str) -> str:
    label, _, value = line.partition(": ")
    return f"<tr><td>{_escaped(label)}</td><td>{_escaped(value)}</td></tr>"


def _sentence(line: str) -> str:
    return f"<br>{_escaped(line)}"


def _escaped(line: str) -> str:
    pieces = _TAG.split(line)
    return "".join(p if n % 2 else escape(p, quote=False) for n, p in enumerate(pieces))
