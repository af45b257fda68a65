"""What a receipt is: a legal entity's terms, an amount, a day and somebody to send it to.

Pure, and free of any provider's codes. The words are those of the fiscal document format 1.2 (order
ЕД-7-20/662@ of the Federal Tax Service) and of federal law 54-FZ. Nothing is summed up or shared
out here but whole kopecks; the tax itself is counted by the cash register, from the rate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

import orjson

from shared.errors import FieldError, Text
from shared.gateway.vat import Rate, Vat, moscow_day, rate

TEXT_MAX: Final = 128
"""Characters in the name of a line, tag 1030."""


class TaxSystem(StrEnum):
    """A legal entity's tax system, tag 1055."""

    GENERAL = "osn"
    SIMPLIFIED = "usn_income"
    SIMPLIFIED_LESS_EXPENSES = "usn_income_expense"
    AGRICULTURAL = "eshn"
    PATENT = "patent"


class Mode(StrEnum):
    """How far a line is paid for, tag 1214."""

    FULL_PREPAYMENT = "full_prepayment"
    PARTIAL_PREPAYMENT = "partial_prepayment"
    ADVANCE = "advance"
    FULL_PAYMENT = "full_payment"

    @property
    def ahead(self) -> bool:
        """Say whether the money comes before the service, so that a second receipt is due."""
        return self is not Mode.FULL_PAYMENT


class Subject(StrEnum):
    """What a line is paid for, tag 1212."""

    COMMODITY = "commodity"
    JOB = "job"
    SERVICE = "service"
    PAYMENT = "payment"
    ANOTHER = "another"


class Measure(StrEnum):
    """What a quantity is counted in, tag 2108."""

    PIECE = "piece"
    DAY = "day"
    HOUR = "hour"
    GIGABYTE = "gigabyte"
    ANOTHER = "another"


class Tender(StrEnum):
    """How the sum of a receipt was settled, tags 1081 and 1215."""

    CASHLESS = "cashless"
    PREPAYMENT = "prepayment"


@dataclass(frozen=True, slots=True)
class Customer:
    """Where a receipt goes; kept encrypted wherever it is kept."""

    email: str | None = None
    phone: str | None = None
    """Such as ``+79161234567``."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a receipt."""

    text: str
    price_kopecks: int
    rate: Rate
    mode: Mode
    subject: Subject
    measure: Measure = Measure.PIECE
    quantity: int = 1

    @property
    def kopecks(self) -> int:
        """Return what the line comes to."""
        return self.price_kopecks * self.quantity

    def written(self) -> str:
        """Return it as it is stored; `read_line` reads that."""
        return orjson.dumps(self).decode()


@dataclass(frozen=True, slots=True)
class Settlement:
    """A part of a receipt's sum, and how it was settled."""

    tender: Tender
    kopecks: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt as it is sent, before it is put into a provider's words."""

    customer: Customer
    lines: tuple[Line, ...]
    settlements: tuple[Settlement, ...]
    tax_system: TaxSystem | None = None
    internet: bool = True
    """Whether it was paid over the Internet, tag 1125."""

    @property
    def kopecks(self) -> int:
        """Return the sum of its lines."""
        return sum(line.kopecks for line in self.lines)


@dataclass(frozen=True, slots=True)
class ReceiptTerms:
    """What a legal entity's accountant has decided about its receipts."""

    vat: Vat
    tax_system: TaxSystem | None = None
    email_needed: bool = True
    """Who delivers receipts sends letters only, so that a telephone alone is not enough."""
    email_max: int = 254
    """How long an address may be that receipts are sent to."""
    mode: Mode = Mode.ADVANCE
    subject: Subject = Subject.PAYMENT
    text: str = "Аванс за услуги связи"
    calculated_rate: bool = True
    """Whether an advance carries the calculated rate, such as 22/122."""
    offset_subject: Subject = Subject.SERVICE
    offset_text: str = "Услуги связи за {period}"
    """The line that uses an advance up; may hold `{service}` and `{period}`."""


class NoContact(ValueError):
    """There is nobody to send a fiscal receipt to, so what needs one must not be sent."""


_NEEDS_EMAIL: Final = Text(
    "an e-mail is needed: the receipt is sent there",
    "нужна электронная почта: на неё придёт чек",
)
_NEEDS_EITHER: Final = Text(
    "an e-mail or a telephone is needed: the receipt is sent there",
    "нужна электронная почта или телефон: туда придёт чек",
)


def missing(terms: ReceiptTerms, customer: Customer) -> FieldError | None:
    """Say what a customer must still tell to get receipts under these terms."""
    if customer.email and len(customer.email) > terms.email_max:
        most = terms.email_max
        return FieldError(
            "contact.email",
            Text(
                f"at most {most} characters: receipts go to no longer address",
                f"не длиннее {most} символов: на такой адрес чек не отправить",
            ),
        )
    if customer.email:
        return None
    if terms.email_needed:
        return FieldError("contact.email", _NEEDS_EMAIL)
    return None if customer.phone else FieldError("contact", _NEEDS_EITHER)


def payment_line(terms: ReceiptTerms, kopecks: int, at: datetime) -> Line:
    """Return the line of money that comes in at a moment; raises ValueError."""
    calculated = terms.calculated_rate and terms.mode.ahead
    return Line(
        text=terms.text[:TEXT_MAX],
        price_kopecks=_positive(kopecks),
        rate=rate(terms.vat, moscow_day(at), calculated=calculated),
        mode=terms.mode,
        subject=terms.subject,
    )


def part_of(line: Line, kopecks: int) -> Line:
    """Return the line of a part that goes back; raises ValueError.

    It keeps the rate of that line, whatever holds today: what is returned is the same advance.
    """
    return replace(line, price_kopecks=_positive(kopecks), quantity=1)


def offset_line(
    terms: ReceiptTerms, kopecks: int, at: datetime, *, service: str, period: str
) -> Line:
    """Return the line that uses an advance up when its service is rendered; raises ValueError.

    `at` is when it was rendered, which decides about the rate.
    """
    return Line(
        text=terms.offset_text.format(service=service, period=period)[:TEXT_MAX],
        price_kopecks=_positive(kopecks),
        rate=rate(terms.vat, moscow_day(at)),
        mode=Mode.FULL_PAYMENT,
        subject=terms.offset_subject,
    )


def settled(terms: ReceiptTerms, line: Line, tender: Tender, customer: Customer) -> Receipt:
    """Return the receipt of a line that is settled in one way; raises NoContact."""
    if missing(terms, customer) is not None:
        raise NoContact("a receipt without anybody to send it to")
    return Receipt(customer, (line,), (Settlement(tender, line.kopecks),), terms.tax_system)


def read_line(text: str) -> Line:
    """Return a stored line."""
    said = orjson.loads(text)
    return Line(
        text=said["text"],
        price_kopecks=said["price_kopecks"],
        rate=Rate(**said["rate"]),
        mode=Mode(said["mode"]),
        subject=Subject(said["subject"]),
        measure=Measure(said["measure"]),
        quantity=said["quantity"],
    )


def _positive(kopecks: int) -> int:
    if type(kopecks) is not int or kopecks <= 0:
        raise ValueError("a receipt is about a whole number of kopecks above zero")
    return kopecks
