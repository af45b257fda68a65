"""Money, days and moments as their reader writes them. Pure."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal

from shared.clock import MOSCOW
from shared.errors import Language

_SHORT_DAY: Final[dict[Language, str]] = {"ru": "dd.MM", "en": "d MMM"}
_DAYS: Final[dict[Language, dict[str, str]]] = {
    "ru": {"one": "день", "few": "дня", "many": "дней", "other": "дня"},
    "en": {"one": "day", "other": "days"},
}


def language(written: str) -> Language:
    """Return the language of our texts nearest to a subscriber's, `en-GB` or `ru`."""
    return "en" if written.lower().startswith("en") else "ru"


def money(kopecks: int, language: Language) -> str:
    """Return an amount as its reader writes it: `−1 200,00 ₽`, or `-1,200.00` without its unit."""
    number = format_decimal(Decimal(abs(kopecks)).scaleb(-2), "#,##0.00", locale=language)
    if language == "en":
        return f"{'-' if kopecks < 0 else ''}{number}"
    return f"{'−' if kopecks < 0 else ''}{number}\N{NO-BREAK SPACE}₽"


def days(number: int, language: Language) -> str:
    """Return a number of days with the word in its form: `1 день`, `3 дня`, `11 дней`."""
    form = Locale(language).plural_form(number)
    return f"{number}\N{NO-BREAK SPACE}{_DAYS[language][form]}"


def day(what: date, language: Language) -> str:
    """Return a day to come: `12 декабря`; nobody is told of one that is far."""
    return format_date(what, "d MMMM", locale=language)


def short_day(what: date, language: Language) -> str:
    """Return a date for a small space: `12.12`, `12 Dec`."""
    return format_date(what, _SHORT_DAY[language], locale=language)


def moment(what: datetime, zone: ZoneInfo, language: Language) -> str:
    """Return a moment that was, by the reader's clock: `12 декабря 2026, 12:00`."""
    return format_datetime(what.astimezone(zone), "d MMMM y, HH:mm", locale=language)


def soon(what: datetime, zone: ZoneInfo, language: Language) -> str:
    """Return a moment to come, by the reader's clock: `12 декабря, 12:00`."""
    return format_datetime(what.astimezone(zone), "d MMMM, HH:mm", locale=language)


def short_moment(what: datetime, zone: ZoneInfo, language: Language) -> str:
    """Return a moment by the reader's clock, for a small space: `12.12 12:00`."""
    return format_datetime(what.astimezone(zone), f"{_SHORT_DAY[language]} HH:mm", locale=language)


def month(written: str, language: Language) -> str:
    """Return a month `YYYY-MM` as it is said: `ноябрь 2026`, `November 2026`."""
    return format_date(date.fromisoformat(f"{written}-01"), "LLLL y", locale=language)


@lru_cache(maxsize=128)
def zone(name: str) -> ZoneInfo:
    """Return a time zone, Moscow's where there is none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return MOSCOW
