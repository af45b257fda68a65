"""Amounts and moments as people read them; pure, so that messages can use it as well as pages."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel.dates import format_datetime
from babel.numbers import format_decimal

from shared.clock import MOSCOW
from shared.errors import Language

NO_BREAK: Final = "\u00a0"
MINUS: Final = "\u2212"

_MOMENT: Final = {"ru": "d MMMM y, HH:mm", "en": "d MMM y, HH:mm"}


def money(kopecks: int, language: Language) -> str:
    """Return an amount such as ``−1 200,00 ₽``: a real minus, and no line break inside it."""
    roubles = Decimal(abs(kopecks)).scaleb(-2)
    sign = MINUS if kopecks < 0 else ""
    return f"{sign}{format_decimal(roubles, '#,##0.00', locale=language)}{NO_BREAK}₽"


def typed(kopecks: int, language: Language) -> str:
    """Return an amount as a form field holds it, for instance ``1200,00``."""
    roubles, rest = divmod(kopecks, 100)
    return f"{roubles}{',' if language == 'ru' else '.'}{rest:02d}"


def moment(at: datetime, timezone: str, language: Language) -> str:
    """Return a moment in the reader's own zone, for instance ``22 ноября 2026, 23:15``.

    A zone this machine does not know is taken for Moscow's.
    """
    return format_datetime(at, _MOMENT[language], tzinfo=_zone(timezone), locale=language)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return MOSCOW
