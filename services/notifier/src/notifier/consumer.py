"""What the notifier hears: states of the directory and of access, and facts to be told.

Nothing is sent here. A fact becomes rows of the journal in the event's own transaction; the
recipient is found and the text written afterwards, so no order of the events matters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeVar

from notifier import access, directory, journal
from notifier.journal import Notice
from notifier.messages import Facts, Kind, LowBalance, Payment
from shared.clock import Clock
from shared.crypto import Vault
from shared.db import Database, Tx
from shared.errors import Poison
from shared.events import (
    BalanceLow,
    BalanceRecovered,
    ContractChanged,
    Event,
    EventData,
    PaymentPosted,
    SubscriberChanged,
)
from shared.events_autopay import (
    AutopayDropped,
    AutopayExpiring,
    AutopayFailed,
    AutopayUpcoming,
    MandateRevoked,
)
from shared.events_billing import (
    FeeUpcoming,
    PaymentAnnulled,
    PromiseClosed,
    PromiseEnding,
    PromiseGranted,
    StatementReady,
)
from shared.events_gateway import PaymentMethodRevoked, PaymentMethodSaved, RefundPosted
from shared.inbox import Consumer
from shared.topology import NOTIFIER

_Body = TypeVar("_Body", bound=EventData)
_Watched = TypeVar("_Watched", BalanceLow, BalanceRecovered)


@dataclass(frozen=True)
class Freshness:
    """How old a fact may be when it is told; older ones are dropped, not told late."""

    payment: timedelta
    low_balance: timedelta


def make(db: Database, vault: Vault, freshness: Freshness, clock: Clock) -> Consumer:
    """Return the consumer of the notifier's queue."""

    async def handle(tx: Tx, events: Sequence[Event]) -> None:
        unread = {event.type for event in events} - _READ
        if unread:
            raise Poison(f"the notifier does not read {', '.join(sorted(unread))}")
        at = clock()
        woken = await directory.keep_contracts(tx, _bodies(ContractChanged, events))
        moved = await directory.keep_subscribers(tx, vault, _bodies(SubscriberChanged, events))
        woken |= await directory.contracts_of(tx, moved)
        await journal.add(tx, _notices(events, freshness), at)
        await journal.drop(tx, _recovered(events, freshness), "recovered", at)
        await journal.wake(tx, woken, at)
        await access.keep(tx, events, at)

    return Consumer(NOTIFIER, db, handle)


_UNTOLD = frozenset(
    kind.TYPE
    for kind in (
        *(PaymentMethodSaved, PaymentMethodRevoked),
        *(PromiseGranted, PromiseEnding, PromiseClosed),
        *(MandateRevoked, AutopayUpcoming, AutopayDropped, AutopayFailed, AutopayExpiring),
        *(FeeUpcoming, StatementReady, PaymentAnnulled, RefundPosted),
    )
)
"""Heard, and said to no subscriber: what was done on a page is answered there."""
_READ = (
    _UNTOLD
    | access.HEARD
    | frozenset(
        kind.TYPE
        for kind in (
            ContractChanged,
            SubscriberChanged,
            PaymentPosted,
            BalanceLow,
            BalanceRecovered,
        )
    )
)


def _notices(events: Sequence[Event], freshness: Freshness) -> list[Notice]:
    paid = [event for event in events if _is_payment(event)]
    payments = [_payment(event, freshness) for event in paid]
    return payments + [_low_balance(e, freshness) for e in _of_our_watch(BalanceLow, events)]


def _is_payment(event: Event) -> bool:
    """Say whether an event is about money that came; nobody is thanked for what was taken."""
    return event.type == PaymentPosted.TYPE and PaymentPosted.of(event).amount_kopecks > 0


def _payment(event: Event, freshness: Freshness) -> Notice:
    body = PaymentPosted.of(event)
    facts = Payment(
        amount_kopecks=body.amount_kopecks,
        balance_kopecks=body.balance_kopecks,
        missing_kopecks=max(0, -body.available_kopecks),
        paid_at=body.occurred_at,
    )
    fact = f"{body.provider}:{body.provider_payment_id}"
    return _notice(event, body, "payment", fact, facts, freshness.payment)


def _low_balance(event: Event, freshness: Freshness) -> Notice:
    body = BalanceLow.of(event)
    facts = LowBalance(
        balance_kopecks=body.balance_kopecks,
        needed_kopecks=body.needed_kopecks,
        blocks_on=_date(body.blocks_on),
    )
    fact = f"{body.watcher}:{body.crossing}"
    return _notice(event, body, "low_balance", fact, facts, freshness.low_balance)


def _recovered(events: Sequence[Event], freshness: Freshness) -> list[Notice]:
    """Return the notices that must not be sent any more, as they would have been written."""
    found = []
    for event in _of_our_watch(BalanceRecovered, events):
        body = BalanceRecovered.of(event)
        facts = LowBalance(balance_kopecks=body.balance_kopecks, needed_kopecks=0)
        fact = f"{body.watcher}:{body.crossing}"
        found.append(_notice(event, body, "low_balance", fact, facts, freshness.low_balance))
    return found


def _of_our_watch(model: type[_Watched], events: Sequence[Event]) -> list[Event]:
    """Return the events of a type that answer our own watch: other services have theirs."""
    mine = [event for event in events if event.type == model.TYPE]
    return [event for event in mine if model.of(event).watcher == NOTIFIER]


def _notice(
    event: Event, body: EventData, kind: Kind, fact: str, facts: Facts, age: timedelta
) -> Notice:
    if not body.contract:
        raise Poison(f"{event.type} names no contract")
    return Notice(
        fact=fact,
        contract=body.contract,
        kind=kind,
        facts=facts,
        event_id=event.id,
        correlation_id=event.correlation_id,
        expires_at=body.occurred_at + age,
    )


def _bodies(model: type[_Body], events: Iterable[Event]) -> list[_Body]:
    return [model.of(event) for event in events if event.type == model.TYPE]


def _date(written: str | None) -> date | None:
    if written is None:
        return None
    try:
        return date.fromisoformat(written[:10])
    except ValueError as error:
        raise Poison(f"blocks_on is not a date: {written!r}") from error
