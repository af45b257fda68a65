"""The language of the texts that an operator may edit. Pure.

::

    {{ balance }}   {{ operator|short }}
    {% if blocks_on %} ... {% else %} ... {% endif %}      {% if not missing %} ... {% endif %}
    {% for line in lines %} {{ line.text }} {{ line.sum }} {% endfor %}

It looks like Jinja and is no part of it: nothing is called, compared or reached through a dot, so
there is nothing to break out of, and the time is that of reading the text once for each line.
A tag alone on its line takes its line away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from typing import Final

from notifier.template_errors import Place, TemplateError, fault
from notifier.template_parser import Choice, Lines, Node, Said, Variable, parse

RENDERED_LENGTH_MAX: Final = 60_000
SHORT_LENGTH: Final = 20
LINES: Final = "lines"
LINE_WORDS: Final = ("line.text", "line.sum")

FILTERS: Final[Mapping[str, Callable[[str], str]]] = {
    "short": lambda text: text[:SHORT_LENGTH].rstrip(),
    "upper": str.upper,
    "lower": str.lower,
    "capital": lambda text: text[:1].upper() + text[1:],
}
Words = Mapping[str, str | Sequence[tuple[str, str]]]
"""What a text may say: ready-made words, and under `lines` pairs of a text and a sum."""


def faults(
    nodes: Sequence[Node], names: frozenset[str], inside: bool = False
) -> list[TemplateError]:
    """Return what a text says that its kind does not know: unknown variables and filters."""
    found: list[TemplateError] = []
    known = names | set(LINE_WORDS) if inside else names
    for node in nodes:
        if isinstance(node, Said):
            continue
        if isinstance(node, Lines):
            if LINES not in names:
                found.append(fault("unknown_variable", node.place, LINES, sorted(names)))
            found += faults(node.body, names, inside=True)
            continue
        if node.name not in known or (isinstance(node, Variable) and node.name == LINES):
            found.append(fault("unknown_variable", node.place, node.name, sorted(known - {LINES})))
        if isinstance(node, Choice):
            found += faults((*node.then, *node.otherwise), names, inside)
        else:
            unknown = [name for name in node.filters if name not in FILTERS]
            found += [fault("unknown_filter", node.place, n, sorted(FILTERS)) for n in unknown]
    return found


def render(source: str, words: Words, *, html: bool = False) -> str:
    """Return a text with its words filled in, escaped where it is HTML.

    Raises TemplateError where the text is not of this language, or says what is not known.
    """
    made: list[str] = []
    length = 0
    for piece in _pieces(parse(source), words, html):
        length += len(piece)
        if length > RENDERED_LENGTH_MAX:
            raise fault("too_long", Place(1, 1), str(RENDERED_LENGTH_MAX))
        made.append(piece)
    return "".join(made)


def _pieces(nodes: Sequence[Node], words: Words, html: bool) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, Said):
            yield node.text
        elif isinstance(node, Variable):
            said = _word(node, words)
            for name in node.filters:
                if name not in FILTERS:
                    raise fault("unknown_filter", node.place, name, sorted(FILTERS))
                said = FILTERS[name](said)
            yield escape(said) if html else said
        elif isinstance(node, Choice):
            yield from _pieces(node.then if _known(node, words) else node.otherwise, words, html)
        else:
            for text, amount in _lines(node, words):
                line = {**words, "line.text": text, "line.sum": amount}
                yield from _pieces(node.body, line, html)


def _known(node: Variable | Choice, words: Words) -> str | Sequence[tuple[str, str]]:
    if node.name not in words:
        raise fault("unknown_variable", node.place, node.name, sorted(words))
    return words[node.name]


def _word(node: Variable, words: Words) -> str:
    said = _known(node, words)
    if not isinstance(said, str):
        raise fault("unknown_variable", node.place, node.name, sorted(words))
    return said


def _lines(node: Lines, words: Words) -> Sequence[tuple[str, str]]:
    said = words.get(LINES)
    if said is None or isinstance(said, str):
        raise fault("unknown_variable", node.place, LINES, sorted(words))
    return said
