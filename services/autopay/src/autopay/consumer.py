"""What autopay hears, in batches of whatever came: first it is all written down, then looked at.

Each contract that is spoken of is held until the end; what there is to decide for it is decided
once, from all that came, so that no order within a batch matters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeVar

from autopay import (
    accounts,
    directory,
    mandate_table,
    mandates,
    methods,
    news,
    occasions,
    outcome,
    outcomes,
    reviews,
)
from autopay.autopay import Autopay
from autopay.case import Cause
from autopay.consents import Consent
from autopay.mandate import MethodName
from autopay.methods import Told
from autopay.news import News
from autopay.occasions import Recovery
from autopay.outcome import Outcome
from shared.db import Tx
from shared.errors import Poison
from shared.events import (
    ContractChanged,
    Event,
    EventData,
    PaymentCanceled,
    PaymentPosted,
    PaymentSucceeded,
    SubscriberChanged,
)
from shared.events_gateway import ChargeFailed, PaymentMethodRevoked, PaymentMethodSaved
from shared.inbox import Consumer
from shared.topology import AUTOPAY

_CHARGES: Final = frozenset({PaymentSucceeded.TYPE, PaymentCanceled.TYPE, ChargeFailed.TYPE})
_METHODS: Final[Mapping[str, type[Told]]] = {
    PaymentMethodSaved.TYPE: PaymentMethodSaved,
    PaymentMethodRevoked.TYPE: PaymentMethodRevoked,
}
_READ: Final = (
    news.TYPES | _CHARGES | _METHODS.keys() | {ContractChanged.TYPE, SubscriberChanged.TYPE}
)
BATCH_MAX: Final = 200

_Body = TypeVar("_Body", bound=EventData)


@dataclass
class _Heard:
    """A batch, sorted."""

    money: list[News] = field(default_factory=list)
    charges: list[Outcome] = field(default_factory=list)
    methods: list[Told] = field(default_factory=list)
    correlations: dict[str, str] = field(default_factory=dict)


def make(autopay: Autopay) -> Consumer:
    """Return the consumer of autopay's queue."""

    async def handle(tx: Tx, events: Sequence[Event]) -> None:
        await hear(tx, autopay, events, autopay.clock())

    return Consumer(AUTOPAY, autopay.db, handle, batch_max=BATCH_MAX)


async def hear(tx: Tx, autopay: Autopay, events: Sequence[Event], at: datetime) -> None:
    """Give events their effect; raises Poison for one of another type, or without its contract."""
    unread = {event.type for event in events} - _READ
    if unread:
        raise Poison(f"autopay does not read {', '.join(sorted(unread))}")
    heard = _sorted(events)
    await directory.keep_subscribers(tx, _bodies(SubscriberChanged, events))
    closed = await directory.keep_contracts(tx, _bodies(ContractChanged, events))
    named = {MethodName(each.provider, each.method_ref) for each in heard.methods}
    contracts = closed | {each.contract for each in heard.money if each.contract}
    contracts |= {each.contract for each in heard.methods if each.contract}
    contracts |= await outcomes.contracts_of(tx, heard.charges)
    contracts |= await methods.contracts_of(tx, named)
    held = await accounts.lock(tx, contracts)
    before = dict(held)
    for each in heard.money:
        number = each.contract or ""
        held[number] = news.after(held[number], each)
    await accounts.write(tx, [now for name, now in held.items() if now != before[name]])
    await methods.keep(tx, heard.methods, at)
    failed = await outcomes.keep(tx, heard.charges, _credited(heard.money, at), at)
    await _keep_occasions(tx, heard.money, at)
    await _close(tx, autopay, closed, at)
    causes = {
        number: Cause(failed.get(number), correlation_id=heard.correlations.get(number, ""))
        for number in held
    }
    await reviews.review(tx, autopay, held, causes, at)


def _sorted(events: Sequence[Event]) -> _Heard:
    heard = _Heard()
    for event in events:
        if event.type in news.TYPES:
            body = news.read(event)
            if body is not None:
                heard.money.append(body)
                heard.correlations.setdefault(body.contract or "", event.correlation_id)
        elif event.type in _CHARGES:
            said = outcome.read(event)
            heard.charges += [] if said is None else [said]
        elif event.type in _METHODS:
            heard.methods.append(_METHODS[event.type].of(event))
    return heard


def _credited(money: Sequence[News], at: datetime) -> dict[str, datetime]:
    """Return the charges whose money has been posted."""
    posted = [each for each in money if isinstance(each, PaymentPosted)]
    return {each.charge_id: at for each in posted if each.charge_id is not None}


async def _keep_occasions(tx: Tx, money: Sequence[News], at: datetime) -> None:
    """Open occasions and close crossings; without a live mandate nothing is opened."""
    over = [
        Recovery(each.contract or "", crossing, each.occurred_at)
        for each in money
        if (crossing := news.recovery(each)) is not None
    ]
    await occasions.recover(tx, over, at)
    made = [found for each in money if (found := news.occasion(each, at)) is not None]
    if made:
        kept = await mandate_table.live(tx, {each.contract for each in made})
        await occasions.open_new(tx, [each for each in made if each.contract in kept])


async def _close(tx: Tx, autopay: Autopay, contracts: set[str], at: datetime) -> None:
    """End the mandates of contracts that have been closed."""
    if not contracts:
        return
    given = Consent("", at, None, "autopay")
    for kept in (await mandate_table.live(tx, contracts)).values():
        await mandates.revoke(tx, autopay, kept.mandate.id, given, at, "closed")


def _bodies(model: type[_Body], events: Sequence[Event]) -> list[_Body]:
    return [model.of(event) for event in events if event.type == model.TYPE]
