"""The words of Raiffeisen's register. Source: the samples the bank publishes with its API.

Only payments are seen there: the word and the sign of a refund are not known, so any likely one is
taken, and what is unlikely refuses the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway_sbp.registers.cells import kopecks, minute, plain
from gateway_sbp.registers.entries import Entry, Expected
from shared.gateway.provider import Kind
from shared.gateway.register import WrongRegister

MERCHANT: Final = "мерчант"
MOMENT: Final = "дата операции мск"
TYPE: Final = "тип"
ORDER: Final = "id заказа"
REFUND: Final = "id возврата"
METHOD: Final = "способ оплаты"
DETAILS: Final = "данные оплаты"
AMOUNT: Final = "сумма"
FEE: Final = "комиссия"
NEEDED: Final = (MERCHANT, MOMENT, TYPE, ORDER, METHOD, DETAILS, AMOUNT)

_PAID: Final = ("payment", "pay", "purchase", "оплат", "платеж")
_BACK: Final = ("refund", "return", "reversal", "rtrn", "возврат", "отмена")
_SBP: Final = ("instant payment", "sbp", "сбп", "qr")


@dataclass(frozen=True, slots=True)
class Columns:
    """Where the columns stand."""

    places: dict[str, int]

    @classmethod
    def of(cls, line: int, cells: Sequence[str]) -> Columns | None:
        """Read the line with their names; None for any other line, raises where one is missing."""
        names = [plain(cell) for cell in cells]
        if MERCHANT not in names or AMOUNT not in names:
            return None
        missing = [name for name in NEEDED if name not in names]
        if missing:
            listed = ", ".join(missing)
            raise WrongRegister(
                f"no such column: {listed}; send the register as the bank sent it",
                f"нет столбца: {listed}; пришлите реестр таким, каким его прислал банк",
                line,
            )
        return cls({name: names.index(name) for name in (*NEEDED, REFUND, FEE) if name in names})

    def cell(self, cells: Sequence[str], name: str) -> str:
        """Return what stands in a column; empty where it is not there."""
        place = self.places.get(name, len(cells))
        return cells[place].strip() if place < len(cells) else ""

    def amount(self, line: int, cells: Sequence[str], name: str) -> int | None:
        """Return an amount with its sign; None where none is said."""
        said = self.cell(cells, name)
        return kopecks(line, said, name) if said else None

    def check_width(self, line: int, cells: Sequence[str]) -> None:
        """Raise WrongRegister for a line that is cut off."""
        width = max(self.places.values()) + 1
        if len(cells) < width:
            raise WrongRegister(
                f"{len(cells)} cells instead of {width}, the line is cut off: send the file again",
                f"{len(cells)} ячеек вместо {width}, строка оборвана: пришлите файл ещё раз",
                line,
            )

    def by_sbp(self, cells: Sequence[str]) -> bool:
        """Say whether a row is a payment through SBP; the others are cards."""
        said = plain(self.cell(cells, METHOD))
        return any(word in said for word in _SBP)

    def kind(self, line: int, cells: Sequence[str]) -> Kind:
        """Say what a row is about, by its word, or else by its sign or the id of a refund."""
        said = plain(self.cell(cells, TYPE))
        below = (self.amount(line, cells, AMOUNT) or 0) < 0
        if said.startswith(_BACK) or below:
            return Kind.REFUND
        if said.startswith(_PAID):
            return Kind.PAYMENT
        if self.cell(cells, REFUND):
            return Kind.REFUND
        raise WrongRegister(
            f"“{said[:32]}” is neither a payment nor a refund: show this line to the developers",
            f"«{said[:32]}» — не платёж и не возврат: покажите эту строку разработчикам",
            line,
        )

    def entry(self, line: int, cells: Sequence[str], expected: Expected) -> Entry:
        """Read a row; raises WrongRegister that names the line."""
        amount, fee = self.amount(line, cells, AMOUNT), self.amount(line, cells, FEE)
        if not amount:
            raise WrongRegister(
                "a row without an amount: send the file again",
                "строка без суммы: пришлите файл ещё раз",
                line,
            )
        return Entry(
            line=line,
            shop=self._shop(line, cells, expected),
            kind=self.kind(line, cells),
            at=minute(line, self.cell(cells, MOMENT)),
            amount_kopecks=abs(amount),
            qr_id=self.cell(cells, DETAILS),
            order=self.cell(cells, ORDER),
            refund=self.cell(cells, REFUND),
            fee_kopecks=None if fee is None else abs(fee),
        )

    def _shop(self, line: int, cells: Sequence[str], expected: Expected) -> str:
        merchant = self.cell(cells, MERCHANT)
        if merchant not in expected.merchants:
            raise WrongRegister(
                f"the register of another merchant, {merchant[:32]}: nothing was taken",
                f"реестр другого мерчанта, {merchant[:32]}: ничего не принято",
                line,
            )
        return expected.merchants[merchant]
