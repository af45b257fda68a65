"""Files for spreadsheets: CSV a piece at a time, and workbooks.

Sums are numbers and days are dates for whoever opens them. What people have written stays text:
a program for tables would compute a cell that begins like a formula.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import IO, Any, Final, Literal

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell

from shared.money import Money

Format = Literal["csv", "xlsx"]
Encoding = Literal["utf-8", "cp1251"]
Cell = str | int | Money | datetime | date | None
"""A moment is given in the zone of whoever reads it, and without the zone."""
Line = Sequence[Cell]

MEDIA: Final[dict[Format, str]] = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
ROWS_MAX: Final[dict[Format, int]] = {"csv": 1_000_000, "xlsx": 200_000}
"""A row of a sheet costs half a millisecond of a processor that others need, too."""
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
_UNWRITABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_SUM: Final = "# ##0.00"
_MOMENT: Final = "dd.mm.yyyy hh:mm:ss"
_DAY: Final = "dd.mm.yyyy"


def csv_bytes(lines: Iterable[Line], encoding: Encoding, *, begins: bool = False) -> bytes:
    """Return lines of a CSV file: `;`, quoted, a decimal comma.

    The first piece of a file in UTF-8 begins with its mark, without which spreadsheets take it for
    another encoding. What CP1251 lacks becomes a question mark.
    """
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerows([_text(cell) for cell in line] for line in lines)
    mark = "\ufeff" if begins and encoding == "utf-8" else ""
    return (mark + out.getvalue()).encode(encoding, errors="replace")


class Sheet:
    """A workbook of one sheet, written line by line to a file beside; for use in a thread."""

    def __init__(self, titles: Sequence[str]) -> None:
        self._book = Workbook(write_only=True)
        self._sheet = self._book.create_sheet()
        self._sheet.append([self._cell(title) for title in titles])

    def append(self, lines: Iterable[Line]) -> None:
        """Write lines."""
        for line in lines:
            self._sheet.append([self._cell(cell) for cell in line])

    def save(self, file: IO[bytes]) -> None:
        """Put the finished workbook into a file."""
        self._book.save(file)

    def close(self) -> None:
        """Let an unfinished workbook go, with the file beside, which only saving would remove."""
        self._sheet.close()
        self._sheet._writer.cleanup()

    def _cell(self, value: Cell) -> Any:
        if isinstance(value, str):
            cell = WriteOnlyCell(self._sheet, _UNWRITABLE.sub(" ", value))
            cell.data_type = "s"
            return cell
        if not isinstance(value, Money | date):
            return value
        is_sum = isinstance(value, Money)
        cell = WriteOnlyCell(self._sheet, Decimal(str(value)) if is_sum else value)
        cell.number_format = _SUM if is_sum else _MOMENT if isinstance(value, datetime) else _DAY
        return cell


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, Money):
        return str(cell).replace(".", ",")
    if isinstance(cell, datetime):
        return cell.strftime("%d.%m.%Y %H:%M:%S")
    if isinstance(cell, date):
        return cell.strftime("%d.%m.%Y")
    if isinstance(cell, int):
        return str(cell)
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
