"""Text files as lines, amounts and moments as the bank writes them: pure.

The bank's own files are in Windows-1251; one that was opened and saved again may be in UTF-8, and a
statement in what DOS had. Everything has a limit, and a file of another kind is refused at once.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import IO, Final

from shared.clock import MOSCOW
from shared.gateway.register import WrongRegister
from shared.money import Money, MoneyError

LINES_MAX: Final = 200_000
"""Entries are held in memory until the totals are compared; a day of a large provider fits."""

_BLANKS: Final = re.compile(r"[\s\u00a0\u202f']")
_MOMENT: Final = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})\s+(\d{1,2}):(\d\d)(?::\d\d)?", re.ASCII)
_DAY: Final = re.compile(r"(?<!\d)(\d{1,2})[./](\d{1,2})[./](\d{4}|\d\d)(?!\d)", re.ASCII)
_HEAD: Final = 4096


def plain(cell: str) -> str:
    """Return a text as it is compared: one blank between words, no capitals, no ё."""
    return " ".join(cell.split()).lower().replace("ё", "е")


def text(file: IO[bytes]) -> io.StringIO:
    """Return what a file says; raises WrongRegister where it is no text."""
    body = file.read()
    if not body.strip():
        raise WrongRegister("the file is empty: send it anew", "файл пуст: пришлите его заново")
    if b"\0" in body or body.startswith(b"PK"):
        raise WrongRegister(
            "this is no text: send the register as the bank sent it, not packed and not as a table",
            "это не текст: пришлите реестр таким, каким его прислал банк, не архив и не таблицу",
        )
    encodings = ["utf-8-sig", "cp866" if _in_dos(body[:_HEAD]) else "cp1251"]
    for encoding in encodings:
        try:
            return io.StringIO(body.decode(encoding), newline="")
        except UnicodeDecodeError:
            continue
    raise WrongRegister(
        "neither UTF-8 nor Windows-1251: send the file as the bank sent it",
        "ни UTF-8, ни Windows-1251: пришлите файл таким, каким его прислал банк",
    )


def rows(said: io.StringIO) -> Iterator[tuple[int, Sequence[str]]]:
    """Return the lines of a table with their numbers; raises WrongRegister."""
    reader = csv.reader(said, delimiter=";", quotechar='"', strict=True)
    try:
        for cells in reader:
            check_length(reader.line_num)
            yield reader.line_num, cells
    except csv.Error as error:
        raise WrongRegister(
            "a quotation mark is not closed, the file may be cut off: send it again",
            "не закрыта кавычка, файл мог оборваться: пришлите его ещё раз",
            reader.line_num,
        ) from error


def check_length(line: int) -> None:
    """Raise WrongRegister for a line beyond the limit."""
    if line > LINES_MAX:
        raise WrongRegister(
            f"more than {LINES_MAX} lines: order a register for each day",
            f"больше {LINES_MAX} строк: закажите реестр за каждый день отдельно",
            line,
        )


def kopecks(line: int, cell: str, column: str) -> int:
    """Read an amount of either sign, with a dot or a comma, thousands set apart or not."""
    try:
        return Money.parse(_BLANKS.sub("", cell).replace(",", ".")).kopecks
    except MoneyError:
        raise WrongRegister(
            f"“{cell[:32]}” in “{column}” is no amount such as 650.00: send the file again",
            f"«{cell[:32]}» в «{column}» — не сумма вида 650.00: пришлите файл ещё раз",
            line,
        ) from None


def minute(line: int, cell: str) -> datetime:
    """Read a moment in Moscow such as ``3.02.2026 0:23``; seconds are left out."""
    match = _MOMENT.fullmatch(cell.strip())
    try:
        if match is None:
            raise ValueError(cell)
        day, month, year, hour, minutes = map(int, match.groups())
        return datetime(year, month, day, hour, minutes, tzinfo=MOSCOW).astimezone(UTC)
    except ValueError:
        raise WrongRegister(
            f"“{cell[:32]}” is no time such as 03.02.2026 14:05: send the file again",
            f"«{cell[:32]}» — не время вида 03.02.2026 14:05: пришлите файл ещё раз",
            line,
        ) from None


def days(said: str) -> list[date]:
    """Return the days that a text names, such as ``10/12/2020`` or ``24.03.21``: day first."""
    found = []
    for day, month, year in _DAY.findall(said):
        try:
            found.append(date(int(year) + (2000 if len(year) == 2 else 0), int(month), int(day)))
        except ValueError:
            continue
    return found


def _in_dos(head: bytes) -> bool:
    return any(line.rstrip().upper().endswith(b"=DOS") for line in head.splitlines())
