"""The words of a register: its title, its columns in any order, its totals.

No published format names them all: they are known from a fixture and three independent parsers,
and the set and the order of columns are each shop's own choice. So a column is found by its name,
and only those without which a row means nothing have to be there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from shared.gateway.provider import Kind
from shared.gateway.register import WrongRegister

PAYMENT_ID: Final = "идентификатор платежа"
REFUND_ID: Final = "идентификатор возврата"


@dataclass(frozen=True, slots=True)
class Names:
    """What the columns of one kind of register are called."""

    id: str
    amount: str
    currency: str
    needed: tuple[str, ...]
    net: str = "сумма за вычетом комиссии и ндс"
    fee: str = "сумма комиссии без ндс"
    vat: str = "ндс с комиссии"


NAMES: Final[Mapping[Kind, Names]] = {
    Kind.PAYMENT: Names(
        PAYMENT_ID, "сумма платежа", "валюта платежа", needed=(PAYMENT_ID, "сумма платежа")
    ),
    Kind.REFUND: Names(
        REFUND_ID,
        "сумма возврата",
        "валюта возврата",
        needed=(REFUND_ID, PAYMENT_ID, "сумма возврата"),
    ),
}

_KINDS: Final = {"платеж": Kind.PAYMENT, "возврат": Kind.REFUND}
_TITLE: Final = re.compile(r"реестр (?P<kind>платеж|возврат)\w* .*\((?P<shop>\d{1,20})\)")
_DAY: Final = re.compile(r"дата (?:платеж|возврат)\w*:\s*(?P<said>.*)")
_DATE: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)|(\d\d)\.(\d\d)\.(\d{4})", re.ASCII)
_NAME: Final = re.compile(
    r"yoomoney-(?P<kind>payment|refund)s-(?P<shop>\d{1,20})-(?P<day>\d{4}-\d\d-\d\d)", re.ASCII
)
_TOTAL: Final = re.compile(
    r"(?P<what>сумма|число) (?:принятых )?(?:платежей|возвратов)(?P<net> за вычетом[^:]*)?"
    r":?\s+(?P<value>[\d\s.,]+?)\s*(?:rub|руб\.?)?"
)


def plain(cell: str) -> str:
    """Return a text as it is compared: one blank between words, no capitals, no ё."""
    return " ".join(cell.split()).lower().replace("ё", "е")


@dataclass(slots=True)
class Head:
    """What a file says of itself before its rows, or by its own name."""

    kind: Kind | None = None
    account: str | None = None
    day: date | None = None

    @classmethod
    def of_name(cls, name: str) -> Head:
        """Return what a file's name says; nothing where it was renamed."""
        match = _NAME.search(name)
        if match is None:
            return cls()
        kind = Kind.PAYMENT if match["kind"] == "payment" else Kind.REFUND
        return cls(kind, match["shop"], _day(match["day"], None))

    def hear(self, line: int, text: str) -> None:
        """Take in a line above the columns; raises WrongRegister for a day that is none."""
        said = plain(text)
        if match := _TITLE.fullmatch(said):
            self.kind, self.account = _KINDS[match["kind"]], match["shop"]
        elif match := _DAY.fullmatch(said):
            self.day = _day(match["said"], line)


def header(cells: Sequence[str]) -> Kind | None:
    """Say which kind of register these names of columns belong to; None for any other line."""
    named = {plain(cell) for cell in cells}
    if REFUND_ID in named:
        return Kind.REFUND
    return Kind.PAYMENT if PAYMENT_ID in named else None


def places(line: int, cells: Sequence[str], kind: Kind) -> dict[str, int]:
    """Return where each column stands; raises WrongRegister where one is missing or doubled."""
    found: dict[str, int] = {}
    for place, cell in enumerate(cells):
        name = plain(cell)
        if name in found and name:
            raise WrongRegister(
                f"the column “{cell.strip()}” stands there twice: order the register anew",
                f"столбец «{cell.strip()}» указан дважды: закажите реестр заново",
                line,
            )
        found[name] = place
    missing = [name for name in NAMES[kind].needed if name not in found]
    if missing:
        listed = ", ".join(missing)
        raise WrongRegister(
            f"no such column: {listed}; switch it on in the register's settings at the provider",
            f"нет столбца: {listed}; включите его в настройках реестра у провайдера",
            line,
        )
    return found


@dataclass(frozen=True, slots=True)
class Total:
    """One line of totals below the rows."""

    what: str
    """``count``, ``amount`` or ``net``."""
    value: str


def total(text: str) -> Total | None:
    """Read a line of totals; None for any other line."""
    match = _TOTAL.fullmatch(plain(text))
    if match is None:
        return None
    if match["what"] == "число":
        return Total("count", match["value"])
    return Total("net" if match["net"] else "amount", match["value"])


def _day(said: str, line: int | None) -> date:
    days = {_date(match) for match in _DATE.finditer(said)}
    if len(days) == 1 and None not in days:
        return next(day for day in days if day is not None)
    raise WrongRegister(
        f"one day is expected, not “{said[:40]}”: order a register for each day",
        f"нужна одна дата, а не «{said[:40]}»: закажите реестр за каждый день отдельно",
        line,
    )


def _date(match: re.Match[str]) -> date | None:
    year, month, day, *turned = match.groups()
    if year is None:
        day, month, year = turned
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None
