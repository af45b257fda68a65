"""Subscribers of a year that is played: what they agreed to, when they have money, what they do.

Everything follows from a seed and a number, so that each retry rule meets the same people with the
same money on the same days. How many have how much is assumed, not measured: wages twice a month,
most people always have enough, some run out before the next wages, a few hardly ever have it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from autopay.mandate import MethodName, Terms, Trigger
from autopay.schedule import day_in, day_of, moment

PROVIDERS: Final = ("yookassa:100500", "tbank:1700000000001")
ZONES: Final = (
    (0.70, "Europe/Moscow"),
    (0.80, "Asia/Yekaterinburg"),
    (0.88, "Asia/Krasnoyarsk"),
    (0.92, "Europe/Kaliningrad"),
    (0.95, "Asia/Kamchatka"),
    (0.98, "Europe/Berlin"),
    (1.00, "America/New_York"),
)
PAYDAYS: Final = ((0.35, (5, 20)), (0.70, (10, 25)), (0.90, (15, 31)), (1.00, (7, 22)))
TARIFFS: Final = (39_000, 55_000, 65_000, 80_000, 95_000, 120_000)


Value = TypeVar("Value")


def luck(seed: int, *words: object) -> float:
    """Return a number from 0 to 1 that always is the same for the same words."""
    text = "\x1f".join(map(str, (seed, *words))).encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big") / 2**64


def draw(chances: Sequence[tuple[float, Value]], at: float) -> Value:
    """Return what stands beside the first bound that is not below a number."""
    return next(value for bound, value in chances if at <= bound)


@dataclass(frozen=True, slots=True)
class Card:
    """A saved method, and when there is money on it."""

    name: MethodName
    owner: str
    purse: str
    """steady, tight or poor."""
    paydays: tuple[int, ...]
    zone: ZoneInfo
    saved_on: date
    dies_on: date | None
    """From then on it is declined for good."""
    death: str
    """The reason it is declined for then."""

    def has_money(self, seed: int, at: datetime) -> bool:
        """Say whether a charge would not fail for want of money."""
        today = day_of(at, self.zone)
        if self.purse == "steady":
            return luck(seed, self.name.method_ref, today, "money") > 0.005
        months = (today - timedelta(days=back) for back in (70, 40, 0))
        wages = (
            wage
            for month in months
            for wage in _wages(
                seed, self.owner, self.paydays, self.zone.key, month.year, month.month
            )
        )
        paid = max(day for day, came in wages if came <= at)
        word = luck(seed, self.name.method_ref, paid, "lasts")
        days = 5 + 8 * word if self.purse == "tight" else 4 * word
        return today - paid < timedelta(days=round(days) or 1)


@lru_cache(maxsize=50_000)
def _wages(
    seed: int, owner: str, paydays: tuple[int, ...], zone: str, year: int, month: int
) -> Sequence[tuple[date, datetime]]:
    """Return the days of a month's wages, and when they come on them; a few come late."""
    found = []
    for each in paydays:
        day = day_in(date(year, month, 1), each)
        day -= timedelta(days=max(0, day.weekday() - 4))
        late = luck(seed, owner, day, "late")
        day += timedelta(days=1 + (late > 0.95) if late > 0.9 else 0)
        hour = 11 + int(8 * luck(seed, owner, day, "hour"))
        found.append((day, moment(day, time(hour), ZoneInfo(zone))))
    return found


@dataclass(slots=True)
class Person:
    """A subscriber with one contract and one mandate."""

    number: str
    zone: ZoneInfo
    tariff_kopecks: int
    daily: bool
    """Whether the tariff is charged by days."""
    terms: Terms
    cards: list[Card]
    acts: list[tuple[datetime, str]] = field(default_factory=list)
    """What they will do of themselves: revoke, unlink, pause, skip, or pay by hand."""


def person(seed: int, nth: int, start: date, days: int) -> Person:
    """Return the subscriber of a number."""
    number = f"A-{nth:06d}"

    def chance(*words: object) -> float:
        return luck(seed, number, *words)

    zone = ZoneInfo(draw(ZONES, chance("zone")))
    tariff = TARIFFS[int(len(TARIFFS) * chance("tariff"))]
    cards = [card(seed, number, zone, 0, start)]
    if chance("reserve") < 0.25:
        cards.append(card(seed, number, zone, 1, start))
    daily = chance("trigger") < 0.45 and chance("daily") < 0.3
    terms = _terms(chance, tariff, zone, cards, daily=daily)
    made = Person(number, zone, tariff, daily, terms, cards)
    for what, share in ACTS:
        if chance("does", what) < share * days / 365:
            after = timedelta(seconds=int(chance("when", what) * days * 86_400))
            made.acts.append((datetime.combine(start, time(), UTC) + after, what))
    return made


ACTS: Final = (
    ("revoke", 0.04),
    ("unlink", 0.04),
    ("pause", 0.06),
    ("skip", 0.08),
    ("pay", 0.30),
)
"""How many in a year do what of themselves."""

DEATHS: Final = (
    (0.70, "card_expired"),
    (0.85, "payment_method_restricted"),
    (0.95, "permission_revoked"),
    (1.00, "fraud_suspected"),
)


def card(seed: int, owner: str, zone: ZoneInfo, nth: int, saved_on: date) -> Card:
    """Return the nth card of a subscriber."""
    word = f"{owner}-{nth}"
    purse = luck(seed, word, "purse")
    dies = luck(seed, word, "dies")
    return Card(
        name=MethodName(PROVIDERS[luck(seed, word, "provider") > 0.7], f"method-{word}"),
        owner=owner,
        purse="steady" if purse < 0.80 else "tight" if purse < 0.96 else "poor",
        paydays=draw(PAYDAYS, luck(seed, owner, "paydays")),
        zone=zone,
        saved_on=saved_on,
        # A card lives four years or so: a quarter of them ends within one.
        dies_on=saved_on + timedelta(days=int(dies * 4 * 365)) if dies < 0.9 else None,
        death=draw(DEATHS, luck(seed, word, "death")),
    )


def _terms(
    chance: Callable[..., float], tariff: int, zone: ZoneInfo, cards: list[Card], *, daily: bool
) -> Terms:
    which = chance("trigger")
    trigger = Trigger.BALANCE if which < 0.45 else Trigger.FEE if which < 0.8 else Trigger.DAY
    balance, fixed = trigger is Trigger.BALANCE, chance("fixed") < 0.5
    return Terms(
        trigger=trigger,
        cap_kopecks=tariff * (1, 2, 2, 4)[int(4 * chance("cap"))],
        method=cards[0].name,
        reserve=cards[1].name if len(cards) > 1 else None,
        # A monthly fee takes a tariff at once, so that is what has to be there before it.
        threshold_kopecks=(tariff // 4 if daily else tariff) if balance else None,
        days_before=1 + int(5 * chance("days")) if trigger is Trigger.FEE else None,
        day_of_month=1 + int(31 * chance("day")) if trigger is Trigger.DAY else None,
        amount_kopecks=tariff if trigger is Trigger.DAY or (balance and fixed) else None,
        timezone=zone.key,
    )
