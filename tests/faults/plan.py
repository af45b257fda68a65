"""The schedule of a run, drawn from its seed before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final

from faults import mandates, orders, sbp
from faults.lies import Lie
from faults.mandates import Wish
from faults.orders import Order
from faults.sbp import SbpPlan

CONTRACTS: Final = 40
LIES_PER_ORDER: Final = 0.1
MONEY: Final = "core-billing.money"
AUTOPAY: Final = "autopay"
QUEUES: Final[Mapping[str, str]] = {
    MONEY: "core-billing",
    "gateway-yookassa": "gateway-yookassa",
    AUTOPAY: "autopay",
}
"""Queues that may be purged, and who drinks from them."""
ACKNOWLEDGED: Final = (MONEY, "gateway-yookassa")
"""Between them a success and its acknowledgement travel: one of them is purged, and autopay's."""


class Blow(StrEnum):
    """What is done to the installation."""

    KILL = "kill"
    """SIGKILL, and started again at once."""
    RESTART_BROKER = "restart_broker"
    RESTART_DATABASE = "restart_database"
    PURGE = "purge"
    """Who drinks from the queue is killed, what has gathered is purged, the killed are started."""


@dataclass(frozen=True, slots=True)
class Strike:
    """One blow at its moment; `target` is a process, a server or a queue."""

    at: float
    blow: Blow
    target: str


@dataclass(frozen=True, slots=True)
class Told:
    """One forged notification at its moment."""

    at: float
    lie: Lie


@dataclass(frozen=True, slots=True)
class Size:
    """How much is to be drawn."""

    payments: int
    seconds: float
    """How long orders keep coming."""
    kills: int
    victims: tuple[str, ...]
    """The processes that are killed."""
    servers: bool = True
    """Whether there are a broker and a database server to strike."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that will happen, except how long it takes."""

    seed: int
    size: Size
    contracts: Mapping[str, int]
    """Number → kopecks at the opening; those with autopay are among them."""
    orders: tuple[Order, ...]
    strikes: tuple[Strike, ...]
    lies: tuple[Told, ...]
    sbp: SbpPlan
    wishes: tuple[Wish, ...]
    """The mandates of autopay; nobody else pays to their contracts."""


def draw(seed: int, size: Size) -> Plan:
    """Draw the plan of a run; the same seed and size give the same plan."""
    dice = Random(seed)
    contracts = {
        f"7{seed % 1000:03d}{n:03d}": dice.randrange(-200_000, 200_000) for n in range(CONTRACTS)
    }
    drawn = orders.draw(dice, size.payments, size.seconds, list(contracts))
    strikes, lies = _strikes(dice, size), _lies(dice, size)
    by_sbp = sbp.draw(Random(seed), size.payments, size.seconds, list(contracts))
    wishes = mandates.draw(Random(seed), seed, size.payments, size.seconds)
    everybody = contracts | mandates.opened(wishes)
    return Plan(seed, size, everybody, drawn, strikes, lies, by_sbp, wishes)


def _strikes(dice: Random, size: Size) -> tuple[Strike, ...]:
    """Kills fall at any moment; each server is struck once, purges come in the middle and late."""
    kills = [
        # In turn, so that each victim gets its share, but at moments of their own.
        Strike(_moment(dice, size, 0.03, 0.97), Blow.KILL, size.victims[n % len(size.victims)])
        for n in range(size.kills)
    ]
    servers = [
        Strike(_moment(dice, size, 0.2, 0.4), Blow.RESTART_DATABASE, "postgresql"),
        Strike(_moment(dice, size, 0.45, 0.55), Blow.PURGE, dice.choice(ACKNOWLEDGED)),
        Strike(_moment(dice, size, 0.6, 0.8), Blow.RESTART_BROKER, "rabbitmq"),
        Strike(_moment(dice, size, 0.62, 0.7), Blow.PURGE, AUTOPAY),
    ]
    dealt = kills + (servers if size.servers else [])
    return tuple(sorted(dealt, key=lambda strike: strike.at))


def _lies(dice: Random, size: Size) -> tuple[Told, ...]:
    count = round(size.payments * LIES_PER_ORDER)
    moments = sorted(_moment(dice, size, 0.0, 1.0) for _ in range(count))
    return tuple(Told(at, dice.choice(list(Lie))) for at in moments)


def _moment(dice: Random, size: Size, earliest: float, latest: float) -> float:
    return round(dice.uniform(earliest, latest) * size.seconds, 2)
