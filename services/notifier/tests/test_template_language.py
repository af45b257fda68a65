"""The language of texts: what it says, where it is wrong, and that nothing else can be said."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.template_errors import Place, TemplateError
from notifier.template_language import Words, faults, render
from notifier.template_parser import parse

WORDS: Words = {
    "name": "<Анна> & {{ name }}",
    "empty": "",
    "long": "общество связи и ещё слова",
    "lines": (("Интернет", "1"), ("ТВ", "2")),
}
NAMES = frozenset(WORDS)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("as it is\n", "as it is\n"),
        ("{{name}}, {{  name  }}", "<Анна> & {{ name }}, <Анна> & {{ name }}"),
        ("{{ long|short }}", "общество связи и ещё"),
        ("{{ long | upper|short }}", "ОБЩЕСТВО СВЯЗИ И ЕЩЁ"),
        ("{{ long|capital }}", "Общество связи и ещё слова"),
        ("{{ empty|capital }}{{ empty|lower }}", ""),
        ("{% if name %}yes{% else %}no{% endif %}", "yes"),
        ("{% if empty %}yes{% else %}no{% endif %}", "no"),
        ("{% if not empty %}yes{% endif %}", "yes"),
        ("{% if not name %}yes{% else %}no{% endif %}", "no"),
        ("a\n  {% if name %}  \nb\n{% endif %}\nc\n", "a\nb\nc\n"),
        ("a\n{% if empty %}\nb\n{% endif %}", "a\n"),
        ("a {% if name %}\nb{% endif %}", "a \nb"),
        ("{% if name %}{% if empty %}1{% else %}2{% endif %}{% endif %}", "2"),
        (
            "{% for line in lines %}\n{{ line.text }}: {{ line.sum }}\n{% endfor %}\n",
            "Интернет: 1\nТВ: 2\n",
        ),
        ("{% if lines %}some{% endif %}", "some"),
        ("{ } % {name} {# x #}", "{ } % {name} {# x #}"),
    ],
)
def test_what_a_text_says(source: str, expected: str) -> None:
    assert render(source, WORDS) == expected
    assert faults(parse(source), NAMES) == []


def test_words_are_escaped_in_html_and_what_stands_there_is_not() -> None:
    said = render('<b title="{{ name }}">{{ name }}</b>', {"name": "\"'<&>"}, html=True)
    assert said == '<b title="&quot;&#x27;&lt;&amp;&gt;">&quot;&#x27;&lt;&amp;&gt;</b>'


@pytest.mark.parametrize(
    ("source", "code", "about", "place"),
    [
        ("{{ nom }}", "unknown_variable", "nom", (1, 1)),
        ("x\n y {{ balanse }}", "unknown_variable", "balanse", (2, 4)),
        ("{% if nothing %}x{% endif %}", "unknown_variable", "nothing", (1, 1)),
        ("{{ name|twist }}", "unknown_filter", "twist", (1, 1)),
        ("{{ lines }}", "unknown_variable", "lines", (1, 1)),
        ("{{ line.text }}", "unknown_variable", "line.text", (1, 1)),
        ("{{ name.upper }}", "unknown_variable", "name.upper", (1, 1)),
        ("{{ name", "stray", "{{", (1, 1)),
        ("a\nb }} c", "stray", "}}", (2, 3)),
        ("{{ name\n}}", "stray", "{{", (1, 1)),
        ("x {% if name", "stray", "{%", (1, 3)),
        ("{{ }}", "syntax", "{{ }}", (1, 1)),
        ("{{ name() }}", "syntax", "{{ name() }}", (1, 1)),
        ("{{ 7 * 7 }}", "syntax", "{{ 7 * 7 }}", (1, 1)),
        ("{{ ''.__class__ }}", "syntax", "{{ ''.__class__ }}", (1, 1)),
        ("{{ name|short(3) }}", "syntax", "{{ name|short(3) }}", (1, 1)),
        ("{% if name == empty %}{% endif %}", "unexpected", "if name == empty", (1, 1)),
        ("{% for x in name %}{% endfor %}", "unexpected", "for x in name", (1, 1)),
        ("{% include 'x' %}", "unexpected", "include 'x'", (1, 1)),
        ("{% endif %}", "unexpected", "endif", (1, 1)),
        ("{% if name %}{% endfor %}", "unexpected", "endfor", (1, 14)),
        ("{% if name %}x", "not_closed", "endif", (1, 1)),
        ("{% if name %}x{% else %}y", "not_closed", "endif", (1, 1)),
        ("{% for line in lines %}x", "not_closed", "endfor", (1, 1)),
        ("{% if name %}" * 6 + "{% endif %}" * 6, "too_deep", "5", (1, 66)),
    ],
)
def test_where_a_text_is_wrong(source: str, code: str, about: str, place: tuple[int, int]) -> None:
    try:
        (error,) = faults(parse(source), NAMES)
    except TemplateError as raised:
        error = raised
    assert (error.code, error.about, error.place) == (code, about, Place(*place))
    for said in error.text:
        assert about in said
    assert f"line {place[0]}, column {place[1]}" in error.text.en
    assert f"строка {place[0]}, позиция {place[1]}" in error.text.ru
    with pytest.raises(TemplateError):
        render(source, WORDS)


def test_the_nearest_names_are_offered() -> None:
    (error,) = faults(parse("{{ nane }}"), NAMES)
    assert error.text.ru.endswith("нет переменной nane; есть: name")
    (error,) = faults(parse("{{ qqq }}"), NAMES)
    assert error.text.en.endswith("known: empty, long, name")


def test_every_fault_of_a_text_is_named_at_once() -> None:
    source = "{{ a }}{% if b %}{{ c|d }}{% endif %}{% for line in lines %}{{ e }}{% endfor %}"
    assert [error.about for error in faults(parse(source), NAMES)] == ["a", "b", "c", "d", "e"]


@given(st.text(alphabet="{}%| \nnameiflots.", max_size=60))
def test_any_text_is_read_or_refused_at_a_place_in_it(source: str) -> None:
    refused = None
    try:
        render(source, WORDS)
    except TemplateError as error:
        refused = error
    if refused is not None:
        lines = source.split("\n")
        assert 1 <= refused.place.line <= len(lines)
        assert 1 <= refused.place.column <= len(lines[refused.place.line - 1]) + 1


@given(st.text(max_size=200))
def test_words_are_never_read_as_text(word: str) -> None:
    assert render("{{ name }}", {"name": word}) == word


def test_the_largest_text_takes_no_time_and_stays_within_its_limit() -> None:
    source = "{% for line in lines %}" + "{{ name }}" * 900 + "{% endfor %}"
    words: Words = {"name": "x" * 500, "lines": (("a", "b"),) * 50}
    began = time.process_time()
    with pytest.raises(TemplateError) as refused:
        render(source, words)
    assert refused.value.code == "too_long"
    assert time.process_time() - began < 1


def test_a_text_of_many_tags_is_read_once() -> None:
    source = "{{ name }} x\n" * 700
    began = time.process_time()
    render(source, {"name": "y"})
    with pytest.raises(TemplateError):
        parse("{{ " * 3000)
    assert time.process_time() - began < 1
