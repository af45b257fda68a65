"""What a look at a case leads to: collected by the decision, written by `autopay.reviews`. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from autopay.case import OPEN, UPCOMING, Case, Charge, Occasion, State
from autopay.mandate import Mandate, MethodName
from autopay.retries import Needs


@dataclass(frozen=True, slots=True)
class Upcoming:
    """A charge is going to be made."""

    charge: Charge
    occasion: Occasion


@dataclass(frozen=True, slots=True)
class Dropped:
    """A charge that was announced will not be made."""

    charge: Charge


@dataclass(frozen=True, slots=True)
class Failed:
    """A charge has come to nothing, or cannot be made; and what is next."""

    charge_id: str
    amount_kopecks: int
    method: MethodName | None
    reason: str
    again: Charge | None = None
    needs: Needs = "nothing"


@dataclass(frozen=True, slots=True)
class Requested:
    """A charge is to be made now."""

    charge: Charge


Telling = Upcoming | Dropped | Failed | Requested


@dataclass
class Acts:
    """A case as it changes while it is decided."""

    case: Case
    at: datetime
    mandate: Mandate | None = field(init=False)
    next_day: date | None = field(init=False)
    look_at: datetime | None = None
    occasions: dict[str, Occasion] = field(init=False)
    charges: dict[str, Charge] = field(init=False)
    told: list[Telling] = field(default_factory=list)
    alarms: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    stopped: dict[MethodName, str] = field(default_factory=dict)
    """Methods that are not charged any more → why."""
    pauses: dict[str, tuple[datetime, str]] = field(default_factory=dict)
    """Accounts at which nobody is charged until a moment, and why."""

    def __post_init__(self) -> None:
        """Begin with the case as it is."""
        self.mandate = self.case.mandate
        self.next_day = self.case.next_day
        self.occasions = {each.key: each for each in self.case.occasions}
        self.charges = {each.id: each for each in self.case.charges}

    @property
    def charge(self) -> Charge | None:
        """Return the charge that is not concluded."""
        return next((each for each in self.charges.values() if each.state in OPEN), None)

    @property
    def live(self) -> list[MethodName]:
        """Return the methods of the mandate that may be charged, in their order."""
        if self.mandate is None:
            return []
        may = self.case.usable - self.stopped.keys()
        return [name for name in self.mandate.terms.methods if name in may]

    def open_occasions(self) -> list[Occasion]:
        """Return the occasions that are open."""
        return [each for each in self.occasions.values() if each.state == "open"]

    def put(self, charge: Charge) -> Charge:
        """Write a charge down as it is now."""
        self.charges[charge.id] = charge
        return charge

    def keep(self, occasion: Occasion) -> Occasion:
        """Write an occasion down as it is now."""
        self.occasions[occasion.key] = occasion
        return occasion

    def close(self, occasion: Occasion, reason: str) -> None:
        """End an occasion: nothing more is charged for it."""
        self.keep(
            replace(
                occasion,
                state="closed",
                reason=reason,
                closed_at=self.at,
                hold=None,
                hold_until=None,
            )
        )

    def drop(self, reason: str) -> None:
        """Have the upcoming charge not made; where it was announced, that is said."""
        charge = self.charge
        if charge is None or charge.state not in UPCOMING:
            return
        announced = charge.state is State.ANNOUNCED
        done = replace(charge, state=State.DROPPED, reason=reason, concluded_at=self.at)
        self.put(done)
        if announced:
            self.told.append(Dropped(done))

    def alarm(self, kind: str, **what: Any) -> None:
        """Have a person look."""
        self.alarms.append((kind, {"contract": self.case.contract, **what}))
