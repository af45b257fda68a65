"""Files of named columns, as other billings and spreadsheets write them.

UTF-8 (with or without a mark at its beginning) or CP1251, columns divided by ``;`` or ``,``. Each
physical line is one record, so a forgotten quote spoils its own line and no other. Nothing is held
in memory but the line in hand.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Final

from shared.errors import Text

LINE_BYTES_MAX: Final = 64 * 1024
_MARK: Final = b"\xef\xbb\xbf"
_ENCODINGS: Final = ("utf-8", "cp1251")


class Unreadable(Exception):
    """The file as a whole cannot be read; `text` says why, in both languages."""

    def __init__(self, en: str, ru: str) -> None:
        super().__init__(en)
        self.text = Text(en, ru)


@dataclass(frozen=True, slots=True)
class Record:
    """A line of the file: its columns, or what is wrong with it."""

    line: int
    columns: Mapping[str, str]
    wrong: Text | None = None


def records(file: BinaryIO, known: Collection[str], required: Collection[str]) -> Iterator[Record]:
    """Yield the file's lines after its header, as they are; empty lines are left out.

    `known` are the columns that may occur. Raises Unreadable where the header does not fit.
    """
    text = _Decoder()
    delimiter, names = _header(text, file.readline(LINE_BYTES_MAX), known, required)
    line = 1
    while raw := file.readline(LINE_BYTES_MAX):
        line += 1
        if not raw.endswith(b"\n") and len(raw) == LINE_BYTES_MAX:
            _skip_rest(file)
            yield Record(line, {}, _TOO_LONG)
        elif raw.strip():
            yield _record(text, raw, line, delimiter, names)


_TOO_LONG: Final = Text(
    f"the line is longer than {LINE_BYTES_MAX} bytes: shorten it",
    f"строка длиннее {LINE_BYTES_MAX} байт: сократите её",
)
_UNDECODED: Final = Text(
    "the line is in another encoding than those before: save the file as UTF-8",
    "строка в другой кодировке, чем предыдущие: сохраните файл в UTF-8",
)
_QUOTES: Final = Text(
    "the quotes do not match: close each one, double those inside a value",
    "кавычки не сходятся: закройте каждую, внутри значения удвойте",
)


class _Decoder:
    """Reads each line in the encoding of the first line that shows one."""

    def __init__(self) -> None:
        self._chosen: str | None = None

    def decode(self, raw: bytes) -> str | None:
        """Return the line's text, or None where it disagrees with the lines before."""
        if raw.isascii():
            return raw.decode("ascii")
        fitting = self._fitting(raw)
        if self._chosen is None:
            self._chosen = fitting
        return raw.decode(fitting) if fitting is not None and fitting == self._chosen else None

    def expect_utf8(self) -> None:
        """The file's mark says what it is in."""
        self._chosen = "utf-8"

    def _fitting(self, raw: bytes) -> str | None:
        # Russian text in CP1251 is practically never valid UTF-8, so the order decides.
        for encoding in _ENCODINGS:
            try:
                raw.decode(encoding)
            except UnicodeDecodeError:
                continue
            return encoding
        return None


def _header(
    text: _Decoder, raw: bytes, known: Collection[str], required: Collection[str]
) -> tuple[str, list[str]]:
    if raw.startswith(_MARK):
        text.expect_utf8()
        raw = raw.removeprefix(_MARK)
    line = text.decode(raw)
    if line is None or "\x00" in line:
        raise Unreadable(
            "the file is neither UTF-8 nor CP1251: save it as CSV in UTF-8",
            "файл не в UTF-8 и не в CP1251: сохраните его как CSV в UTF-8",
        )
    delimiter = ";" if line.count(";") >= line.count(",") else ","
    names = [name.strip().lower() for name in _split(line, delimiter) or []]
    _check_names(names, known, required)
    return delimiter, names


def _check_names(names: list[str], known: Collection[str], required: Collection[str]) -> None:
    unknown = [name for name in names if name not in known]
    twice = sorted({name for name in names if names.count(name) > 1})
    missing = [name for name in required if name not in names]
    for found, en, ru in (
        (unknown, "unknown columns", "неизвестные столбцы"),
        (twice, "columns that occur twice", "повторяющиеся столбцы"),
        (missing, "missing columns", "нет столбцов"),
    ):
        if found:
            listed, allowed = ", ".join(found)[:200], ", ".join(known)
            raise Unreadable(
                f"line 1: {en}: {listed}; a header of these names is needed: {allowed}",
                f"строка 1: {ru}: {listed}; нужен заголовок из этих имён: {allowed}",
            )


def _record(text: _Decoder, raw: bytes, line: int, delimiter: str, names: list[str]) -> Record:
    decoded = text.decode(raw)
    if decoded is None:
        return Record(line, {}, _UNDECODED)
    values = _split(decoded, delimiter)
    if values is None:
        return Record(line, {}, _QUOTES)
    if len(values) != len(names):
        return Record(line, {}, _counted(len(values), len(names)))
    return Record(line, dict(zip(names, values, strict=True)))


def _split(line: str, delimiter: str) -> list[str] | None:
    try:
        return next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return None


def _counted(found: int, wanted: int) -> Text:
    return Text(
        f"{found} columns where the header has {wanted}: check delimiters and quotes",
        f"столбцов {found}, а в заголовке {wanted}: проверьте разделители и кавычки",
    )


def _skip_rest(file: BinaryIO) -> None:
    while (piece := file.readline(LINE_BYTES_MAX)) and not piece.endswith(b"\n"):
        pass
