"""Events beyond the payment itself: refunds, saved methods, charges, fees and register rows.

What a gateway hears and says of them. The base and the payments' own bodies are in `shared.events`.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.events import Allocation, Count, EventData, Kopecks, Moment, Paid

Share = Annotated[int, Field(strict=True, ge=0, lt=10**15)]
"""An amount that may be nothing."""


class FailureClass(StrEnum):
    """What a failed charge says about the next one."""

    SOFT = "soft"
    """The same method may work later."""
    HARD = "hard"
    """The method will not work again: ask the subscriber for another one."""
    SHOP = "shop"
    """The shop's rights or settings are at fault; the subscriber is not."""
    STALE = "stale"
    """Its time had passed before it was sent."""


class RefundRequested(EventData):
    """Core has taken money from a contract and wants it sent back where it came from."""

    TYPE = "refund.requested"

    refund_id: str = Field(min_length=1, max_length=64)
    provider: str
    provider_payment_id: str
    amount_kopecks: Paid
    allocations: tuple[Allocation, ...] = Field((), max_length=50)
    reason: str = Field("", max_length=250)


class RefundSucceeded(EventData):
    """The provider has sent money back; `occurred_at` is the provider's time."""

    TYPE = "refund.succeeded"

    provider: str
    provider_refund_id: str
    provider_payment_id: str
    amount_kopecks: Paid
    refund_id: str | None = None
    """The id it was asked for under; none for a refund made in the provider's own profile."""
    reason: str = ""


class RefundFailed(EventData):
    """A refund that was asked for will not happen: what was reserved is free again."""

    TYPE = "refund.failed"

    provider: str
    provider_payment_id: str
    provider_refund_id: str | None = None
    amount_kopecks: Paid
    refund_id: str | None = None
    reason: str = ""


class RefundPosted(EventData):
    """The ledger has booked a refund; one event per contract it was taken from.

    Without a contract it was taken from suspense, or had been taken when it was asked for.
    """

    TYPE = "refund.posted"

    provider: str
    provider_refund_id: str
    provider_payment_id: str
    amount_kopecks: Paid
    balance_kopecks: Kopecks | None = None
    available_kopecks: Kopecks | None = None


class PaymentMethodSaved(EventData):
    """A saved card or account, its whole state; the provider's token never leaves its gateway."""

    TYPE = "payment_method.saved"

    revision: Count
    provider: str
    method_ref: str
    """Our id of the method; charges name it."""
    kind: str = ""
    title: str = ""
    """What a person recognises it by, such as «Visa •4477»."""
    expires: str | None = Field(None, pattern=r"^\d{4}-\d{2}$")
    """The last month in which a card is valid."""


class PaymentMethodRevoked(EventData):
    """A saved method that is never charged again; nothing can bring it back."""

    TYPE = "payment_method.revoked"

    revision: Count
    provider: str
    method_ref: str
    title: str = ""
    reason: str = ""


class ChargeRequested(EventData):
    """Autopay wants a saved method charged once; dead after `not_after`."""

    TYPE = "charge.requested"

    charge_id: str = Field(min_length=1, max_length=64)
    provider: str
    method_ref: str
    amount_kopecks: Paid
    not_after: Moment


class ChargeFailed(EventData):
    """A charge has come to nothing, for certain; an unclear one is never said to have failed."""

    TYPE = "charge.failed"
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    charge_id: str
    provider: str
    method_ref: str
    amount_kopecks: Kopecks
    reason: str
    failure: FailureClass = Field(alias="class")


class SettledBy(BaseModel):
    """The part of a fee that one payment's money settles."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    provider: str
    provider_payment_id: str
    amount_kopecks: Paid


class FeeCharged(EventData):
    """Core has charged a fee; names the payments whose money settles it, oldest first."""

    TYPE = "fee.charged"

    fee_id: str = Field(min_length=1, max_length=128)
    service: str
    period: str
    """The month or day it pays for, such as ``2026-11`` or ``2026-11-22``."""
    amount_kopecks: Paid
    settled_by: tuple[SettledBy, ...] = Field((), max_length=50)


class RegisterRow(EventData):
    """One row of a provider's daily register, or one named difference from what we know."""

    TYPE = "register.row"

    provider: str
    day: date
    """The register's day in the provider's zone."""
    kind: Literal["payment", "refund"]
    provider_id: str
    """The payment's or the refund's id at the provider."""
    provider_payment_id: str
    amount_kopecks: Paid
    fee_kopecks: Share | None = None
    """Commission without VAT; none where the register does not say."""
    fee_vat_kopecks: Share | None = None
    net_kopecks: Kopecks | None = None
    difference: str | None = None
    """missing_here, amount, status, fee; none where the row agrees with us."""
