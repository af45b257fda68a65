"""What subscribers read: texts in Russian and English from templates, nothing else.

The money is formatted as its reader expects it. An SMS is written for a small space: Russian
letters leave 67 characters to each of its parts, so two parts hold 134; English stays within the
GSM alphabet, which has neither the rouble sign nor the long minus.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from pydantic import AwareDatetime, BaseModel, ConfigDict

from shared.clock import MOSCOW
from shared.errors import Language

Kind = Literal["payment", "low_balance"]
"""What a message is about; also the name of its templates."""

OPERATOR_LENGTH_MAX: Final = 20
"""Characters of the operator's name in an SMS; the rest would cost the subscriber a part."""


class Payment(BaseModel):
    """A payment has come: its amount, and how the contract stands after it. Kopecks."""

    model_config = ConfigDict(frozen=True)

    amount_kopecks: int
    balance_kopecks: int
    missing_kopecks: int
    """What is still to be paid until services go on; nothing where credit covers the balance."""
    paid_at: AwareDatetime


class LowBalance(BaseModel):
    """The balance went below the threshold: how it stands and what is needed. Kopecks."""

    model_config = ConfigDict(frozen=True)

    balance_kopecks: int
    needed_kopecks: int
    blocks_on: date | None = None
    """The day services stop, where that is known."""


Facts = Payment | LowBalance
FACTS: Final[dict[Kind, type[Payment | LowBalance]]] = {
    "payment": Payment,
    "low_balance": LowBalance,
}


@dataclass(frozen=True, slots=True)
class Reader:
    """For whom a text is written."""

    contract: str
    operator: str
    cabinet_url: str
    name: str = ""
    language: Language = "ru"
    timezone: str = MOSCOW.key


@dataclass(frozen=True, slots=True)
class Mail:
    """An e-mail's words, the same in both of its parts."""

    subject: str
    text: str
    html: str


def sms(kind: Kind, facts: Facts, reader: Reader, at: datetime) -> str:
    """Return the text of an SMS, on one line and with plain spaces only."""
    return _one_line(_write(kind, "sms.txt", facts, reader, at))


def mail(kind: Kind, facts: Facts, reader: Reader, at: datetime) -> Mail:
    """Return the subject, the plain text and the HTML of an e-mail."""
    return Mail(
        subject=_one_line(_write(kind, "subject.txt", facts, reader, at)),
        text=_write(kind, "txt", facts, reader, at).strip() + "\n",
        html=_write(kind, "html", facts, reader, at).strip() + "\n",
    )


def language(written: str) -> Language:
    """Return the language of our texts nearest to a subscriber's, `en-GB` or `ru`."""
    return "en" if written.lower().startswith("en") else "ru"


def money(kopecks: int, language: Language) -> str:
    """Return an amount as its reader writes it: `−1 200,00 ₽`, or `-1,200.00` without its unit."""
    number = format_decimal(Decimal(abs(kopecks)).scaleb(-2), "#,##0.00", locale=language)
    if language == "en":
        return f"{'-' if kopecks < 0 else ''}{number}"
    return f"{'−' if kopecks < 0 else ''}{number}\N{NO-BREAK SPACE}₽"


_DAYS: Final[dict[Language, dict[str, str]]] = {
    "ru": {"one": "день", "few": "дня", "many": "дней", "other": "дня"},
    "en": {"one": "day", "other": "days"},
}


def days(number: int, language: Language) -> str:
    """Return a number of days with the word in its form: `1 день`, `3 дня`, `11 дней`."""
    form = Locale(language).plural_form(number)
    return f"{number}\N{NO-BREAK SPACE}{_DAYS[language][form]}"


def _write(kind: Kind, part: str, facts: Facts, reader: Reader, at: datetime) -> str:
    template = _templates().get_template(f"{reader.language}/{kind}.{part}")
    return template.render(_words(facts, reader, at))


def _words(facts: Facts, reader: Reader, at: datetime) -> dict[str, Any]:
    """Return what the templates may say, each thing formatted for the reader already."""
    here = _zone(reader.timezone)
    operator = reader.operator.strip()
    words: dict[str, Any] = {
        "contract": reader.contract,
        "name": reader.name.strip(),
        "operator": operator,
        "operator_short": operator[:OPERATOR_LENGTH_MAX].rstrip(),
        "cabinet_url": reader.cabinet_url,
        "language": reader.language,
    }
    say = _sayer(reader.language)
    if isinstance(facts, Payment):
        when = facts.paid_at.astimezone(here)
        return words | {
            "amount": say(facts.amount_kopecks),
            "balance": say(facts.balance_kopecks),
            "missing": say(facts.missing_kopecks) if facts.missing_kopecks > 0 else "",
            "paid_at": format_datetime(when, "d MMMM y, HH:mm", locale=reader.language),
        }
    return words | {
        "balance": say(facts.balance_kopecks),
        "needed": say(facts.needed_kopecks),
        **_deadline(facts.blocks_on, at.astimezone(here).date(), reader.language),
    }


def _deadline(blocks_on: date | None, today: date, language: Language) -> dict[str, str]:
    if blocks_on is None:
        return {"blocks_on": "", "blocks_on_short": "", "days_left": ""}
    left = (blocks_on - today).days
    short = "dd.MM" if language == "ru" else "d MMM"
    return {
        "blocks_on": format_date(blocks_on, "d MMMM y", locale=language),
        "blocks_on_short": format_date(blocks_on, short, locale=language),
        "days_left": days(left, language) if left > 0 else "",
    }


def _sayer(language: Language) -> Callable[[int], str]:
    return lambda kopecks: money(kopecks, language)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return MOSCOW


def _one_line(text: str) -> str:
    # split() takes no-break spaces for spaces, too; some SMS gateways print a question mark there.
    return " ".join(text.split())


@lru_cache(maxsize=1)
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("notifier"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
