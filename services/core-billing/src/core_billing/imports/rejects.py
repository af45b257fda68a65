"""The report of an import: what could not be taken, and what to do about it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Final, NamedTuple

from shared.errors import FieldError

_HEADER: Final = ("line", "number", "field", "what to do", "что сделать")


class Rejected(NamedTuple):
    """A line of the file, the contract's number where it was readable, and what is wrong."""

    line: int
    number: str
    fields: Sequence[FieldError]


class Rejects:
    """The report: a CSV file that spreadsheets open, made when the first line is rejected."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIOWrapper | None = None

    def __enter__(self) -> Rejects:
        self._path.unlink(missing_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, rejected: Rejected) -> None:
        """Write what is wrong with a line, one row for each field."""
        is_first = self._file is None
        file = self._file or self._path.open("w", encoding="utf-8-sig", newline="")
        self._file = file
        writer = csv.writer(file, delimiter=";")
        if is_first:
            writer.writerow(_HEADER)
        for item in rejected.fields:
            text = item.text
            writer.writerow((rejected.line, rejected.number, item.field, text.en, text.ru))
