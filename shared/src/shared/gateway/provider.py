"""What a provider is to a gateway: a handful of calls, and everything that may come of each.

Pure: adapters translate into these types and keep no state of their own. No call has a default
outcome. Whatever is neither a payment nor a refusal nor an absence is `Unclear`, and an unclear
payment is asked about again, never taken for lost and never made twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, Protocol
from uuid import UUID

from shared.errors import Text
from shared.events import Allocation
from shared.events_gateway import FailureClass
from shared.gateway.method import ProviderMethod
from shared.gateway.receipt import Receipt


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
    return_url: str | None
    """Where the payer's browser goes afterwards; none for a charge, which nobody watches."""
    means: str | None = None
    """What the payer chose to pay with on our page; none where the provider's page asks."""
    qr: bool = False
    """Whether a code to scan is wanted instead of an address to go to."""
    save: bool = False
    """Whether the payer agreed that the card or account is kept for later charges."""
    token: str | None = field(default=None, repr=False)
    """The provider's token of a saved method: the payment is a charge."""
    charge_id: str | None = None
    """Whose charge it is, to be given back by the provider."""
    capture: bool = True
    """False holds the money first; the gateway takes it as soon as it hears of the hold."""
    receipt: Receipt | None = None
    """What the provider's cash register is to print; none where it prints nothing."""


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
    on_hold: bool = False
    """The money is held on the payer's side and waits to be taken."""
    confirmed: bool = False
    """The payer has confirmed, and the outcome is open; so it is of held money without saying."""
    hold_until: datetime | None = None
    """When the hold ends by itself."""
    lapsed: bool = False
    """Canceled because nobody took the held money in time."""
    income_kopecks: int | None = None
    """What of the amount reaches the bank account, where the provider says it."""
    confirmation_url: str | None = None
    qr_payload: str | None = None
    """The https address to show as a code to scan, or to open on the payer's telephone."""
    expires_at: datetime | None = None
    """Until when it can be paid, where the provider says it."""
    payment_id: UUID | None = None
    """Our id, where the provider gave it back."""
    allocations: tuple[Allocation, ...] = ()
    """Whose money it is, where the provider gave that back; their sum is the amount asked for."""
    refunded_kopecks: int = 0
    """What has been sent back so far, by whomever."""
    charge_id: str | None = None
    """The charge it belongs to, where the provider gave that back."""
    failure: FailureClass = FailureClass.SOFT
    """What a cancellation says about the next charge of the same method."""
    saved: ProviderMethod | None = None
    """The method that was kept with it for later charges; none where nothing was kept."""


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """What a provider is asked to send back."""

    refund_id: UUID
    provider_payment_id: str
    amount_kopecks: int
    whole: bool
    """Whether it is everything that the payer paid, in one piece."""
    reason: str = ""
    request_id: str | None = None
    """The id the ledger asks under, to be known even after our own database was lost."""
    receipt: Receipt | None = None
    """The receipt of a part; the provider prints that of a whole payment from the one it has."""


@dataclass(frozen=True, slots=True)
class ProviderRefund:
    """A refund as its provider tells it; never `CREATING`."""

    id: str
    provider_payment_id: str
    status: Status
    said: str
    """The provider's own word for the status."""
    amount_kopecks: int
    currency: str
    created_at: datetime
    reason: str = ""
    """Why it was canceled."""
    refund_id: UUID | None = None
    """Our id, where the provider gave it back; none for a refund made without us."""
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A definite no: this request has made nothing."""

    code: str
    detail: str = ""
    ours: bool = False
    """Our credentials or rights are at fault, so that a person has to act."""
    locked_out: bool = False
    """Our credentials themselves are not accepted, whatever is asked."""
    failure: FailureClass = FailureClass.SHOP
    """Where a charge is refused: whether its method is at fault, or what we have asked for."""


@dataclass(frozen=True, slots=True)
class Unclear:
    """Nobody knows what came of it: a timeout, a reset, a 5xx, an answer that is no answer."""

    reason: str
    retry_after: timedelta | None = None
    unsent: bool = False
    """Nothing left us, because the provider is known not to answer: that was no attempt."""


def tries(outcome: object, attempt: int) -> int:
    """Return how many attempts there have been after this one, which may have been none."""
    return attempt - 1 if isinstance(outcome, Unclear) and outcome.unsent else attempt


@dataclass(frozen=True, slots=True)
class Throttled:
    """Too many requests, by the provider's word or by our own limit; nothing was processed."""

    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """The shop has no such payment, or no such refund."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a shop's payments, newest first, and where the next part begins."""

    payments: Sequence[ProviderPayment]
    next_cursor: str | None
    unreadable: int = 0
    """How many of this part could not be read and are left out."""


@dataclass(frozen=True, slots=True)
class RefundPage:
    """A part of a shop's refunds, newest first, and where the next part begins."""

    refunds: Sequence[ProviderRefund]
    next_cursor: str | None
    unreadable: int = 0


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

    def capture_request(self, amount_kopecks: int) -> bytes:
        """Return the bytes that take held money; they are stored and sent unchanged."""

    async def capture(
        self, provider_payment_id: str, key: str, request: bytes
    ) -> ProviderPayment | Failure:
        """Take the held money of a payment; the same key and bytes take it once."""

    async def listed(self, since: datetime, until: datetime, cursor: str | None) -> Page | Failure:
        """Return one page of the payments created between two moments."""

    async def captured(
        self, since: datetime, until: datetime, cursor: str | None
    ) -> Page | Failure:
        """Return one page of the payments whose money was taken between two moments."""

    def refund_request(self, order: RefundOrder) -> bytes:
        """Return the bytes that ask for a refund; they are stored and sent unchanged."""

    async def create_refund(self, key: str, request: bytes) -> ProviderRefund | Failure:
        """Ask for a refund; the same key and bytes never make a second one within a day."""

    async def fetch_refund(self, provider_refund_id: str) -> ProviderRefund | Missing | Failure:
        """Ask how a refund stands."""

    async def refunds_listed(
        self, since: datetime, until: datetime, cursor: str | None, of: str | None = None
    ) -> RefundPage | Failure:
        """Return one page of the refunds created between two moments.

        With `of`, the provider's id of a payment, only of the refunds of that one.
        """

    def explained(self, failure: str) -> Text | None:
        """Return why a refund came to nothing and what to do; None for a word nobody knows."""


class Ender(Protocol):
    """A provider that ends a payment which waits for its payer, before its time."""

    async def cancel(self, provider_payment_id: str) -> ProviderPayment | Failure:
        """End a payment that nobody has paid; returns how it stands afterwards."""


class Finder(Protocol):
    """A provider that finds a payment by what was asked for, where it has no list of them."""

    async def find(self, request: bytes) -> ProviderPayment | Missing | Failure:
        """Return what a request has made, if it has made anything."""


class Malformed(ValueError):
    """A callback that no provider of ours would send."""


class Forged(ValueError):
    """A callback whose signature is not its provider's: refused and counted, never stored."""


class Kind(StrEnum):
    """What a callback is about."""

    PAYMENT = "payment"
    REFUND = "refund"
    METHOD = "method"


class Nudge(NamedTuple):
    """What a callback claims; nothing of it is believed, it only says what to ask about."""

    event: str
    shop: str
    provider_payment_id: str
    """The id of the payment; of a refund or a saved method where it is about one."""
    payment_id: UUID | None
    claims: Status
    kind: Kind = Kind.PAYMENT
    about: str | None = None
    """The provider's id of the payment that a refund belongs to."""
    kept: bytes = b""
    """What may be kept of the body: fields that are known to be harmless, as JSON."""
    proof: object | None = None
    """What the provider has signed, where it cannot be asked and its signature must do."""
