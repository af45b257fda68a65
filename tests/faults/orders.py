"""What is bought in a run, drawn from a seed: who pays how much, when, and what becomes of it.

Every order of a run has an amount of its own. So the provider's rows alone tell which order they
belong to, and the checker needs neither our answers nor our metadata.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final

LEAST_KOPECKS: Final = 10_000
SPREAD: Final = 100
"""Amounts are drawn from that many times as many as there are orders."""
BENT_KOPECKS: Final = 10_000_000
"""What the provider is made to add to the amount of an order whose amount is bent."""


class Fate(StrEnum):
    """What becomes of an order at the provider."""

    PAID = "paid"
    CANCELED = "canceled"
    OTHER_AMOUNT = "other_amount"
    """Paid, but the provider took another amount than was asked for."""
    OTHER_CURRENCY = "other_currency"
    TEST = "test"
    """Paid with play money, in a shop that takes real money."""
    OTHER_SHOP = "other_shop"
    """Paid, but the provider names another recipient."""


WEIGHTS: Final[Mapping[Fate, int]] = {
    Fate.PAID: 920,
    Fate.CANCELED: 65,
    Fate.OTHER_AMOUNT: 5,
    Fate.OTHER_CURRENCY: 4,
    Fate.TEST: 3,
    Fate.OTHER_SHOP: 3,
}


@dataclass(frozen=True, slots=True)
class Order:
    """One payment that a client asks for; times are seconds."""

    number: int
    at: float
    """When the client asks, after the start of the run."""
    key: str
    contract: str
    kopecks: int
    fate: Fate
    acts_after: float
    """How long the payer takes, after the payment is known to the client."""
    told_again: tuple[float, ...]
    """Pauses before the provider repeats its notification, one after the other."""
    impatient: bool
    """The client sends its request twice at once."""


def draw(dice: Random, count: int, seconds: float, contracts: Sequence[str]) -> tuple[Order, ...]:
    """Draw orders that come at a steady rate over that many seconds.

    Raises ValueError for so many that their amounts would meet the bent ones.
    """
    if LEAST_KOPECKS + SPREAD * count > BENT_KOPECKS:
        raise ValueError(f"{count} payments are too many for amounts of their own")
    amounts = dice.sample(range(LEAST_KOPECKS, LEAST_KOPECKS + SPREAD * count), count)
    return tuple(
        Order(
            number=number,
            at=number * seconds / count,
            key=f"faults-{dice.getrandbits(64):016x}",
            contract=dice.choice(contracts),
            kopecks=kopecks,
            fate=_fate(dice),
            acts_after=dice.choice((0.0, 0.1, 0.5, dice.uniform(0, 8))),
            told_again=tuple(dice.uniform(0, 5) for _ in range(dice.choice((1, 1, 2, 2, 3)))),
            impatient=dice.random() < 0.1,
        )
        for number, kopecks in enumerate(amounts)
    )


def _fate(dice: Random) -> Fate:
    return dice.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
