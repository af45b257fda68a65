"""What the parts of one gateway share: its shops, its database, its clock and its patience."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Final

from shared.clock import Clock
from shared.crypto import Signer, Vault
from shared.db import Database
from shared.gateway.group import Group
from shared.gateway.keeper import Keeper
from shared.gateway.pool import Pool
from shared.gateway.provider import Ender, Finder, Provider
from shared.gateway.receipt import ReceiptTerms
from shared.gateway.settle import Rules
from shared.gateway.terms import Terms, Unserved, shop_for
from shared.gateway.till import Till
from shared.metrics import alarm
from shared.outbox import Producer

CALLBACKS: Final = "gateway.callbacks"
"""The signal that callbacks were stored."""
PAYMENTS: Final = "gateway.payments"
"""The signal that payments may be due."""
REFUNDS: Final = "gateway.refunds"
"""The signal that refunds may be due."""
RECEIPTS: Final = "gateway.receipts"
"""The signal that receipts may be due."""
CAPTURES: Final = "gateway.captures"
"""The signal that held money may be taken."""
METHODS: Final = "gateway.methods"
"""The signal that bindings may be due."""

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
    receipts: Sequence[timedelta]
    """Between questions about a receipt that is not registered yet."""
    receipt_overdue: timedelta
    """A receipt unregistered for longer is an alarm."""
    poll_seconds: float
    """How often a loop looks for due work that nobody woke it for."""
    hold_warning: timedelta = timedelta(hours=6)
    """A hold that ends sooner and is not taken is an alarm."""
    charging_pause: timedelta = timedelta(hours=1)
    """How long a shop that may not charge saved methods is left alone."""
    binding_term: timedelta = timedelta(minutes=70)
    """After which a binding that nobody has confirmed is given up: its link lives an hour."""


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
    """By the name of the shop; which one makes a new payment its terms say, all keep settling."""
    terms: Mapping[str, Terms]
    """What each of these shops takes."""
    timing: Timing
    tills: Mapping[str, Till] = field(default_factory=dict)
    """The cash registers behind the shops, by the name of the shop."""
    cutover_at: datetime | None = None
    sweep_at: time | None = None
    """The time of the night, in Moscow, at which lists are compared; none for never."""
    callbacks: Pool = field(default_factory=lambda: Pool(16))
    polls: Pool = field(default_factory=lambda: Pool(8))
    refunds: Pool = field(default_factory=lambda: Pool(4))
    printing: Pool = field(default_factory=lambda: Pool(4))
    captures: Pool = field(default_factory=lambda: Pool(8))
    registers: Pool = field(default_factory=lambda: Pool(2))
    creations: Pool = field(default_factory=lambda: Pool(64))
    bindings: Pool = field(default_factory=lambda: Pool(4))
    keepers: Mapping[str, Keeper] = field(default_factory=dict)
    """The shops that save methods, for later charges, by name."""
    enders: Mapping[str, Ender] = field(default_factory=dict)
    """The shops whose payments are codes that can be ended: one lives for a contract and a sum."""
    finders: Mapping[str, Finder] = field(default_factory=dict)
    """The shops that are asked about a request, because they have no list of payments."""
    answers: Group = field(default_factory=Group)
    """What the provider has said of callbacks and is not written down yet."""

    def maker(self, operators: Mapping[str, str]) -> Provider:
        """Return the shop that makes a payment; `operators` is contract → operator.

        Raises Invalid where the contracts belong to several shops, Unserved, with an alarm, where
        one has none.
        """
        try:
            return self.providers[shop_for(self.terms, operators)]
        except Unserved as error:
            alarm("operator_without_shop", operator=error.operator, contracts=list(operators))
            raise

    def receipt_terms(self, shop: str) -> ReceiptTerms | None:
        """Return how a shop's receipts are made; None where its payments need none."""
        terms = self.terms.get(shop)
        return None if terms is None else terms.receipts

    def concerns(self, shop: str) -> bool:
        """Say whether a shop is ours, or would be if it were configured: it is named as ours."""
        kind = shop.partition(":")[0]
        return any(ours.partition(":")[0] == kind for ours in self.providers)

    def rules(self, shop: str) -> Rules:
        """Return what the payments of a shop are measured against."""
        return Rules(self.providers[shop].test, self.cutover_at)

    def seal(self, request: bytes) -> bytes:
        """Return a request as it is stored: it may hold tokens, telephones and addresses."""
        return self.vault.seal(request)

    def unsealed(self, stored: bytes) -> bytes:
        """Return the very bytes of a stored request; raises ValueError where no key fits."""
        return self.vault.unsealed(stored)

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
