"""How a contract's autopay stands, as it is shown: the same for the pages and for the API."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from pydantic import TypeAdapter

from autopay.case import OPEN, Case, Charge, Occasion
from autopay.mandate import Mandate, MethodName, Trigger
from autopay.schedule import day_of, next_day
from autopay.sums import spent
from autopay.web import words
from shared.errors import Text
from shared.events_billing import NeededLine

_LINES = TypeAdapter(tuple[NeededLine, ...])


@dataclass(frozen=True, slots=True)
class Coming:
    """The charge to come; without an id it is a day of the calendar that is not planned yet."""

    id: str | None
    state: str
    on: date
    """In the mandate's zone."""
    charge_at: datetime | None
    amount_kopecks: int
    method: MethodName
    why: Text
    lines: tuple[NeededLine, ...]
    """How the sum that is needed comes about; none for a fixed sum of a day."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A mandate and what it comes to."""

    mandate: Mandate
    today: date
    """In the mandate's zone."""
    balance_kopecks: int | None
    spent_kopecks: int
    """Charged, or in flight, in the calendar month."""
    coming: Coming | None
    waits: Text
    """What will be done, in a sentence."""
    full: bool
    """The limit of the month is what a charge waits for."""
    closed: bool
    """The contract is closed."""
    chargeable: bool
    """One of its methods can be charged."""

    @property
    def left_kopecks(self) -> int:
        """Return what may still be charged this month."""
        return max(0, self.mandate.terms.cap_kopecks - self.spent_kopecks)

    @property
    def paused(self) -> bool:
        """Say whether nothing is charged for a while."""
        until = self.mandate.paused_until
        return until is not None and self.today < until

    @property
    def idle(self) -> bool:
        """Say whether nothing is charged as things stand."""
        return self.paused or self.closed or not self.chargeable


def picture(mandate: Mandate, case: Case, at: datetime) -> Picture:
    """Return how a mandate stands at a moment; of a revoked one nothing is to come."""
    terms, today = mandate.terms, day_of(at, mandate.terms.zone)
    following = case.next_day or today
    if terms.day_of_month is not None and case.next_day is None:
        following = next_day(terms.day_of_month, today)
    return Picture(
        mandate=mandate,
        today=today,
        balance_kopecks=case.account.balance_kopecks,
        spent_kopecks=spent(mandate, case.charges, at),
        coming=_coming(mandate, case, today, following) if mandate.live else None,
        waits=words.waiting(terms, following),
        full=any(each.hold == "cap" for each in case.occasions),
        closed=case.closed,
        chargeable=any(name in case.usable for name in terms.methods),
    )


def _coming(mandate: Mandate, case: Case, today: date, following: date) -> Coming | None:
    open_ = next((each for each in case.charges if each.state in OPEN), None)
    if open_ is not None:
        return _planned(mandate, case, open_)
    terms, until = mandate.terms, mandate.paused_until
    usable = [name for name in terms.methods if name in case.usable]
    if terms.trigger is not Trigger.DAY or case.closed or not usable:
        return None
    while until is not None and following < until:
        following = next_day(terms.day_of_month or 1, following)
    return Coming(
        id=None,
        state="expected",
        on=following,
        charge_at=None,
        amount_kopecks=terms.amount_kopecks or 0,
        method=usable[0],
        why=words.sentence("why_day"),
        lines=(),
    )


def _planned(mandate: Mandate, case: Case, charge: Charge) -> Coming:
    occasion = next((each for each in case.occasions if each.key == charge.occasion), None)
    fees_on = occasion.day if occasion is not None and charge.why == Trigger.FEE else None
    return Coming(
        id=charge.id,
        state=charge.state,
        on=day_of(charge.charge_at, mandate.terms.zone),
        charge_at=charge.charge_at,
        amount_kopecks=charge.amount_kopecks,
        method=charge.method,
        why=words.why(mandate.terms, charge.why, fees_on),
        lines=() if charge.why == Trigger.DAY else _lines(case, occasion),
    )


def _lines(case: Case, occasion: Occasion | None) -> tuple[NeededLine, ...]:
    """Return core's own explanation: the newest one, else that of the occasion; of fees its own."""
    own = occasion.lines if occasion is not None else "[]"
    fees = occasion is not None and occasion.why == Trigger.FEE
    for said in (own,) if fees else (case.account.lines, own):
        if lines := _LINES.validate_json(said):
            return lines
    return ()
