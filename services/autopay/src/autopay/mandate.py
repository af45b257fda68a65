"""A mandate: what a subscriber lets us charge, when, how much, and from what. Pure.

Amounts are whole kopecks; days and months are those of the mandate's own zone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from autopay import terms_refusals as no
from shared.errors import Invalid, SaldoError
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
    refused = [*_of_trigger(terms), *_of_sums(terms, limits), *_of_rest(terms)]
    if refused:
        raise Invalid(*(field for one in refused for field in one.fields))


def _of_trigger(terms: Terms) -> Iterator[SaldoError]:
    given = {
        Trigger.BALANCE: (terms.threshold_kopecks, no.THRESHOLD_MISSING, no.THRESHOLD_NOT_HERE),
        Trigger.FEE: (terms.days_before, no.DAYS_BEFORE_MISSING, no.DAYS_BEFORE_NOT_HERE),
        Trigger.DAY: (terms.day_of_month, no.DAY_MISSING, no.DAY_NOT_HERE),
    }
    for trigger, (value, missing, superfluous) in given.items():
        if trigger is terms.trigger and value is None:
            yield missing()
        elif trigger is not terms.trigger and value is not None:
            yield superfluous(trigger=terms.trigger)
    if terms.days_before is not None and not 1 <= terms.days_before <= DAYS_BEFORE_MAX:
        yield no.DAYS_BEFORE_OUT_OF_RANGE(most=DAYS_BEFORE_MAX)
    if terms.day_of_month is not None and not 1 <= terms.day_of_month <= 31:
        yield no.DAY_OUT_OF_RANGE()


def _of_sums(terms: Terms, limits: Limits) -> Iterator[SaldoError]:
    least, most = limits.amount_min_kopecks, limits.amount_max_kopecks
    amount, cap, threshold = terms.amount_kopecks, terms.cap_kopecks, terms.threshold_kopecks
    if amount is None and terms.trigger is Trigger.DAY:
        yield no.AMOUNT_MISSING()
    if amount is not None and not least <= amount <= most:
        yield no.AMOUNT_OUT_OF_RANGE(least=Money(least), most=Money(most))
    if cap < least:
        yield no.CAP_TOO_LOW(least=Money(least))
    elif amount is not None and amount > cap:
        yield no.AMOUNT_ABOVE_CAP()
    if threshold is not None and threshold > cap:
        yield no.THRESHOLD_ABOVE_CAP()
    if threshold is not None and threshold < -THRESHOLD_MAX:
        yield no.THRESHOLD_TOO_LOW()
    if cap > THRESHOLD_MAX:
        yield no.CAP_TOO_HIGH()


def _of_rest(terms: Terms) -> Iterator[SaldoError]:
    if terms.reserve == terms.method:
        yield no.RESERVE_IS_METHOD()
    try:
        ZoneInfo(terms.timezone)
    except (ValueError, OSError, LookupError):
        yield no.TIMEZONE_UNKNOWN()
