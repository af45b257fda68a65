"""What the provider's truth does to a refund: pure, so that every rule can be tried alone.

- States never go back. A success also follows what we took for failed, because the money is gone.
- Every success is said to the ledger, also of a refund that nobody here has asked for; what was
  asked for and comes to nothing is said, too.
- A refund has neither shop nor currency of its own to be trusted with: where its payment is held,
  or its currency is another one, it is held as well, without an event and with an alarm.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from shared.events_gateway import RefundFailed, RefundSucceeded
from shared.gateway.provider import ProviderRefund, Status
from shared.gateway.settle import BEFORE_CUTOVER, FOREIGN_CURRENCY, Payment, Rules
from shared.money import RUB

CHANGED: Final = "refund_changed"
ELSEWHERE: Final = "refund_of_another_payment"
HELD: Final = "refund_held"
REVOKED: Final = "refund_revoked"


@dataclass(frozen=True, slots=True)
class Refund:
    """A refund as we know it."""

    id: UUID
    shop: str
    payment_id: UUID
    provider_payment_id: str
    status: Status
    amount_kopecks: int
    correlation_id: str
    created_at: datetime
    asked_by: str | None = None
    """Who asked here; none for a refund that was made at the provider without us."""
    request_id: str | None = None
    """The id the ledger asked under, the `refund_id` of its events."""
    provider_refund_id: str | None = None
    reason: str = ""
    """Why somebody wants it."""
    failure: str = ""
    """Why it came to nothing."""
    refunded_at: datetime | None = None
    """The provider's time."""
    failed_at: datetime | None = None
    held: str | None = None
    """Why a success is not said to anybody."""

    @property
    def reserves_kopecks(self) -> int:
        """What it takes from the rest of its payment: nothing once it has come to nothing."""
        return 0 if self.status is Status.CANCELED else self.amount_kopecks


@dataclass(frozen=True, slots=True)
class Decision:
    """What a refund becomes, what is said of it, and whether a person must look."""

    refund: Refund
    event: RefundSucceeded | RefundFailed | None = None
    alarms: tuple[str, ...] = ()
    poll: bool = False
    """Whether the provider has more to tell."""


def decide(
    refund: Refund, truth: ProviderRefund, payment: Payment, rules: Rules, at: datetime
) -> Decision:
    """Return what the truth changes; deciding twice on the same truth says nothing twice."""
    if truth.provider_payment_id != refund.provider_payment_id:
        return Decision(refund, alarms=(ELSEWHERE,))
    known = replace(refund, provider_refund_id=truth.id)
    if refund.status is Status.SUCCEEDED:
        return Decision(refund, alarms=_afterthought(refund, truth))
    if truth.status is Status.CANCELED:
        return failed(known, truth.reason, at)
    if truth.status is Status.PENDING:
        return Decision(_pending(known), poll=True)
    held = payment.held or (FOREIGN_CURRENCY if truth.currency != RUB else None)
    if held is not None:
        heard = known.held == held or _before_our_time(held, truth, rules)
        return Decision(replace(_pending(known), held=held), alarms=() if heard else (HELD,))
    done = replace(
        known,
        status=Status.SUCCEEDED,
        amount_kopecks=truth.amount_kopecks,
        refunded_at=truth.created_at,
        failure="",
        failed_at=None,
        held=None,
    )
    other = truth.amount_kopecks != refund.amount_kopecks
    return Decision(done, success(done), (CHANGED,) if other else ())


def failed(refund: Refund, why: str, at: datetime) -> Decision:
    """Return the end of a refund that has not succeeded; said once, and only of one asked for."""
    if refund.status.rank >= Status.CANCELED.rank:
        return Decision(refund)
    done = replace(refund, status=Status.CANCELED, failure=why, failed_at=at, held=None)
    asked = done.asked_by is not None or done.request_id is not None
    return Decision(done, failure(done) if asked else None)


def adopt(shop: str, truth: ProviderRefund, payment: Payment, refund_id: UUID) -> Refund:
    """Return a refund that we have no row of, made of what the provider tells."""
    return Refund(
        id=refund_id,
        shop=shop,
        payment_id=payment.id,
        provider_payment_id=truth.provider_payment_id,
        status=Status.PENDING,
        amount_kopecks=truth.amount_kopecks,
        correlation_id=payment.correlation_id,
        created_at=truth.created_at,
        request_id=truth.request_id,
    )


def success(refund: Refund) -> RefundSucceeded:
    """Return the event of a success, from the row alone: said again, it is the same to the byte.

    Raises ValueError for a refund without one.
    """
    if refund.refunded_at is None or refund.provider_refund_id is None:
        raise ValueError(f"refund {refund.id} has no success to say")
    return RefundSucceeded(
        occurred_at=refund.refunded_at,
        provider=refund.shop,
        provider_refund_id=refund.provider_refund_id,
        provider_payment_id=refund.provider_payment_id,
        amount_kopecks=refund.amount_kopecks,
        refund_id=refund.request_id,
        reason=refund.reason,
    )


def failure(refund: Refund) -> RefundFailed:
    """Return the event of a refund that came to nothing; raises ValueError for any other."""
    if refund.failed_at is None:
        raise ValueError(f"refund {refund.id} has no failure to say")
    return RefundFailed(
        occurred_at=refund.failed_at,
        provider=refund.shop,
        provider_payment_id=refund.provider_payment_id,
        provider_refund_id=refund.provider_refund_id,
        amount_kopecks=refund.amount_kopecks,
        refund_id=refund.request_id,
        reason=refund.failure,
    )


def _pending(refund: Refund) -> Refund:
    status = max(refund.status, Status.PENDING, key=lambda status: status.rank)
    return replace(refund, status=status)


def _afterthought(refund: Refund, truth: ProviderRefund) -> tuple[str, ...]:
    """An old answer after a newer one is ordinary; a success that was taken back is not."""
    if truth.status is Status.CANCELED:
        return (REVOKED,)
    other = truth.amount_kopecks != refund.amount_kopecks
    return (CHANGED,) if truth.status is Status.SUCCEEDED and other else ()


def _before_our_time(held: str, truth: ProviderRefund, rules: Rules) -> bool:
    """The billing before us has booked what was sent back in its time."""
    cutover = rules.cutover_at
    return held == BEFORE_CUTOVER and cutover is not None and truth.created_at < cutover
