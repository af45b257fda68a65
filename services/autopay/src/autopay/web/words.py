"""A mandate in plain words: what it waits for, and why a charge is made.

Each function returns both languages, for the API answers with both.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from babel.dates import format_date

from autopay.mandate import Terms, Trigger
from autopay.web.texts import TEXTS
from shared.errors import Language, Text
from shared.web.formats import money

_DAY: Final = {"ru": "d MMMM y", "en": "d MMM y"}

Value = int | str | date
"""What stands in a sentence: an int is a sum in kopecks, a date is a day."""


def sentence(word: str, **values: Value) -> Text:
    """Return a sentence of the catalogue in both languages, its values written as people do."""
    made = {
        language: TEXTS[word]
        .in_(language)
        .format_map({name: _written(value, language) for name, value in values.items()})
        for language in ("ru", "en")
    }
    return Text(en=made["en"], ru=made["ru"])


def day(on: date, language: Language) -> str:
    """Return a day as people write it: ``22 ноября 2026``."""
    return format_date(on, _DAY[language], locale=language)


def day_at(at: datetime, zone: ZoneInfo) -> date:
    """Return the day of a moment in a zone."""
    return at.astimezone(zone).date()


def condition(terms: Terms) -> Text:
    """Return when a charge is made: ``баланс меньше 100,00 ₽``."""
    if terms.trigger is Trigger.BALANCE:
        return sentence("fact_balance", threshold=terms.threshold_kopecks or 0)
    if terms.trigger is Trigger.FEE:
        return sentence("fact_fee", days=str(terms.days_before))
    return sentence("fact_day", day=str(terms.day_of_month))


def waiting(terms: Terms, next_day: date) -> Text:
    """Return what will be done, where no charge is planned yet.

    `next_day` is the day of the calendar that comes next; of `day` only.
    """
    amount = terms.amount_kopecks
    if terms.trigger is Trigger.FEE:
        return sentence("will_fee", days=str(terms.days_before))
    if terms.trigger is Trigger.DAY:
        return sentence("will_day", amount=amount or 0, on=next_day)
    threshold = terms.threshold_kopecks or 0
    if amount is None:
        return sentence("will_balance_needed", threshold=threshold)
    return sentence("will_balance", amount=amount, threshold=threshold)


def why(terms: Terms, reason: str, fees_on: date | None) -> Text:
    """Return why a charge is made; `reason` is balance, fee or day."""
    if reason == Trigger.DAY:
        return sentence("why_day")
    if reason == Trigger.FEE:
        return sentence("why_fee") if fees_on is None else sentence("why_fee_on", on=fees_on)
    if terms.threshold_kopecks is None:
        return sentence("why_low")
    return sentence("why_balance", threshold=terms.threshold_kopecks)


def _written(value: Value, language: Language) -> str:
    if isinstance(value, int):
        return money(value, language)
    return day(value, language) if isinstance(value, date) else value
