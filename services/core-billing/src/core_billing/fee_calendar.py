"""When which fee falls due, by the calendar alone. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal

Charging = Literal["monthly", "daily"]


@dataclass(frozen=True, slots=True)
class Stretch:
    """From a day on a service has this price for a whole month, until the next stretch."""

    since: date
    tariff: str
    """The tariff's name, for people."""
    month_kopecks: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A service of a contract as the calendar needs it."""

    service_id: int
    contract_id: int
    label: str
    """What it is, such as ``internet``: its income's account."""
    charging: Charging
    stretches: tuple[Stretch, ...]
    """In the order of their days; the first begins with the service or before."""
    charged_through: date
    """The last day that has been charged; the day before the service began where none has."""
    ends_on: date | None = None
    """The last day of the service, if it is known."""


@dataclass(frozen=True, slots=True)
class Charge:
    """A fee for a stretch of days."""

    service_id: int
    contract_id: int
    label: str
    tariff: str
    period: str
    """The month or day it pays for, such as ``2026-11`` or ``2026-11-22``."""
    start: date
    """The first day it pays for, on which it falls due."""
    end: date
    kopecks: int


def charges(plan: Plan, until: date) -> Iterator[Charge]:
    """Return what falls due from the day after `charged_through` until a day, in order.

    A month is charged on its first day, or on the first day of the service in it, for all its
    remaining days; a day is charged by itself, so that the days of a month sum to its price.
    """
    raise NotImplementedError
