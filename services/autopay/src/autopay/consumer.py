"""What autopay hears."""

from __future__ import annotations

from collections.abc import Sequence

from autopay.autopay import Autopay
from shared.db import Tx
from shared.events import Event
from shared.inbox import Consumer
from shared.topology import AUTOPAY


def make(autopay: Autopay) -> Consumer:
    """Return the consumer of autopay's queue."""

    async def handle(tx: Tx, events: Sequence[Event]) -> None:
        pass

    return Consumer(AUTOPAY, autopay.db, handle)
