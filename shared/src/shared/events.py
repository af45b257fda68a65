"""Events: what is said on the bus, one model per type, in the envelope of `shared.envelope`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, ClassVar, Final, Self, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from shared.envelope import (
    BODY_BYTES_MAX,
    CONTENT_TYPE,
    Event,
    decode,
    encode,
    event_id,
    sign,
    verified,
)
from shared.errors import Poison

__all__ = [
    "BODY_BYTES_MAX",
    "CONTENT_TYPE",
    "Event",
    "decode",
    "encode",
    "event_id",
    "sign",
    "verified",
]

KOPECKS_LIMIT: Final = 10**15
"""Amounts stay below ten trillion roubles, far below what a column holds."""


def _utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("the moment does not exist in UTC") from None


Kopecks = Annotated[int, Field(strict=True, gt=-KOPECKS_LIMIT, lt=KOPECKS_LIMIT)]
"""An amount of either sign; 650.0, "650" and true are no amounts."""
Paid = Annotated[int, Field(strict=True, gt=0, lt=KOPECKS_LIMIT)]
"""An amount that somebody paid."""
Count = Annotated[int, Field(strict=True, ge=0, lt=2**63)]
"""A revision or another number that only grows."""
Moment = Annotated[AwareDatetime, AfterValidator(_utc)]
"""A moment in UTC, so that the same fact has one digest whatever zone its source wrote."""


class EventData(BaseModel):
    """Base of the event bodies: unknown fields are ignored, so that producers may add some."""

    TYPE: ClassVar[str]
    model_config = ConfigDict(frozen=True, extra="ignore")

    contract: str | None = None
    occurred_at: Moment

    def event(
        self, producer: str, *, subject: str, revision: str | int, correlation_id: str
    ) -> Event:
        """Wrap the body as an event of this producer."""
        return Event(
            id=event_id(producer, self.TYPE, subject, str(revision)),
            source=producer,
            type=self.TYPE,
            subject=subject,
            time=self.occurred_at,
            revision=str(revision),
            correlation_id=correlation_id,
            data=self.model_dump(mode="json", by_alias=True),
        )

    @classmethod
    def of(cls, event: Event) -> Self:
        """Read the body of an event; raises Poison where it does not fit the type."""
        try:
            return cls.model_validate(event.data)
        except ValidationError as error:
            raise Poison(f"{event.type}: {error.error_count()} wrong fields") from error


Body = TypeVar("Body", bound=EventData)


class Allocation(BaseModel):
    """The part of a payment that belongs to one contract."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    contract: str = Field(min_length=1, max_length=64)
    amount_kopecks: Paid


class PaymentSucceeded(EventData):
    """A provider has confirmed a payment; `occurred_at` is the provider's time."""

    TYPE = "payment.succeeded"

    provider: str
    provider_payment_id: str
    amount_kopecks: Paid
    allocations: tuple[Allocation, ...] = Field(max_length=50)
    method: str = ""
    purpose: str = "topup"
    paid_at: Moment
    order_id: str | None = None
    charge_id: str | None = None
    suspense: str | None = None
    """Why the money may not go to the contract although it came, for instance another amount."""


class PaymentCanceled(EventData):
    """A payment will not happen; nothing was taken."""

    TYPE = "payment.canceled"

    provider: str
    provider_payment_id: str | None = None
    amount_kopecks: Kopecks
    allocations: tuple[Allocation, ...] = Field(max_length=50)
    reason: str = ""
    order_id: str | None = None
    charge_id: str | None = None


class PaymentPosted(EventData):
    """The ledger has taken a payment; one event per contract it was credited to."""

    TYPE = "payment.posted"

    payment_id: str
    provider: str
    provider_payment_id: str
    amount_kopecks: Kopecks
    balance_kopecks: Kopecks
    available_kopecks: Kopecks
    """Balance and credit limit together, at the moment of posting."""
    posted_at: Moment | None = None
    """When the ledger booked it, by core's clock: of two balances the later one holds."""
    charge_id: str | None = None
    """The charge of autopay that brought it."""


class PaymentUnmatched(EventData):
    """The ledger holds a payment in suspense: its contract is unknown, closed or in doubt."""

    TYPE = "payment.unmatched"

    payment_id: str
    provider: str
    provider_payment_id: str
    amount_kopecks: Kopecks
    reason: str


class WatchSet(EventData):
    """Somebody wants to hear when a contract's balance crosses a threshold."""

    TYPE = "watch.set"

    revision: Count
    watcher: str
    kind: str = "balance"
    """balance: below a threshold; days: blocked within so many days; fee: so many before a fee."""
    threshold_kopecks: Kopecks = 0
    days: Count | None = None
    """Of the kinds that count days."""


class WatchCleared(EventData):
    """The watcher is no longer interested."""

    TYPE = "watch.cleared"

    revision: Count
    watcher: str
    kind: str = "balance"


class BalanceLow(EventData):
    """The balance went below a watch's threshold; said once per crossing."""

    TYPE = "balance.low"

    watcher: str
    kind: str = "balance"
    """balance or days, as the watch: each kind counts its own crossings."""
    crossing: Count
    threshold_kopecks: Kopecks
    balance_kopecks: Kopecks
    needed_kopecks: Kopecks
    blocks_on: str | None = None


class BalanceRecovered(EventData):
    """The balance is above threshold and margin again: the crossing of this number is over."""

    TYPE = "balance.recovered"

    watcher: str
    kind: str = "balance"
    crossing: Count
    balance_kopecks: Kopecks


class ContractChanged(EventData):
    """The whole state of a contract that other services keep in their directories."""

    TYPE = "contract.changed"

    revision: Count
    operator: str
    status: str
    subscriber_id: str
    names: tuple[str, ...] = ()
    """What a payer may type to mean this contract, beside its number."""


class SubscriberChanged(EventData):
    """The whole state of a subscriber: how to address and reach them."""

    TYPE = "subscriber.changed"

    revision: Count
    subscriber_id: str
    name: str = ""
    phone: str = ""
    email: str = ""
    language: str = "ru"
    timezone: str = "Europe/Moscow"
