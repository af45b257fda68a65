"""Reads a statement in the format 1CClientBankExchange: what the purposes of its lines say of SBP.

Sums are gross, commissions are lines of their own. A purpose names the code and the payer's
telephone in brackets, after a number that may be the transaction's: the bank does not say so.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Final

from gateway_sbp.registers.cells import check_length, days, kopecks
from gateway_sbp.registers.entries import Entry, Expected, Sheet
from shared.clock import MOSCOW
from shared.errors import Text
from shared.gateway.provider import Kind
from shared.gateway.register import WrongRegister
from shared.money import Money

FIRST_LINE: Final = "1CClientBankExchange"
FIELDS_MAX: Final = 200
"""Fields of one document."""
SHOWN_MAX: Final = 20
"""Lines that could not be placed and are named; the rest are counted."""

_BEGINS: Final = ("СекцияДокумент",)
_ENDS: Final = ("КонецДокумента", "КонецФайла", "КонецВыписки")
_WHOLE: Final = ("КонецФайла", "КонецВыписки")
_FEE: Final = re.compile(r"\bIPS\s+FEE\b")
_ABOUT_SBP: Final = re.compile(r"\b(?:IPS|RTRN)\b")
_MOVED: Final = re.compile(
    r"\b(?P<what>IPS|RTRN)\s+(?P<merchant>[0-9A-Za-z]{1,32})\b.*?"
    r"\[\s*(?P<number>[^\[\]\s]{1,32})\s+-\s+(?P<qr>[0-9A-Za-z]{8,64})\s+-\s+[^\]]{0,32}\]"
    r"(?P<rest>.*)",
    re.DOTALL,
)

Document = tuple[int, Mapping[str, str]]


def read_statement(said: io.StringIO, expected: Expected) -> Sheet:
    """Return what a statement says of SBP; raises WrongRegister for one of which nothing counts."""
    found = _Statement(expected)
    for document in _documents(said, found.head):
        found.take(document)
    return found.end()


@dataclass(slots=True)
class _Statement:
    expected: Expected
    head: dict[str, list[str]] = field(default_factory=dict)
    """What stands outside of documents; accounts repeat their names."""
    entries: list[Entry] = field(default_factory=list)
    fees: int = 0
    lost: list[str] = field(default_factory=list)
    """The numbers of documents that speak of SBP and could not be placed."""
    foreign: set[str] = field(default_factory=set)
    moved: dict[str, int] = field(default_factory=lambda: {"ДатаПоступило": 0, "ДатаСписано": 0})

    def take(self, document: Document) -> None:
        line, said = document
        amount = kopecks(line, said.get("Сумма", ""), "Сумма")
        for way in self.moved:
            self.moved[way] += amount if said.get(way) else 0
        purpose = _purpose(said)
        if _FEE.search(purpose):
            self.fees += amount
            return
        match = _MOVED.search(purpose)
        if match is None or amount <= 0:
            if _ABOUT_SBP.search(purpose):
                self.lost.append(said.get("Номер", "?")[:20])
            return
        shop = self.expected.merchants.get(match["merchant"])
        if shop is None:
            self.foreign.add(match["merchant"])
            return
        day = _day(line, said, match["rest"])
        self.entries.append(
            Entry(
                line=line,
                shop=shop,
                kind=Kind.REFUND if match["what"] == "RTRN" else Kind.PAYMENT,
                at=datetime.combine(day, time(), MOSCOW).astimezone(UTC),
                amount_kopecks=amount,
                qr_id=match["qr"],
                number=match["number"],
            )
        )

    def end(self) -> Sheet:
        self._check_whole()
        if not self.entries:
            found = ", ".join(sorted(self.foreign)[:SHOWN_MAX])
            more = (f" (of other merchants: {found})", f" (чужие мерчанты: {found})")
            en, ru = more if self.foreign else ("", "")
            raise WrongRegister(
                f"no payment through SBP of ours in this statement{en}: nothing was taken",
                f"в выписке нет наших платежей через СБП{ru}: ничего не принято",
            )
        return Sheet(
            tuple(self.entries),
            tuple(sorted({entry.shop for entry in self.entries})),
            tuple(sorted({entry.day for entry in self.entries})),
            partial=True,
            notes=tuple(self._notes()),
        )

    def _check_whole(self) -> None:
        """Refuse what was cut off: no last line, and less in it than it says itself."""
        if any(word in self.head for word in _WHOLE):
            return
        totals = {"ДатаПоступило": "ВсегоПоступило", "ДатаСписано": "ВсегоСписано"}
        for way, total in totals.items():
            said = [kopecks(1, value, total) for value in self.head.get(total, ()) if value]
            if said and sum(said) != self.moved[way]:
                raise WrongRegister(
                    f"cut off: {total} says {Money(sum(said))}, its lines give"
                    f" {Money(self.moved[way])}: send the file again",
                    f"файл оборван: {total} — {Money(sum(said))}, а в строках"
                    f" {Money(self.moved[way])}: пришлите его ещё раз",
                )

    def _notes(self) -> Iterator[Text]:
        if self.fees:
            fees = Money(self.fees)
            yield Text(f"commissions of SBP: {fees}", f"комиссии СБП: {fees}")
        if self.foreign:
            found = ", ".join(sorted(self.foreign)[:SHOWN_MAX])
            yield Text(
                f"lines of other merchants were left out: {found}",
                f"пропущены строки других мерчантов: {found}",
            )
        if self.lost:
            found = f"{', '.join(self.lost[:SHOWN_MAX])} ({len(self.lost)})"
            yield Text(
                f"could not be placed, look at these documents: {found}",
                f"не разобраны, посмотрите эти документы: {found}",
            )


def _documents(said: io.StringIO, head: dict[str, list[str]]) -> Iterator[Document]:
    """Return the documents; one may end where the next begins, or with the file."""
    begun: tuple[int, dict[str, str]] | None = None
    for line, text in enumerate(said, 1):
        check_length(line)
        key, _, value = text.strip().partition("=")
        if key in (*_BEGINS, *_ENDS):
            if begun is not None:
                yield begun
            begun = (line, {}) if key in _BEGINS else None
        if begun is None:
            head.setdefault(key, []).append(value.strip())
        elif len(begun[1]) < FIELDS_MAX:
            begun[1].setdefault(key, value.strip())
    if begun is not None:
        yield begun


def _purpose(said: Mapping[str, str]) -> str:
    parts: Sequence[str] = [said.get(f"НазначениеПлатежа{n}", "") for n in ("", *range(1, 7))]
    return " ".join(part for part in parts if part)


def _day(line: int, said: Mapping[str, str], rest: str) -> date:
    """Return the day of the operation, which its purpose says; else the day it was booked."""
    for told in (
        rest,
        said.get("ДатаПоступило", ""),
        said.get("ДатаСписано", ""),
        said.get("Дата", ""),
    ):
        if found := days(told):
            return found[0]
    raise WrongRegister(
        "a document without a date: send the statement again",
        "документ без даты: пришлите выписку ещё раз",
        line,
    )
