"""A subscriber whose balance is still low after a while is told once more, and then left alone.

A reminder is a message of its own, made in the transaction that marks the first one as sent. It
belongs to the same crossing, falls with it, and its money is looked at again before it leaves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import cast

from notifier import journal
from notifier.channels.port import ChannelName
from notifier.facts import FACTS
from notifier.gate import Rules
from notifier.journal import REMINDERS, Notice
from notifier.kinds import KINDS, KindName
from notifier.leases import Leased
from shared.db import Tx

_OF_REMINDERS = frozenset(REMINDERS.values())


async def schedule(
    tx: Tx, sent: Iterable[Leased], rules: Rules, channels: Sequence[ChannelName], at: datetime
) -> None:
    """Write the reminders that follow messages which have just been sent."""
    due_at = at + rules.remind_after
    notices = [
        Notice(
            fact=fact,
            contract=leased.contract,
            kind=cast("KindName", kind),
            facts=FACTS[kind].model_validate_json(leased.facts),
            event_id=leased.event_id,
            correlation_id=leased.correlation_id,
            expires_at=due_at + KINDS[kind].age,
        )
        for leased in sent
        if (following := _next(leased, rules.remind_max))
        for kind, fact in [following]
    ]
    if notices:
        await journal.add(tx, notices, at, channels=channels, due_at=due_at)


def _next(leased: Leased, most: int) -> tuple[str, str] | None:
    """Return the kind and the fact of the reminder after a message, None where it was the last."""
    first, _, written = leased.fact.partition("#")
    if leased.kind in REMINDERS:
        kind, nth = REMINDERS[leased.kind], 1
    elif leased.kind in _OF_REMINDERS:
        kind, nth = leased.kind, int(written or 1) + 1
    else:
        return None
    return (kind, journal.reminder_fact(first, nth)) if nth <= most else None
