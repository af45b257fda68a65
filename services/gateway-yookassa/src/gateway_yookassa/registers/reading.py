"""Reads a register: every row is handed on, then the totals are compared, and only then is it true.

Whoever takes the rows keeps them aside until `read` has returned: a file with a wrong total, cut
off in the middle or with a row twice is refused whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import IO, Final

from gateway_yookassa.registers.cells import Lines
from gateway_yookassa.registers.columns import Head, Total, header, places, total
from gateway_yookassa.registers.rows import BLANKS, Columns, kopecks
from gateway_yookassa.wire.words import shop_name
from shared.gateway.register import Register, Row, WrongRegister
from shared.money import Money

ABOVE_MAX: Final = 30
"""Lines that may stand above the names of the columns."""

_COUNT: Final = re.compile(r"\d{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Expected:
    """Whose registers these may be, and what stands below their rows."""

    shops: Collection[str]
    totals: bool = True
    """Whether a CSV without its totals counts as cut off; an XLSX may always lack them."""


def read(file: IO[bytes], name: str, expected: Expected, put: Callable[[Row], None]) -> Register:
    """Hand on each row of a register and return what all of it says; raises WrongRegister."""
    reader = _Reader(Head.of_name(name), expected, put)
    lines = Lines(file)
    for number, cells in lines:
        reader.take(number, cells)
    return reader.end(need_totals=expected.totals and not lines.sheet)


@dataclass(slots=True)
class _Reader:
    head: Head
    expected: Expected
    put: Callable[[Row], None]
    columns: Columns | None = None
    rows: int = 0
    amount: int = 0
    net: int | None = 0
    totals: dict[str, tuple[int, Total]] = field(default_factory=dict)
    ended: bool = False
    seen: set[str] = field(default_factory=set)
    shop: str = ""

    def take(self, line: int, cells: Sequence[str]) -> None:
        filled = [cell.strip() for cell in cells if cell.strip()]
        if self.columns is None:
            self._above(line, cells, filled)
        elif not filled:
            self.ended = True
        elif (found := total(" ".join(filled))) is not None:
            self.ended = True
            self.totals[found.what] = (line, found)
        elif self.ended:
            raise WrongRegister(
                "a row below the end of the rows: the file was put together by hand, order it anew",
                "строка после конца таблицы: файл собран вручную, закажите реестр заново",
                line,
            )
        else:
            self._row(self.columns, line, cells)

    def end(self, *, need_totals: bool) -> Register:
        columns, day = self.columns, self.head.day
        if columns is None:
            raise WrongRegister(
                "no line with the names of the columns: send the register as it came",
                "нет строки с названиями столбцов: пришлите реестр таким, каким он пришёл",
            )
        if day is None:
            raise WrongRegister(
                "the register does not say its day: keep its first lines and its file name",
                "в реестре нет даты: сохраните его первые строки и имя файла",
            )
        if need_totals and not {"count", "amount"} <= self.totals.keys():
            raise WrongRegister(
                f"cut off after {self.rows} rows, the totals are missing: send the file again",
                f"файл оборван после {self.rows} строк, нет итогов: пришлите его ещё раз",
            )
        self._compare_totals()
        return Register(self.shop, columns.kind, day, self.rows, self.amount)

    def _above(self, line: int, cells: Sequence[str], filled: Sequence[str]) -> None:
        kind = header(cells)
        if kind is None:
            if line > ABOVE_MAX:
                raise WrongRegister(
                    "no line with the names of the columns: is this a register in UTF-8 or"
                    " Windows-1251, separated by semicolons?",
                    "нет строки с названиями столбцов: это реестр в UTF-8 или Windows-1251 с"
                    " точкой с запятой?",
                    line,
                )
            self.head.hear(line, " ".join(filled))
            return
        if self.head.kind not in (None, kind):
            raise WrongRegister(
                "the title and the columns are of different registers: order it anew",
                "заголовок и столбцы от разных реестров: закажите реестр заново",
                line,
            )
        self.head.kind = kind
        self.shop = self._own_shop(line)
        self.columns = Columns(kind, len(cells), places(line, cells, kind))

    def _own_shop(self, line: int) -> str:
        if self.head.account is None:
            raise WrongRegister(
                "the register does not say its shop: keep its first lines and its file name",
                "в реестре нет магазина: сохраните его первые строки и имя файла",
                line,
            )
        shop = shop_name(self.head.account)
        if shop not in self.expected.shops:
            raise WrongRegister(
                f"this is the register of another shop, {self.head.account}: nothing was taken",
                f"это реестр другого магазина, {self.head.account}: ничего не принято",
            )
        return shop

    def _row(self, columns: Columns, line: int, cells: Sequence[str]) -> None:
        row = columns.row(line, cells)
        if row.id in self.seen:
            raise WrongRegister(
                f"{row.id} stands there twice: order the register anew",
                f"{row.id} указан дважды: закажите реестр заново",
                line,
            )
        self.seen.add(row.id)
        self.rows += 1
        self.amount += row.amount_kopecks
        known = self.net is not None and row.net_kopecks is not None
        self.net = (self.net or 0) + (row.net_kopecks or 0) if known else None
        self.put(row)

    def _compare_totals(self) -> None:
        counted = {"count": self.rows, "amount": self.amount, "net": self.net}
        for what, (line, said) in self.totals.items():
            found = counted[what]
            stated = _count(line, said) if what == "count" else kopecks(line, said.value, "итог")
            if found is not None and stated != found:
                told, read_ = _shown(what, stated), _shown(what, found)
                raise WrongRegister(
                    f"the total says {told}, the rows give {read_}: send the file again",
                    f"в итоге {told}, а в строках {read_}: пришлите файл ещё раз",
                    line,
                )


def _count(line: int, said: Total) -> int:
    digits = BLANKS.sub("", said.value)
    if not _COUNT.fullmatch(digits):
        raise WrongRegister(
            f"“{said.value[:32]}” is no number of rows: send the file again",
            f"«{said.value[:32]}» — не число строк: пришлите файл ещё раз",
            line,
        )
    return int(digits)


def _shown(what: str, value: int) -> str:
    return str(value) if what == "count" else str(Money(value))
