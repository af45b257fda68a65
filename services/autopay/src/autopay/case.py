"""Everything that is known of a contract's autopay at a moment: what is decided from. Pure.

A charge goes its way once::

    planned ──▶ announced ──▶ requested ──▶ succeeded
       │            │             ├───────▶ failed
       └────────────┴─▶ dropped   └─▶ unclear ──▶ succeeded, failed
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Final
from uuid import UUID, uuid5

from autopay.mandate import Mandate, MethodName

_IDS: Final = UUID("c1b7d2f0-5a3e-5c9b-9b0e-7f1d6f0a4e35")


class State(StrEnum):
    """Where a charge stands."""

    PLANNED = "planned"
    ANNOUNCED = "announced"
    REQUESTED = "requested"
    UNCLEAR = "unclear"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    DROPPED = "dropped"


UPCOMING: Final = (State.PLANNED, State.ANNOUNCED)
IN_FLIGHT: Final = (State.REQUESTED, State.UNCLEAR)
OPEN: Final = UPCOMING + IN_FLIGHT
SPENT: Final = (*IN_FLIGHT, State.SUCCEEDED)
"""What counts towards the cap of a month."""


@dataclass(frozen=True, slots=True)
class Charge:
    """One charge, whatever became of it; moments are in UTC."""

    id: str
    contract: str
    occasion: str
    """Which occasion it is for: `balance:<crossing>`, `fee:<date>`, `day:<date>`."""
    number: int
    """Of the charges for this occasion, from 1."""
    mandate_id: UUID | None
    why: str
    """balance, fee or day."""
    method: MethodName
    amount_kopecks: int
    state: State
    announce_at: datetime | None
    """When it is said; None where it is made without notice."""
    charge_at: datetime
    created_at: datetime
    correlation_id: str
    not_after: datetime | None = None
    announced_at: datetime | None = None
    requested_at: datetime | None = None
    concluded_at: datetime | None = None
    credited_at: datetime | None = None
    """When the news of its money on the contract came."""
    reason: str = ""
    failure: str | None = None
    """The class of a failure: soft, hard, shop or stale."""


def charge_id(contract: str, occasion: str, number: int) -> str:
    """Return the id of a charge; the same words always give the same one."""
    return str(uuid5(_IDS, f"{contract}\x1f{occasion}\x1f{number}"))


@dataclass(frozen=True, slots=True)
class Account:
    """How a contract stood when core-billing last said so; None is not known."""

    contract: str
    balance_kopecks: int | None = None
    available_kopecks: int | None = None
    balance_at: datetime | None = None
    needed_kopecks: int | None = None
    """What was needed when it was said; see `needed`."""
    needed_balance_kopecks: int | None = None
    """What the balance was at that moment."""
    needed_at: datetime | None = None
    lines: str = "[]"
    """How the needed sum comes about, JSON of `shared.events_billing.NeededLine`."""
    blocks_on: date | None = None
    blocked: bool = False
    access_revision: int = 0

    @property
    def needed(self) -> int | None:
        """Return what is still needed: money that has come since it was said is taken off."""
        if self.needed_kopecks is None:
            return None
        if self.balance_kopecks is None or self.needed_balance_kopecks is None:
            return max(0, self.needed_kopecks)
        come = max(0, self.balance_kopecks - self.needed_balance_kopecks)
        return max(0, self.needed_kopecks - come)


@dataclass(frozen=True, slots=True)
class Occasion:
    """One need of money, charged for until it is met: a crossing, a day of fees, a day."""

    contract: str
    key: str
    why: str
    number: int
    """Grows with each occasion of its kind: the crossing, or the day's ordinal."""
    opened_at: datetime
    mandate_id: UUID | None = None
    state: str = "open"
    reason: str = ""
    closed_at: datetime | None = None
    day: date | None = None
    balance_kopecks: int | None = None
    needed_kopecks: int | None = None
    lines: str = "[]"
    blocks_on: date | None = None
    charges: int = 0
    """How many charges have been planned for it."""
    hold: str | None = None
    """Why nothing is planned although it is open, as was told: cap, method or tries."""
    hold_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A contract, as the decision needs it."""

    contract: str
    account: Account
    mandate: Mandate | None = None
    """The live one."""
    next_day: date | None = None
    """The next day of the calendar that is to be charged for."""
    look_at: datetime | None = None
    closed: bool = False
    """Whether the contract is closed."""
    titles: Mapping[MethodName, str] = field(default_factory=dict)
    """What a person calls the methods of the contract."""
    usable: frozenset[MethodName] = frozenset()
    """Those that may be charged."""
    occasions: Sequence[Occasion] = ()
    """Those that are open, and the last days of the calendar."""
    charges: Sequence[Charge] = ()
    """The one that is not concluded, and those of late."""
    pauses: Mapping[str, datetime] = field(default_factory=dict)
    """Accounts of providers that may not charge → until when nobody is charged there."""


@dataclass(frozen=True, slots=True)
class Cause:
    """What has a case looked at; nothing named: its time has come, or there is news."""

    failed: str | None = None
    """The charge that has failed just now."""
    call_off: str | None = None
    """Why the upcoming charge is not made: skipped or changed."""
    look: bool = False
    """Whether a balance that is low already is an occasion."""
    correlation_id: str = ""
