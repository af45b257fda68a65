"""Files of columns: whatever somebody saves, each line is read or named, none is guessed."""

import csv
import io
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core_billing.imports import columns
from core_billing.imports.columns import Record, Unreadable, records

KNOWN = ("number", "name", "phone")


def read(content: bytes, required: Sequence[str] = ("number",)) -> list[Record]:
    """Read a file's content."""
    return list(records(io.BytesIO(content), KNOWN, required))


def values(content: bytes) -> list[dict[str, str]]:
    """Return the columns of every line; all must be right."""
    found = read(content)
    assert all(record.wrong is None for record in found)
    return [dict(record.columns) for record in found]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1251"])
@pytest.mark.parametrize("delimiter", [";", ","])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_usual_form(encoding: str, delimiter: str, end: str) -> None:
    lines = ["Number{d} name", "1{d}Анна", '2{d}"Ёлкин{d} ""Ромашка"""', "", "3{d}"]
    content = end.join(lines).replace("{d}", delimiter).encode(encoding)
    assert values(content) == [
        {"number": "1", "name": "Анна"},
        {"number": "2", "name": f'Ёлкин{delimiter} "Ромашка"'},
        {"number": "3", "name": ""},
    ]
    assert [record.line for record in read(content)] == [2, 3, 5]


def test_ascii_before_and_after_an_encoding_shows() -> None:
    for encoding in ("utf-8", "cp1251"):
        content = "number,name\n1,Bob\n2,Анна\n3,Bob\n4,Игорь\n".encode(encoding)
        assert [found["name"] for found in values(content)] == ["Bob", "Анна", "Bob", "Игорь"]


@pytest.mark.parametrize(
    ("first", "second"), [("utf-8", "cp1251"), ("cp1251", "utf-8"), ("utf-8-sig", "cp1251")]
)
def test_a_line_in_another_encoding_is_named(first: str, second: str) -> None:
    content = "number,name\n1,Анна\n".encode(first) + "2,Игорь\n".encode(second) + b"3,Bob\n"
    found = read(content)
    assert [(record.line, record.wrong is None) for record in found] == [
        (2, True),
        (3, False),
        (4, True),
    ]
    assert "UTF-8" in found[1].wrong.en  # type: ignore[union-attr]


def test_a_marked_file_is_utf8_from_the_first_line() -> None:
    found = read(b"\xef\xbb\xbfnumber,name\n1," + "Анна".encode("cp1251") + b"\n")
    assert found[0].wrong is not None


@pytest.mark.parametrize("line", ['2,"Bob', '2,Bob",x', '2,"Bob"x', "2", "2,Bob,3", '"2,Bob'])
def test_a_broken_line_spoils_itself_only(line: str) -> None:
    found = read(f"number,name\n1,Bob\n{line}\n3,Bob\n".encode())
    assert [(record.line, record.wrong is None) for record in found] == [
        (2, True),
        (3, False),
        (4, True),
    ]
    assert found[1].columns == {}


def test_an_endless_line_is_named_and_passed_over() -> None:
    limit = columns.LINE_BYTES_MAX
    content = b"number,name\n1," + b"x" * (3 * limit) + b"\n2,Bob\n3," + b"x" * (limit - 3) + b"\n"
    found = read(content)
    assert [(record.line, record.wrong is None) for record in found] == [
        (2, False),
        (3, True),
        (4, True),
    ]
    assert found[1].columns == {"number": "2", "name": "Bob"}
    [last] = read(b"number,name\n1," + b"x" * limit)
    assert last.wrong is not None


@pytest.mark.parametrize(
    ("header", "named"),
    [
        (b"", "number"),
        (b"\n", "number"),
        (b"1;Anna\n", "1, anna"),
        (b"number;nam\n", "nam"),
        (b"number;number\n", "twice"),
        (b"name\n", "missing"),
        (b"number\x00\n", "UTF-8"),
        ("number;name\n".encode("utf-16"), "UTF-8"),
        (b"\x98\n", "UTF-8"),
        (b'"number\n', ""),
        (b"x" * 200_000, ""),
    ],
)
def test_an_unusable_header_is_refused(header: bytes, named: str) -> None:
    with pytest.raises(Unreadable) as refused:
        read(header + b"1;Anna\n")
    assert named in refused.value.text.en
    assert refused.value.text.ru


def test_a_file_of_a_header_alone_is_empty() -> None:
    assert read(b"number,name\n") == []
    assert read(b"number") == []


@given(
    st.lists(
        st.tuples(*[st.text(st.characters(codec="cp1251", exclude_categories=["Cc"]))] * 3),
        min_size=1,
    ),
    st.sampled_from([";", ","]),
    st.sampled_from(["utf-8-sig", "cp1251"]),
)
def test_what_a_spreadsheet_writes_is_read_back(rows: Any, delimiter: str, encoding: str) -> None:
    written = io.StringIO(newline="")
    writer = csv.writer(written, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([KNOWN, *rows])
    found = read(written.getvalue().encode(encoding))
    good = [tuple(record.columns.values()) for record in found if record.wrong is None]
    if encoding == "cp1251":
        # A line of CP1251 that happens to be UTF-8 as well is named, not guessed.
        assert len(good) == len(rows) or any(r.wrong is not None for r in found)
        assert set(good) <= set(rows)
    else:
        assert good == rows


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    for start in (b"", b"number,name\n", b"\xef\xbb\xbfnumber;name\n"):
        with suppress(Unreadable):
            found = read(start + content)
            assert all(record.wrong is None or not record.columns for record in found)
            lines = [record.line for record in found]
            assert lines == sorted(set(lines))
