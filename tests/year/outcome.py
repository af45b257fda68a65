"""What a year that is played comes to: how much money was recovered, by how many tries.

A failed charge begins a trouble of its contract. It ends with the money of a later charge within a
month: recovered; with a payment by hand; or with the end of the month: lost. So troubles are the
same thing under every retry rule, whatever the service takes for one need of money.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Final, NamedTuple

from shared.events_gateway import FailureClass
from year.bank import Charged
from year.world import World

MONTH: Final = timedelta(days=30)
WEEK: Final = timedelta(days=7)


class Happening(NamedTuple):
    """Something that happened to a contract's money."""

    at: datetime
    what: str
    """failed, taken or by_hand."""
    kopecks: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """A need of money whose first charge has failed."""

    kopecks: int
    """What the first charge was to bring."""
    tries: int
    """Charges that were made after the first one, the successful one included."""
    ended: str
    """taken, by_hand or lost."""
    after: timedelta


@dataclass(frozen=True, slots=True)
class Outcome:
    """A year under one retry rule."""

    rule: str
    charges: int
    taken_kopecks: int
    troubles: Sequence[Trouble]
    blocks: int
    dark_days: float
    seconds: float
    mib: float

    @property
    def recovered(self) -> Sequence[Trouble]:
        """Return the troubles that a later charge has ended."""
        return [one for one in self.troubles if one.ended == "taken"]

    def row(self) -> str:
        """Return a line of the table."""
        all_, good = self.troubles, self.recovered
        money = sum(one.kopecks for one in good)
        tries = sum(one.tries for one in all_)
        week = sum(one.after <= WEEK for one in good)
        by_hand = sum(one.ended == "by_hand" for one in all_)
        return (
            f"| {self.rule} | {self.charges:,} | {len(all_):,} | {_share(len(good), len(all_))}"
            f" | {_share(money, sum(one.kopecks for one in all_))} | {_share(week, len(all_))}"
            f" | {_share(by_hand, len(all_))} | {tries / max(1, len(all_)):.2f}"
            f" | {tries / max(1, money / 100_000):.2f} | {self.blocks:,} | {self.dark_days:,.0f} |"
        )


HEAD: Final = (
    "| rule | charges | failed first | recovered | of the money | within a week | paid by hand"
    " | tries a failure | tries per 1 000 ₽ | blocks | days without service |\n"
    "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
)


def outcome(world: World, rule: str, seconds: float, mib: float) -> Outcome:
    """Return what a year has come to."""
    charges = world.bank.charges.values()
    now = world.clock.now
    dark = world.billing.dark
    dark += sum(
        (now - one.blocked_at for one in world.billing.blocked() if one.blocked_at), dark * 0
    )
    return Outcome(
        rule=rule,
        charges=sum(_made(one) for one in charges),
        taken_kopecks=sum(one.amount_kopecks for one in charges if one.outcome == "succeeded"),
        troubles=troubles(charges, world.billing.posted, now),
        blocks=world.billing.counts["blocks"],
        dark_days=dark / timedelta(days=1),
        seconds=seconds,
        mib=mib,
    )


def troubles(
    charges: Iterable[Charged],
    posted: Iterable[tuple[str, datetime, int, str | None]],
    now: datetime,
) -> Sequence[Trouble]:
    """Return every trouble that is over, a month or more before the end."""
    by_contract: defaultdict[str, list[Happening]] = defaultdict(list)
    for one in charges:
        if _made(one):
            what = "taken" if one.outcome == "succeeded" else "failed"
            by_contract[one.contract].append(Happening(one.at, what, one.amount_kopecks))
    for contract, at, kopecks, charge_id in posted:
        if charge_id is None:
            by_contract[contract].append(Happening(at, "by_hand", kopecks))
    return list(chain.from_iterable(_of(sorted(own), now) for own in by_contract.values()))


def _of(happened: Sequence[Happening], now: datetime) -> Iterable[Trouble]:
    """Go through one contract's happenings in their order."""
    begun: Happening | None = None
    tries = 0
    for one in happened:
        if begun is not None and one.at - begun.at > MONTH:
            yield Trouble(begun.kopecks, tries, "lost", MONTH)
            begun = None
        if begun is None:
            begun, tries = (one, 0) if one.what == "failed" else (None, 0)
            continue
        tries += one.what != "by_hand"
        if one.what != "failed":
            yield Trouble(begun.kopecks, tries, one.what, one.at - begun.at)
            begun = None
    if begun is not None and now - begun.at > MONTH:
        yield Trouble(begun.kopecks, tries, "lost", MONTH)


def _made(one: Charged) -> bool:
    """Say whether a charge reached anybody beyond the shop."""
    return one.outcome == "succeeded" or one.failure in (FailureClass.SOFT, FailureClass.HARD)


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"
