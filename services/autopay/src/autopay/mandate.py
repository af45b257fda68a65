"""A mandate: what a subscriber lets us charge, when, how much, and from what. Pure.

Amounts are whole kopecks; days and months are those of the mandate's own zone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from shared.errors import FieldError, Invalid, Text
from shared.money import Money

DAYS_BEFORE_MAX: Final = 28
THRESHOLD_MAX: Final = 10**12


class Trigger(StrEnum):
    """What a charge waits for."""

    BALANCE = "balance"
    """The balance falls below a threshold."""
    FEE = "fee"
    """Fees fall due soon, and the money does not suffice."""
    DAY = "day"
    """A day of the calendar."""


class MethodName(NamedTuple):
    """Names a saved method: the account it was saved at, and the gateway's id of it there."""

    provider: str
    method_ref: str


@dataclass(frozen=True, slots=True)
class Method:
    """A saved card or account, as far as it may be told."""

    provider: str
    method_ref: str
    title: str
    kind: str
    expires: str | None
    """The last month in which a card is valid, ``2027-04``."""

    @property
    def name(self) -> MethodName:
        """Return what names it."""
        return MethodName(self.provider, self.method_ref)


@dataclass(frozen=True, slots=True)
class Limits:
    """Between which sums a single charge must lie."""

    amount_min_kopecks: int
    amount_max_kopecks: int


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed to."""

    trigger: Trigger
    cap_kopecks: int
    """The most that is charged in one calendar month."""
    method: MethodName
    reserve: MethodName | None = None
    """Charged where the first method cannot be."""
    threshold_kopecks: int | None = None
    """Of `balance`: below it the contract is topped up."""
    days_before: int | None = None
    """Of `fee`: how many days before the fees, 1 to 28."""
    day_of_month: int | None = None
    """Of `day`: 1 to 31; the last three mean the last day of a month that has no such day."""
    amount_kopecks: int | None = None
    """The sum of each charge; None is whatever is needed. `day` has a fixed sum always."""
    timezone: str = "Europe/Moscow"

    @property
    def zone(self) -> ZoneInfo:
        """Return the zone its days are counted in."""
        return ZoneInfo(self.timezone)

    @property
    def methods(self) -> tuple[MethodName, ...]:
        """Return the methods in the order in which they are tried."""
        return (self.method,) if self.reserve is None else (self.method, self.reserve)


@dataclass(frozen=True, slots=True)
class Mandate:
    """A subscriber's standing agreement to charges of one contract."""

    id: UUID
    contract: str
    revision: int
    state: str
    """active or revoked."""
    terms: Terms
    paused_until: date | None
    """The first day on which charges are made again."""
    skip_next: bool
    """The next charge is not made."""
    created_at: datetime
    changed_at: datetime
    revoked_at: datetime | None = None

    @property
    def live(self) -> bool:
        """Say whether it still holds."""
        return self.state == "active"


def check(terms: Terms, limits: Limits) -> None:
    """Raise Invalid, naming every wrong field, for terms that cannot be agreed to."""
    wrong = [*_of_trigger(terms), *_of_sums(terms, limits), *_of_rest(terms)]
    if wrong:
        raise Invalid(*wrong)


def _of_trigger(terms: Terms) -> list[FieldError]:
    given = {
        Trigger.BALANCE: ("threshold", terms.threshold_kopecks),
        Trigger.FEE: ("days_before", terms.days_before),
        Trigger.DAY: ("day_of_month", terms.day_of_month),
    }
    wrong = []
    for trigger, (field, value) in given.items():
        if trigger is terms.trigger and value is None:
            wrong.append(_needed(field, trigger))
        elif trigger is not terms.trigger and value is not None:
            wrong.append(_superfluous(field, terms.trigger))
    if terms.days_before is not None and not 1 <= terms.days_before <= DAYS_BEFORE_MAX:
        wrong.append(_field("days_before", "give 1 to 28 days", "укажите от 1 до 28 дней"))
    if terms.day_of_month is not None and not 1 <= terms.day_of_month <= 31:
        wrong.append(_field("day_of_month", "give a day from 1 to 31", "укажите число от 1 до 31"))
    return wrong


def _of_sums(terms: Terms, limits: Limits) -> list[FieldError]:
    least, most = Money(limits.amount_min_kopecks), Money(limits.amount_max_kopecks)
    amount, cap, threshold = terms.amount_kopecks, terms.cap_kopecks, terms.threshold_kopecks
    wrong = []
    if amount is None and terms.trigger is Trigger.DAY:
        wrong.append(
            _field(
                "amount",
                "a charge on a day of the month needs a sum: give it",
                "для списания по числу месяца нужна сумма: укажите её",
            )
        )
    if amount is not None and not least.kopecks <= amount <= most.kopecks:
        wrong.append(
            _field("amount", f"give from {least} to {most}", f"укажите от {least} до {most}")
        )
    if cap < least.kopecks:
        wrong.append(_field("cap", f"give {least} or more", f"укажите {least} или больше"))
    elif amount is not None and amount > cap:
        wrong.append(
            _field(
                "amount",
                "the sum is above the limit of a month: lower it or raise the limit",
                "сумма больше лимита на месяц: уменьшите её или поднимите лимит",
            )
        )
    if threshold is not None and threshold > cap:
        wrong.append(
            _field(
                "threshold",
                "the threshold is above the limit of a month: lower it or raise the limit",
                "порог больше лимита на месяц: уменьшите его или поднимите лимит",
            )
        )
    if threshold is not None and threshold < -THRESHOLD_MAX:
        wrong.append(_field("threshold", "the threshold is too low", "порог слишком низкий"))
    if cap > THRESHOLD_MAX:
        wrong.append(_field("cap", "the limit is too high", "лимит слишком большой"))
    return wrong


def _of_rest(terms: Terms) -> list[FieldError]:
    wrong = []
    if terms.reserve == terms.method:
        wrong.append(
            _field(
                "reserve",
                "the reserve is the same method: choose another one or none",
                "запасной способ совпадает с основным: выберите другой или никакого",
            )
        )
    try:
        ZoneInfo(terms.timezone)
    except (ValueError, OSError, LookupError):
        wrong.append(
            _field(
                "timezone",
                "there is no such time zone: give one such as Europe/Moscow",
                "такого часового пояса нет: укажите, например, Europe/Moscow",
            )
        )
    return wrong


def _needed(field: str, trigger: Trigger) -> FieldError:
    what = {
        Trigger.BALANCE: Text(
            "give the balance below which to charge", "укажите баланс, ниже которого списывать"
        ),
        Trigger.FEE: Text(
            "give how many days before the fee to charge",
            "укажите, за сколько дней до абонентской платы списывать",
        ),
        Trigger.DAY: Text("give the day of the month", "укажите число месяца"),
    }
    return FieldError(field, what[trigger])


def _superfluous(field: str, trigger: Trigger) -> FieldError:
    return _field(
        field,
        f"does not belong to the condition {trigger}: leave it out",
        f"не относится к условию {trigger}: уберите",
    )


def _field(field: str, en: str, ru: str) -> FieldError:
    return FieldError(field, Text(en, ru))
