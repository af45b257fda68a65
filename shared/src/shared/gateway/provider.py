"""What a provider is to a gateway: four calls, and everything that may come of each.

Pure: adapters translate into these types and keep no state of their own. No call has a default
outcome. Whatever is neither a payment nor a refusal nor an absence is `Unclear`, and an unclear
payment is asked about again, never taken for lost and never made twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from shared.events import Allocation


class Status(StrEnum):
    """How far a payment has come, in the order in which it may go: never back."""

    CREATING = "creating"
    PENDING = "pending"
    CANCELED = "canceled"
    SUCCEEDED = "succeeded"

    @property
    def rank(self) -> int:
        """Return the place in that order; a success also comes after a cancellation."""
        return _RANKS[self]


_RANKS = {status: rank for rank, status in enumerate(Status)}


@dataclass(frozen=True, slots=True)
class Order:
    """What a provider is asked to take."""

    payment_id: UUID
    allocations: tuple[Allocation, ...]
    amount_kopecks: int
    return_url: str


@dataclass(frozen=True, slots=True)
class ProviderPayment:
    """A payment as its provider tells it: the only truth that credits anybody."""

    id: str
    shop: str
    """The account that holds the money, for instance ``yookassa:100500``."""
    status: Status
    """Never `CREATING`; a word we do not know counts as pending."""
    said: str
    """The provider's own word for the status."""
    amount_kopecks: int
    currency: str
    test: bool
    created_at: datetime
    paid_at: datetime | None = None
    method: str = ""
    reason: str = ""
    """Why it was canceled."""
    confirmation_url: str | None = None
    payment_id: UUID | None = None
    """Our id, where the provider gave it back."""
    allocations: tuple[Allocation, ...] = ()
    """Whose money it is, where the provider gave that back; their sum is the amount asked for."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A definite no: this request has made nothing."""

    code: str
    detail: str = ""
    ours: bool = False
    """Our credentials or rights are at fault, so that a person has to act."""


@dataclass(frozen=True, slots=True)
class Unclear:
    """Nobody knows what came of it: a timeout, a reset, a 5xx, an answer that is no answer."""

    reason: str
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Throttled:
    """Too many requests, by the provider's word or by our own limit; nothing was processed."""

    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """The shop has no such payment."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a shop's payments, newest first, and where the next part begins."""

    payments: Sequence[ProviderPayment]
    next_cursor: str | None
    unreadable: int = 0
    """How many of this part could not be read and are left out."""


Failure = Refused | Unclear | Throttled


class Provider(Protocol):
    """One shop at a provider."""

    @property
    def shop(self) -> str:
        """The account's name, which scopes every id the provider gives."""

    @property
    def test(self) -> bool:
        """Whether the shop takes play money only."""

    def request(self, order: Order) -> bytes:
        """Return the bytes that ask for a payment; they are stored and sent unchanged."""

    async def create(self, key: str, request: bytes) -> ProviderPayment | Failure:
        """Ask for a payment; the same key and bytes never make a second one within a day."""

    async def fetch(self, provider_payment_id: str) -> ProviderPayment | Missing | Failure:
        """Ask how a payment stands."""

    async def listed(self, since: datetime, until: datetime, cursor: str | None) -> Page | Failure:
        """Return one page of the payments created between two moments."""


class Malformed(ValueError):
    """A callback that no provider of ours would send."""


@dataclass(frozen=True, slots=True)
class Nudge:
    """What a callback claims; nothing of it is believed, it only says what to ask about."""

    event: str
    shop: str
    provider_payment_id: str
    payment_id: UUID | None
    claims: Status
