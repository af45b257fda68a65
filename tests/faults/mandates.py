"""What is agreed to with autopay in a run, drawn from a seed: who, how much, until when, and how.

Each contract saves a card with a payment of its own and is then charged a fixed sum again and again
until a threshold or the cap of the month. Sums lie below those of orders and no two are the same,
so that the provider's rows alone tell whose a charge is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final

from faults.orders import LEAST_KOPECKS, Fate, Order

SHARE: Final = 0.05
"""Mandates for each payment by card."""
MANDATES_MAX: Final = 40
SMALLEST_KOPECKS: Final = 1_000
"""Autopay charges no less."""
OUTCOMES_MAX: Final = 24
OUTCOMES: Final[Mapping[str, int]] = {
    "succeeded": 83,
    "internal_timeout": 6,
    "issuer_unavailable": 5,
    "insufficient_funds": 2,
    "card_expired": 2,
    "fraud_suspected": 2,
}
"""What a charge comes to at the provider, and how often."""


class End(StrEnum):
    """What becomes of a mandate."""

    KEPT = "kept"
    REVOKED = "revoked"
    REVOKED_IN_FLIGHT = "revoked in flight"
    """Revoked as soon as a charge is seen in flight."""
    UNLINKED = "unlinked"
    """Its card is removed at the gateway."""


_ENDS: Final[Mapping[End, int]] = {
    End.KEPT: 55,
    End.REVOKED: 20,
    End.REVOKED_IN_FLIGHT: 15,
    End.UNLINKED: 10,
}


@dataclass(frozen=True, slots=True)
class Wish:
    """One contract's mandate; times are seconds, amounts kopecks."""

    contract: str
    opened: int
    """The balance at the opening."""
    first: Order
    """The payment that saves the card."""
    kopecks: int
    """Of each charge."""
    threshold: int
    cap: int
    outcomes: tuple[str, ...]
    """Of the charges, in their order; afterwards all succeed."""
    end: End
    ends_after: float
    """After the mandate was made."""


def draw(dice: Random, seed: int, payments: int, seconds: float) -> tuple[Wish, ...]:
    """Draw the mandates that belong beside so many payments."""
    count = min(MANDATES_MAX, max(4, round(payments * SHARE)))
    amounts = dice.sample(range(SMALLEST_KOPECKS, LEAST_KOPECKS), 2 * count)
    pairs = zip(amounts[:count], amounts[count:], strict=True)
    return tuple(
        _wish(dice, f"8{seed % 1000:03d}{n:03d}", n, kopecks, saving, seconds)
        for n, (kopecks, saving) in enumerate(pairs)
    )


def opened(wishes: Sequence[Wish]) -> dict[str, int]:
    """Return contract → kopecks at its opening."""
    return {wish.contract: wish.opened for wish in wishes}


def owners(wishes: Sequence[Wish]) -> dict[int, str]:
    """Return kopecks of a charge → whose it is."""
    return {wish.kopecks: wish.contract for wish in wishes}


def savings(wishes: Sequence[Wish]) -> tuple[Order, ...]:
    """Return the payments that save cards."""
    return tuple(wish.first for wish in wishes)


def _wish(
    dice: Random, contract: str, number: int, kopecks: int, saving: int, seconds: float
) -> Wish:
    cap = dice.randint(4, 16) * kopecks + dice.randrange(kopecks)
    threshold = dice.randrange(cap // 2, cap)
    # So many charges, and the balance is above the threshold; the cap may forbid the last of them.
    missing = dice.randint(4, 14) * kopecks - dice.randrange(kopecks)
    first = Order(
        number=-1 - number,
        at=dice.uniform(0.0, 0.6) * seconds,
        key=f"faults-save-{dice.getrandbits(64):016x}",
        contract=contract,
        kopecks=saving,
        fate=Fate.PAID,
        acts_after=0.0,
        told_again=(dice.uniform(0, 1),),
        impatient=dice.random() < 0.1,
    )
    return Wish(
        contract=contract,
        opened=threshold - saving - missing,
        first=first,
        kopecks=kopecks,
        threshold=threshold,
        cap=cap,
        outcomes=tuple(dice.choices(list(OUTCOMES), list(OUTCOMES.values()), k=OUTCOMES_MAX)),
        end=dice.choices(list(_ENDS), list(_ENDS.values()))[0],
        ends_after=dice.uniform(0.02, 0.3) * seconds,
    )
