"""What was said about a money fact is said again to whoever asks again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from shared import outbox
from shared.db import Tx
from shared.events import Event
from shared.outbox import Producer

Make = Callable[[str], Sequence[Event]]
"""Makes the events; the suffix goes into their revisions."""


async def repeat(tx: Tx, producer: Producer, make: Make, at: datetime) -> None:
    """Say these events once more.

    The event itself goes out again while the outbox has it. Later an equal one is made under an id
    of its own, because the credit limit in it may have changed since.
    """
    events = make("")
    if not events:
        return
    said = await outbox.say_again(tx, [event.id for event in events], at)
    if any(event.id not in said for event in events):
        remade = make(f":again:{at.timestamp():.6f}")
        lost = [new for old, new in zip(events, remade, strict=True) if old.id not in said]
        await outbox.add(tx, producer, lost, at)
