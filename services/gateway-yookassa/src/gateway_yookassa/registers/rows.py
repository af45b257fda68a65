"""One row of a register: its cells, found by the names of their columns."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway_yookassa.registers.columns import NAMES
from gateway_yookassa.wire.words import ID
from shared.gateway.provider import Kind
from shared.gateway.register import Row, WrongRegister
from shared.money import RUB, Money, MoneyError

BLANKS: Final = re.compile(r"[\s\u00a0\u202f']")


@dataclass(frozen=True, slots=True)
class Columns:
    """Where the columns of a register stand."""

    kind: Kind
    width: int
    places: Mapping[str, int]

    def row(self, line: int, cells: Sequence[str]) -> Row:
        """Read a row; raises WrongRegister that names the line and the column."""
        if len(cells) < self.width:
            raise WrongRegister(
                f"{len(cells)} cells instead of {self.width}, the line is cut off: send it again",
                f"{len(cells)} ячеек вместо {self.width}, строка оборвана: пришлите файл ещё раз",
                line,
            )
        names = NAMES[self.kind]
        currency = self._cell(line, cells, names.currency)
        if currency not in ("", RUB):
            raise WrongRegister(
                f"the currency {currency[:8]}: only registers in RUB are taken",
                f"валюта {currency[:8]}: принимаются только реестры в RUB",
                line,
            )
        amount = self._money(line, cells, names.amount)
        if not amount:
            raise WrongRegister(
                f"no amount in “{names.amount}”: order the register anew",
                f"нет суммы в столбце «{names.amount}»: закажите реестр заново",
                line,
            )
        return Row(
            kind=self.kind,
            id=self._id(line, cells, names.id),
            payment_id=self._id(line, cells, NAMES[Kind.PAYMENT].id),
            amount_kopecks=amount,
            net_kopecks=self._money(line, cells, names.net),
            fee_kopecks=self._money(line, cells, names.fee),
            vat_kopecks=self._money(line, cells, names.vat),
        )

    def _cell(self, line: int, cells: Sequence[str], column: str) -> str:
        place = self.places.get(column)
        cell = cells[place].strip() if place is not None and place < len(cells) else ""
        if cell.startswith("="):
            raise WrongRegister(
                f"a formula in “{column}”: save the file with values",
                f"формула в столбце «{column}»: сохраните файл со значениями",
                line,
            )
        return cell

    def _id(self, line: int, cells: Sequence[str], column: str) -> str:
        cell = self._cell(line, cells, column)
        if not ID.fullmatch(cell):
            raise WrongRegister(
                f"“{cell[:64]}” in “{column}” is no id: order the register anew",
                f"«{cell[:64]}» в столбце «{column}» — не идентификатор: закажите реестр заново",
                line,
            )
        return cell

    def _money(self, line: int, cells: Sequence[str], column: str) -> int | None:
        cell = self._cell(line, cells, column)
        return kopecks(line, cell, column) if cell else None


def kopecks(line: int, cell: str, column: str) -> int:
    """Read an amount with a dot or a comma, thousands set apart or not."""
    try:
        amount = Money.parse(BLANKS.sub("", cell).replace(",", "."))
    except MoneyError:
        amount = Money(-1)
    if amount < Money(0):
        raise WrongRegister(
            f"“{cell[:32]}” in “{column}” is no amount such as 650.00",
            f"«{cell[:32]}» в столбце «{column}» — не сумма вида 650,00",
            line,
        )
    return amount.kopecks
