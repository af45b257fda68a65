"""What an acquiring bank is to this gateway: pure, in no bank's words.

A dynamic code is a payment of the shared gateway: `create` registers it, `fetch` asks about it.
What SBP adds is here: a code that is ended before its time, codes that live for years and are paid
many times, and callbacks that are signed. A new bank is one folder that implements `Acquirer`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from shared.gateway.keeper import Keeper
from shared.gateway.provider import Ender, Failure, Finder, Nudge, Provider, ProviderPayment
from shared.gateway.till import Till


@dataclass(frozen=True, slots=True)
class StaticOrder:
    """A code that is wanted for one contract, to be paid for years with any sum."""

    order: str
    """The bank's order id of every payment by this code: 1 to 40 of `A-Z a-z 0-9 . _ -`."""
    contract: str
    description: str
    """What the payer reads in the bank's app: at most 32 characters."""


@dataclass(frozen=True, slots=True)
class StaticCode:
    """A code for paper, as its bank has registered it."""

    qr_id: str
    payload: str


@dataclass(frozen=True, slots=True)
class Proven:
    """A payment by a static code, which its bank cannot be asked about: signed is all there is."""

    order: str
    qr_id: str
    """Not covered by the signature, as the transaction is not."""
    payment: ProviderPayment
    """Its id is the transaction's; whose it is the order says."""


class Acquirer(Provider, Keeper, Ender, Finder, Protocol):
    """One merchant account at a bank.

    `Provider.create` registers a dynamic code and returns a payment with `qr_payload` and
    `expires_at`; `request` names our payment in the order, so that a callback finds its row before
    the answer has come. `listed`, `captured` and `refunds_listed` return an empty page where the
    bank has no such list; not so the refunds of one payment, because one that is not on that page
    counts as never made: a bank without a list of them is asked about each.
    """

    @property
    def till(self) -> Till | None:
        """The cash register behind the account; None where the bank prints nothing."""

    @property
    def answer(self) -> bytes:
        """The body that tells the bank that its callback was taken, with HTTP 200."""

    def connected(self) -> AbstractAsyncContextManager[None]:
        """Hold the connections to the bank open."""

    def hear(self, headers: Mapping[str, str], body: bytes) -> Nudge | None:
        """Check and read a callback; None for what the bank tells everybody and nobody handles.

        A payment by a static code has `proof`, a `Proven`. Names in `headers` may have any case.
        Raises Forged for a wrong signature, Malformed for what no bank would send.
        """

    def masked(self, body: bytes) -> bytes:
        """Return what may be kept of a callback that could not be read."""

    async def register(self, order: StaticOrder) -> StaticCode | Failure | None:
        """Register a code for paper; None where this bank has none that names its contract."""
