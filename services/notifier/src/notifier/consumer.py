"""What the notifier hears: states of the directory and of access, and facts to be told.

Nothing is sent here. A fact becomes rows of the journal in the event's own transaction; the
recipient is found and the text written afterwards, so no order of the events matters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

from notifier import (
    access,
    balances,
    directory,
    journal,
    notices,
    reviewing,
    rewriting,
    superseding,
)
from notifier.notices import Freshness
from notifier.reach import DEFAULT_REACHING, Reaching
from shared.clock import Clock
from shared.crypto import Vault
from shared.db import Database, Tx
from shared.errors import Poison
from shared.events import ContractChanged, Event, EventData, SubscriberChanged
from shared.inbox import Consumer
from shared.topology import NOTIFIER

__all__ = ["Freshness", "make"]

_Body = TypeVar("_Body", bound=EventData)
_READ: Final = notices.READ | access.HEARD | {ContractChanged.TYPE, SubscriberChanged.TYPE}


def make(
    db: Database,
    vault: Vault,
    freshness: Freshness,
    clock: Clock,
    reaching: Reaching = DEFAULT_REACHING,
) -> Consumer:
    """Return the consumer of the notifier's queue; `reaching` names the channels there are."""
    channels = reaching.channels

    async def handle(tx: Tx, events: Sequence[Event]) -> None:
        unread = {event.type for event in events} - _READ
        if unread:
            raise Poison(f"the notifier does not read {', '.join(sorted(unread))}")
        at = clock()
        woken = await directory.keep_contracts(tx, _bodies(ContractChanged, events))
        moved = await directory.keep_subscribers(tx, vault, _bodies(SubscriberChanged, events))
        woken |= await directory.contracts_of(tx, moved)
        told = notices.told(events, freshness, vault.encrypt)
        await journal.add(tx, told, at, channels=channels)
        for reason, ended in notices.ended(events, freshness).items():
            await journal.drop(tx, ended, reason, at, channels=channels)
        await journal.wake(tx, woken, at)
        await rewriting.anew(tx, woken, at)
        await reviewing.moved(tx, vault, reaching, woken, at)
        await balances.keep(tx, events)
        await access.keep(tx, events, at)
        await superseding.supersede(tx, events, at)

    return Consumer(NOTIFIER, db, handle)


def _bodies(model: type[_Body], events: Iterable[Event]) -> list[_Body]:
    return [model.of(event) for event in events if event.type == model.TYPE]
