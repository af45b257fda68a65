"""Which messages an event makes untrue: they must not leave any more. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from notifier.kinds import KindName
from notifier.news import crossing_fact, payment_fact
from shared.errors import Poison
from shared.events import BalanceRecovered, Event, EventData
from shared.events_autopay import AutopayDropped, MandateRevoked
from shared.events_billing import PaymentAnnulled, PromiseClosed
from shared.events_gateway import PaymentMethodRevoked
from shared.topology import NOTIFIER


@dataclass(frozen=True, slots=True)
class Over:
    """A message that is untrue from now on, also where its own event is still to come."""

    kind: KindName
    fact: str
    reason: str


def over(events: Iterable[Event]) -> Iterator[tuple[Event, EventData, Over]]:
    """Yield what events make untrue; raises Poison where one cannot be read."""
    for event in events:
        found = _ENDS.get(event.type)
        if found is None:
            continue
        model, ends = found
        body = model.of(event)
        for one in ends(body):
            if not body.contract:
                raise Poison(f"{event.type} names no contract")
            yield event, body, one


def _recovered(body: BalanceRecovered) -> list[Over]:
    if body.watcher != NOTIFIER:
        return []
    fact = crossing_fact(body.watcher, body.kind, body.crossing)
    return [Over("low_balance", fact, "recovered")]


def _annulled(body: PaymentAnnulled) -> list[Over]:
    return [Over("payment", payment_fact(body), "annulled")]


def _closed(body: PromiseClosed) -> list[Over]:
    """An overdue promise is still owed: of it only what was before is untrue."""
    kinds: list[KindName] = ["promise_granted", "promise_ending"]
    if body.how != "overdue":
        kinds.append("promise_overdue")
    return [Over(kind, body.promise_id, f"promise_{body.how}") for kind in kinds]


def _dropped(body: AutopayDropped) -> list[Over]:
    return [Over("autopay_before", body.charge_id, "called_off")]


def _revoked(body: MandateRevoked) -> list[Over]:
    """Its own message says that the methods are removed with it."""
    named = [f"{method.provider}:{method.method_ref}" for method in body.methods]
    return [Over("method_removed", fact, "autopay_off") for fact in named]


def _removed(body: PaymentMethodRevoked) -> list[Over]:
    return [Over("method_saved", f"{body.provider}:{body.method_ref}", "removed")]


_ENDS: Final[dict[str, tuple[type[EventData], Callable[[Any], list[Over]]]]] = {
    BalanceRecovered.TYPE: (BalanceRecovered, _recovered),
    PaymentAnnulled.TYPE: (PaymentAnnulled, _annulled),
    PromiseClosed.TYPE: (PromiseClosed, _closed),
    AutopayDropped.TYPE: (AutopayDropped, _dropped),
    MandateRevoked.TYPE: (MandateRevoked, _revoked),
    PaymentMethodRevoked.TYPE: (PaymentMethodRevoked, _removed),
}
ENDING: Final = frozenset(_ENDS)
"""The types that may make a message untrue."""
