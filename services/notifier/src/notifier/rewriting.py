"""What waits to leave when its reader has changed where, how or of what they are told.

A text that nobody may have got yet is written anew, for the address, the language and the choices
of now. One that was tried keeps its words, and is dropped where its kind is not wanted any more.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import tuple_, update

from notifier.journal import NEW_SIGNAL
from notifier.kinds import KIND_NAMES
from notifier.message_table import in_state, message
from shared.db import Tx, raise_signal
from shared.rows import among


async def anew(tx: Tx, contracts: Collection[str], at: datetime) -> None:
    """Have what was not tried yet written anew; a code stays as it is, it has its own address."""
    if contracts:
        untried = (in_state("ready"), message.c.attempts == 0, message.c.kind.in_(KIND_NAMES))
        theirs = among(tx, message.c.contract, sorted(contracts))
        again = {"state": "new", "reason": None, "sealed": None, "due_at": at}
        if (await tx.execute(update(message).where(theirs, *untried).values(again))).rowcount:
            raise_signal(tx, NEW_SIGNAL)


async def refused(
    tx: Tx, contract: str, unwanted: Collection[tuple[str, str]], at: datetime
) -> None:
    """Drop what is not wanted any more, by kind and channel, and has been tried before."""
    if unwanted:
        tried = (in_state("ready"), message.c.contract == contract, message.c.attempts > 0)
        named = tuple_(message.c.kind, message.c.channel).in_(sorted(unwanted))
        dropped = update(message).where(*tried, named)
        await tx.execute(dropped.values(state="dropped", reason="off", done_at=at))
