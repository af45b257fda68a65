"""Reads the daily register: the rows count only once the total below them was found true.

A title in two languages that names the day or days, a line of nothing, the names of the columns,
the rows, ``ИТОГО``. The variant for shops that also take cards has more columns at the end and
shows the cards' rows, which count in the total and are left out.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

from gateway_sbp.registers.cells import days, plain, rows
from gateway_sbp.registers.columns import AMOUNT, FEE, Columns
from gateway_sbp.registers.entries import Entry, Expected, Sheet
from shared.errors import Text
from shared.gateway.provider import Kind
from shared.gateway.register import WrongRegister
from shared.money import Money

ABOVE_MAX: Final = 30
"""Lines that may stand above the names of the columns."""
DAYS_MAX: Final = 366
_TOTAL: Final = ("итого", "total")


def read_table(said: io.StringIO, name: str, expected: Expected) -> Sheet:
    """Return what a register holds; raises WrongRegister, then nothing of it may be taken."""
    table = _Table(expected, days(name))
    for line, cells in rows(said):
        table.take(line, cells)
    return table.end()


@dataclass(slots=True)
class _Table:
    expected: Expected
    named: list[date]
    """The days of the title, or of the file's name."""
    titled: bool = False
    columns: Columns | None = None
    entries: list[Entry] = field(default_factory=list)
    sums: dict[tuple[Kind, str], int] = field(default_factory=dict)
    rows: int = 0
    skipped: int = 0
    totals: bool = False

    def take(self, line: int, cells: Sequence[str]) -> None:
        first = next((cell.strip() for cell in cells if cell.strip()), "")
        if self.columns is None:
            self._above(line, cells, first)
        elif not first:
            return
        elif self.totals:
            raise WrongRegister(
                "a row below the total: the file was put together by hand, send it as it came",
                "строка ниже итога: файл собран вручную, пришлите его таким, каким он пришёл",
                line,
            )
        elif plain(first).startswith(_TOTAL):
            self.totals = True
            self._compare(self.columns, line, cells)
        else:
            self._row(self.columns, line, cells)

    def end(self) -> Sheet:
        if self.columns is None:
            raise _no_columns(None)
        if not self.totals:
            raise WrongRegister(
                f"cut off after {self.rows} rows, “ИТОГО” is missing: send the file again",
                f"файл оборван после {self.rows} строк, нет «ИТОГО»: пришлите его ещё раз",
            )
        told = {entry.day for entry in self.entries} | set(self._span())
        if not told:
            raise WrongRegister(
                "the register does not say its day: keep its first line",
                "в реестре нет даты: сохраните его первую строку",
            )
        shops = {entry.shop for entry in self.entries} or set(self.expected.merchants.values())
        if len(shops) > 1 and not self.entries:
            raise WrongRegister(
                "a register without rows does not say its merchant: there is nothing to take",
                "реестр без строк не называет мерчанта: принимать нечего",
            )
        skipped = f"rows of cards that were left out: {self.skipped}"
        notes = (Text(skipped, f"пропущено строк по картам: {self.skipped}"),)
        return Sheet(
            tuple(self.entries),
            tuple(sorted(shops)),
            tuple(sorted(told)),
            notes=notes if self.skipped else (),
        )

    def _above(self, line: int, cells: Sequence[str], first: str) -> None:
        self.columns = Columns.of(line, cells)
        if self.columns is not None:
            return
        if line > ABOVE_MAX:
            raise _no_columns(line)
        if first and not self.titled:
            self.titled = True
            self.named = days(" ".join(cells)) or self.named

    def _row(self, columns: Columns, line: int, cells: Sequence[str]) -> None:
        columns.check_width(line, cells)
        kind = columns.kind(line, cells)
        for name in (AMOUNT, FEE):
            amount = abs(columns.amount(line, cells, name) or 0)
            self.sums[kind, name] = self.sums.get((kind, name), 0) + amount
        self.rows += 1
        if columns.by_sbp(cells):
            self.entries.append(columns.entry(line, cells, self.expected))
        else:
            self.skipped += 1

    def _compare(self, columns: Columns, line: int, cells: Sequence[str]) -> None:
        """Whether refunds count in the total, and with which sign, the bank does not say."""
        for name in (AMOUNT, FEE):
            stated = columns.amount(line, cells, name)
            paid, back = (self.sums.get((kind, name), 0) for kind in (Kind.PAYMENT, Kind.REFUND))
            absent = stated is None and name == FEE
            if absent or stated in (paid + back, paid - back, paid):
                continue
            told = "-" if stated is None else str(Money(stated))
            raise WrongRegister(
                f"the total of “{name}” says {told}, the rows give {Money(paid + back)}:"
                " send the file again",
                f"в итоге «{name}» {told}, а в строках {Money(paid + back)}: пришлите файл ещё раз",
                line,
            )

    def _span(self) -> list[date]:
        """Return every day from the first to the last that the title names."""
        if not self.named:
            return []
        first, last = min(self.named), max(self.named)
        length = (last - first).days + 1
        if length > DAYS_MAX:
            raise WrongRegister(
                f"more than {DAYS_MAX} days: order a register for each month",
                f"больше {DAYS_MAX} дней: закажите реестр за каждый месяц отдельно",
            )
        return [first + timedelta(days=one) for one in range(length)]


def _no_columns(line: int | None) -> WrongRegister:
    return WrongRegister(
        "no line with the names of the columns: is this a register of the bank?",
        "нет строки с названиями столбцов: это реестр банка?",
        line,
    )
