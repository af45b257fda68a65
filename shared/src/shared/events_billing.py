"""Events of the billing beyond the payment: blocks, promises, annulled payments, and signs of life.

The base and the payments' own bodies are in `shared.events`.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.events import Allocation, Count, EventData, Kopecks, Moment, Paid


class PaymentPending(EventData):
    """The provider says that the payer has confirmed a payment whose outcome is still open."""

    TYPE = "payment.pending"

    provider: str
    provider_payment_id: str
    amount_kopecks: Paid
    allocations: tuple[Allocation, ...] = Field(max_length=50)


class GatewayAlive(EventData):
    """A gateway says each minute that it works, and how far behind it is; `occurred_at` is when."""

    TYPE = "gateway.alive"

    gateway: str
    """The service's name: its replicas speak for one another."""
    unsettled_seconds: Count
    """How long the oldest payment or callback that is due to be looked at has been due."""
    unpublished_seconds: Count
    """How long the oldest event has waited to be published."""


class PaymentAnnulled(EventData):
    """A payment of the desk has been annulled: its money is no longer on the contract."""

    TYPE = "payment.annulled"

    payment_id: str
    provider: str
    """Where it had come from: a drawer or a bank account, never a provider of payments."""
    provider_payment_id: str
    amount_kopecks: Kopecks
    balance_kopecks: Kopecks


class ContractBlocked(EventData):
    """A contract has been cut off; the whole state of its access, by revision."""

    TYPE = "contract.blocked"

    revision: Count
    reason: str
    balance_kopecks: Kopecks
    available_kopecks: Kopecks


class ContractUnblocked(EventData):
    """A contract may be used again; the whole state of its access, by revision."""

    TYPE = "contract.unblocked"

    revision: Count
    reason: str
    balance_kopecks: Kopecks
    available_kopecks: Kopecks


class PromiseGranted(EventData):
    """A promised payment lowers the floor of a contract until a moment."""

    TYPE = "promise.granted"

    revision: Count
    promise_id: str
    amount_kopecks: Paid
    fee_kopecks: Kopecks
    until: Moment
    origin: Literal["subscriber", "manager", "automatic"]


class PromiseEnding(EventData):
    """A promised payment ends soon and has not been repaid."""

    TYPE = "promise.ending"

    revision: Count
    promise_id: str
    amount_kopecks: Paid
    owed_kopecks: Kopecks
    """What is still to be paid."""
    until: Moment


class PromiseClosed(EventData):
    """A promised payment is over."""

    TYPE = "promise.closed"

    revision: Count
    promise_id: str
    amount_kopecks: Paid
    until: Moment
    how: Literal["repaid", "overdue", "ended", "canceled"]
    """overdue: its time is over and it is still owed; ended: over, and nothing is owed."""
    ended_on: date


class NeededLine(BaseModel):
    """A part of a sum that is needed, as the recommended payment explains itself."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    ru: str = Field(max_length=300)
    en: str = Field(max_length=300)
    kopecks: Kopecks
    """Negative for what is there already."""


class FeeUpcoming(EventData):
    """Fees fall due soon and the money does not suffice; said once per watcher and day of fees."""

    TYPE = "fee.upcoming"

    watcher: str
    fees_on: date
    """The first day of the fees."""
    fee_kopecks: Paid
    balance_kopecks: Kopecks
    available_kopecks: Kopecks
    needed_kopecks: Paid
    """What has to be paid before that day: the sum of the lines."""
    lines: tuple[NeededLine, ...] = Field((), max_length=50)
    blocks_on: date | None = None


class ContractDue(EventData):
    """How a contract stands, for those who would pay for it: said at most once a minute."""

    TYPE = "contract.due"

    balance_kopecks: Kopecks
    available_kopecks: Kopecks
    needed_kopecks: Kopecks
    """What the recommended payment comes to; nothing where nothing is due."""
    lines: tuple[NeededLine, ...] = Field((), max_length=50)
    blocks_on: date | None = None


class StatementReady(EventData):
    """A month of a contract is over: what it began with, what came and went, what is left."""

    TYPE = "statement.ready"

    month: str = Field(pattern=r"^\d{4}-\d{2}$")
    opening_kopecks: Kopecks
    received_kopecks: Kopecks
    charged_kopecks: Kopecks
    closing_kopecks: Kopecks
