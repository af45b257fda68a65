"""What must hold on every day of a year that is played, looked at as it happens.

It hears what the service says and what it has been told, and nothing of its tables.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

from autopay.mandate import MethodName, Terms
from autopay.retry_limits import SCHEME_DAY, SCHEME_DAY_MAX, SCHEME_MONTH, SCHEME_MONTH_MAX, Rules
from autopay.schedule import Notice, day_of
from shared.events import Event, PaymentPosted, PaymentSucceeded
from shared.events_autopay import AutopayDropped, AutopayUpcoming
from shared.events_gateway import ChargeFailed, ChargeRequested, FailureClass, PaymentMethodRevoked
from year.bank import Charged

SHOWN_MAX: Final = 20


@dataclass(slots=True)
class Agreement:
    """What a contract has agreed to, as far as charges are concerned."""

    terms: Terms
    revoked_at: datetime | None = None
    paused_at: datetime | None = None
    paused_until: date | None = None
    in_flight: str | None = None
    """The charge that was asked for and whose outcome the service has not heard."""
    spent: Counter[str] = field(default_factory=Counter)
    """Month → what was charged or is in flight, in kopecks."""


class Promises:
    """The account of broken promises: none is the only good end."""

    def __init__(self, notice: Notice) -> None:
        self.notice = notice
        self.agreements: dict[str, Agreement] = {}
        self.dead: dict[MethodName, datetime] = {}
        """Method → when the service was told that it is no more."""
        self.announced: dict[str, tuple[datetime, int]] = {}
        self.asked: dict[str, tuple[str, str, int]] = {}
        """Charge → contract, month and amount."""
        self.dropped: set[str] = set()
        self.broken: list[str] = []
        self.counts: Counter[str] = Counter()

    def said(self, event: Event) -> None:
        """Take what the service has said."""
        self.counts[event.type] += 1
        if event.type == AutopayUpcoming.TYPE:
            upcoming = AutopayUpcoming.of(event)
            self.announced.setdefault(
                upcoming.charge_id, (upcoming.occurred_at, upcoming.amount_kopecks)
            )
        elif event.type == AutopayDropped.TYPE:
            self.dropped.add(AutopayDropped.of(event).charge_id)
        elif event.type == ChargeRequested.TYPE:
            self._asked(ChargeRequested.of(event))

    def heard(self, events: Iterable[Event], at: datetime) -> None:
        """Take what the service has been told and has written down at a moment of its clock."""
        for event in events:
            if event.type == PaymentMethodRevoked.TYPE:
                gone = PaymentMethodRevoked.of(event)
                self.dead.setdefault(MethodName(gone.provider, gone.method_ref), at)
            elif event.type == ChargeFailed.TYPE:
                failed = ChargeFailed.of(event)
                if failed.failure is FailureClass.HARD:
                    self.dead.setdefault(MethodName(failed.provider, failed.method_ref), at)
                self._concluded(failed.charge_id, taken=False)
            elif event.type == PaymentSucceeded.TYPE:
                self._concluded(PaymentSucceeded.of(event).charge_id, taken=True)
            elif event.type == PaymentPosted.TYPE:
                self._concluded(PaymentPosted.of(event).charge_id, taken=True)

    def _asked(self, said: ChargeRequested) -> None:
        if said.charge_id in self.asked:
            return
        agreement = self.agreements[said.contract or ""]
        zone = agreement.terms.zone
        today = day_of(said.occurred_at, zone)
        month, name = f"{today:%Y-%m}", MethodName(said.provider, said.method_ref)
        self.asked[said.charge_id] = (said.contract or "", month, said.amount_kopecks)
        agreement.spent[month] += said.amount_kopecks
        when, announced = self.announced.get(said.charge_id, (None, 0))
        wrong = {
            "two charges in flight": agreement.in_flight is not None,
            "charged after the refusal": _since(agreement.revoked_at, said.occurred_at),
            "charged while paused": _since(agreement.paused_at, said.occurred_at)
            and agreement.paused_until is not None
            and today < agreement.paused_until,
            "charged by a method that is gone": _since(self.dead.get(name), said.occurred_at),
            "charged above the cap": agreement.spent[month] > agreement.terms.cap_kopecks,
            "charged without notice": when is None or announced < said.amount_kopecks,
            "charged too soon after the notice": when is not None
            and said.occurred_at - when < self.notice.least,
            "charged although called off": said.charge_id in self.dropped,
            "charged at night": said.occurred_at.astimezone(zone).time() not in self.notice.hours,
        }
        agreement.in_flight = said.charge_id
        for what, holds in wrong.items():
            if holds:
                self.broke(f"{what}: {said.contract} {said.charge_id} {said.occurred_at}")

    def broke(self, what: str) -> None:
        """Write down a promise that was broken."""
        self.counts["broken"] += 1
        if len(self.broken) < SHOWN_MAX:
            self.broken.append(what)

    def _concluded(self, charge_id: str | None, *, taken: bool) -> None:
        known = self.asked.get(charge_id or "")
        if known is None:
            return
        contract, month, amount = known
        agreement = self.agreements[contract]
        if agreement.in_flight == charge_id:
            agreement.in_flight = None
            if not taken:
                agreement.spent[month] -= amount

    def tries(self, charges: Iterable[Charged], rules: Rules) -> None:
        """Look, at the end, at how often each method was tried in vain."""
        by_method: defaultdict[MethodName, list[Charged]] = defaultdict(list)
        for one in charges:
            if one.failure in (FailureClass.SOFT, FailureClass.HARD):
                by_method[one.method].append(one)
        for name, tried in by_method.items():
            moments = sorted(one.at for one in tried)
            zone = self.agreements[tried[0].contract].terms.zone
            months = Counter(f"{day_of(at, zone):%Y-%m}" for at in moments)
            if max(months.values()) > rules.month_max:
                self.broke(f"tried too often in a month: {name}")
            for span, most in ((SCHEME_DAY, SCHEME_DAY_MAX), (SCHEME_MONTH, SCHEME_MONTH_MAX)):
                if _most(moments, span) > most:
                    self.broke(f"tried more than {most} times in {span}: {name}")


def _since(begun: datetime | None, at: datetime) -> bool:
    """Say whether something holds at a moment that holds since another one."""
    return begun is not None and at >= begun


def _most(moments: list[datetime], span: timedelta) -> int:
    """Return the most moments that lie within a span of time."""
    return max(sum(at - span < other <= at for other in moments) for at in moments)
