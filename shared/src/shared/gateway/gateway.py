"""What the parts of one gateway share: its shops, its database, its clock and its patience."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from shared.clock import Clock
from shared.crypto import Signer, Vault
from shared.db import Database
from shared.gateway.group import Group
from shared.gateway.pool import Pool
from shared.gateway.provider import Provider
from shared.gateway.settle import Rules
from shared.outbox import Producer

CALLBACKS: Final = "gateway.callbacks"
"""The signal that callbacks were stored."""
PAYMENTS: Final = "gateway.payments"
"""The signal that payments may be due."""

SPREAD: Final = 0.1


@dataclass(frozen=True)
class Timing:
    """How long things wait; of each row of pauses the last one repeats."""

    poll: Sequence[timedelta]
    """Between questions about a payment nobody has paid yet."""
    retry: Sequence[timedelta]
    """Before a request of unclear outcome is repeated."""
    stale: Sequence[timedelta]
    """Before asking again where a callback knows more than the provider's answer."""
    repeat: Sequence[timedelta]
    """Before a success is said again that the ledger has not acknowledged."""
    list_after: timedelta
    """From the first sending on; then a request is looked for in the list, never sent again."""
    doubt: timedelta
    """Before looking into the list where a repeated request was refused."""
    acknowledged_within: timedelta
    """A success unheard for longer is an alarm."""
    answer_within: timedelta
    """How long a caller waits for a new payment's address before hearing that it is being made."""
    create_lease: timedelta
    fetch_lease: timedelta
    poll_seconds: float
    """How often a loop looks for due work that nobody woke it for."""


@dataclass(frozen=True)
class Gateway:
    """A gateway's parts; made once, in its `app`."""

    service: str
    db: Database
    producer: Producer
    clock: Clock
    signer: Signer
    vault: Vault
    providers: Mapping[str, Provider]
    """By the name of the shop; the first one makes new payments, all keep settling."""
    timing: Timing
    cutover_at: datetime | None = None
    callbacks: Pool = field(default_factory=lambda: Pool(16))
    polls: Pool = field(default_factory=lambda: Pool(8))
    creations: Pool = field(default_factory=lambda: Pool(64))
    answers: Group = field(default_factory=Group)
    """What the provider has said of callbacks and is not written down yet."""

    @property
    def maker(self) -> Provider:
        """The shop that makes new payments."""
        return next(iter(self.providers.values()))

    def rules(self, shop: str) -> Rules:
        """Return what the payments of a shop are measured against."""
        return Rules(self.providers[shop].test, self.cutover_at)

    def wake(self, signal: str, after: timedelta) -> None:
        """Wake a loop in time for something due sooner than it would look by itself."""
        seconds = after.total_seconds()
        if seconds < self.timing.poll_seconds:
            asyncio.get_running_loop().call_later(seconds, self.db.signal(signal).set)


def pause(pauses: Sequence[timedelta], attempt: int, asked: timedelta | None = None) -> timedelta:
    """Return the pause after an attempt counted from 1, a little spread, at least what was asked.

    Spread, because a provider that comes back would otherwise be asked everything at once.
    """
    chosen = max(pauses[min(attempt, len(pauses)) - 1], asked or timedelta(0))
    return chosen * random.uniform(1, 1 + SPREAD)  # noqa: S311 - no secret
