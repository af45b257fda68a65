"""What the provider's truth does to a payment: pure, so that every rule can be tried alone.

- States never go back. A success also follows a local cancellation, because the money is there.
- What the provider confirms is said to the ledger, always; another amount than we asked for goes
  to suspense. Only another shop, another currency, a test payment in a live shop and a payment
  from before the cutover are held instead: no event, and an alarm where a person has to look.
- A payment that nobody here knows is adopted from what the provider gives back of our own words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from shared.events import Allocation, PaymentCanceled, PaymentSucceeded
from shared.events_billing import PaymentPending
from shared.events_gateway import ChargeFailed, FailureClass
from shared.gateway.consent import Consent
from shared.gateway.method import ProviderMethod
from shared.gateway.provider import ProviderPayment, Status
from shared.gateway.receipt import Line
from shared.money import RUB

FOREIGN_SHOP: Final = "foreign_shop"
FOREIGN_CURRENCY: Final = "foreign_currency"
TEST_MODE: Final = "test_mode"
BEFORE_CUTOVER: Final = "before_cutover"
OTHER_AMOUNT: Final = "amount"
UNKNOWN_ORDER: Final = "unknown_order"
LAPSED: Final = "hold_expired"
TOPUP: Final = "topup"
AUTOPAY: Final = "autopay"


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment as we know it."""

    id: UUID
    shop: str
    status: Status
    amount_kopecks: int
    """What we asked for."""
    allocations: tuple[Allocation, ...]
    correlation_id: str
    created_at: datetime
    order_id: str | None = None
    provider_payment_id: str | None = None
    said: str = ""
    confirmation_url: str | None = None
    means: str | None = None
    """What the payer chose to pay with on our page."""
    qr_payload: str | None = None
    """The address that the code to scan holds, where there is one."""
    expires_at: datetime | None = None
    """Until when it can be paid, where the provider says it."""
    received_kopecks: int | None = None
    """What the provider took, once it has succeeded."""
    income_kopecks: int | None = None
    """What of it reaches the bank account, where the provider says it."""
    reserved_kopecks: int = 0
    """What of that is on its way back or back."""
    method: str = ""
    paid_at: datetime | None = None
    confirmed_at: datetime | None = None
    """When the provider first said that the payer had confirmed."""
    reason: str = ""
    suspense: str | None = None
    held: str | None = None
    """Why a success is not said to anybody."""
    receipt: Line | None = None
    """The line that its receipt was asked for with; none where it has no receipt."""
    charge_id: str | None = None
    """Set for a charge of a saved method, which nobody confirms."""
    method_ref: str | None = None
    """The saved method that is charged."""
    not_after: datetime | None = None
    """A charge that has not been sent by then is not sent any more."""
    consent: Consent | None = None
    """What the payer agreed to, where the payment is to save its method."""

    @property
    def heard_late(self) -> bool:
        """Say whether this charge was first heard of when it was not to be sent any more."""
        return self.not_after is not None and self.created_at > self.not_after


@dataclass(frozen=True, slots=True)
class Rules:
    """What this shop's payments are measured against."""

    test: bool
    cutover_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class HeldMoney:
    """Money that is held for us and has to be taken in time."""

    amount_kopecks: int
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Decision:
    """What a payment becomes, what is said of it, and whether a person must look."""

    payment: Payment
    event: PaymentSucceeded | PaymentPending | PaymentCanceled | ChargeFailed | None = None
    alarm: str | None = None
    poll: bool = False
    """Whether the provider has more to tell."""
    hold: HeldMoney | None = None
    """What is to be taken now."""
    saved: ProviderMethod | None = None
    """The method to keep: its payer agreed, and its provider kept it."""


def decide(payment: Payment, truth: ProviderPayment, rules: Rules, at: datetime) -> Decision:
    """Return what the truth changes; deciding twice on the same truth says nothing twice."""
    known = replace(
        payment,
        provider_payment_id=truth.id,
        said=truth.said,
        confirmation_url=payment.confirmation_url or truth.confirmation_url,
        qr_payload=payment.qr_payload or truth.qr_payload,
        expires_at=truth.expires_at or payment.expires_at,
    )
    if truth.status is Status.SUCCEEDED:
        return _succeeded(known, truth, rules)
    if payment.status is Status.SUCCEEDED:
        # An old answer after a newer one is ordinary; a success that was taken back is not.
        revoked = truth.status is Status.CANCELED
        return Decision(payment, alarm="success_revoked" if revoked else None)
    if truth.status is Status.CANCELED:
        done = canceled(known, truth.reason, at, truth.failure)
        return replace(done, alarm=LAPSED) if truth.lapsed and done.event else done
    status = max(known.status, Status.PENDING, key=lambda status: status.rank)
    waiting = Decision(replace(known, status=status), poll=True)
    waiting = _on_hold(waiting, truth, rules) if truth.on_hold else waiting
    return _confirmed(waiting, truth, rules, at) if truth.confirmed or truth.on_hold else waiting


def canceled(
    payment: Payment, reason: str, at: datetime, failure: FailureClass = FailureClass.SHOP
) -> Decision:
    """Return the cancellation of a payment that has not succeeded; said once.

    Of a charge it is said as such, with what it means for the next one of the same method.
    """
    if payment.status.rank >= Status.CANCELED.rank:
        return Decision(payment)
    done = replace(payment, status=Status.CANCELED, reason=reason)
    if done.charge_id is not None:
        return Decision(done, _charge_failed(done, done.charge_id, failure, at))
    event = PaymentCanceled(
        contract=_contract(done),
        occurred_at=at,
        provider=done.shop,
        provider_payment_id=done.provider_payment_id,
        amount_kopecks=done.amount_kopecks,
        allocations=done.allocations,
        reason=reason,
        order_id=done.order_id,
    )
    return Decision(done, event)


def adopt(shop: str, truth: ProviderPayment, payment_id: UUID) -> Payment:
    """Return a payment that we have no row of, made of what the provider gave back."""
    whole = sum(part.amount_kopecks for part in truth.allocations) == truth.amount_kopecks
    return Payment(
        id=payment_id,
        shop=shop,
        status=Status.PENDING,
        amount_kopecks=truth.amount_kopecks,
        allocations=truth.allocations if whole else (),
        correlation_id=payment_id.hex,
        created_at=truth.created_at,
        charge_id=truth.charge_id,
        suspense=None if truth.allocations and whole else UNKNOWN_ORDER,
    )


def success(payment: Payment) -> PaymentSucceeded:
    """Return the event of a success, from the row alone: said again, it is the same to the byte.

    Raises ValueError for a payment without one.
    """
    received, paid_at, provider_id = (
        payment.received_kopecks,
        payment.paid_at,
        payment.provider_payment_id,
    )
    if received is None or paid_at is None or provider_id is None:
        raise ValueError(f"payment {payment.id} has no success to say")
    return PaymentSucceeded(
        contract=_contract(payment),
        occurred_at=paid_at,
        provider=payment.shop,
        provider_payment_id=provider_id,
        amount_kopecks=received,
        allocations=_shares(payment, received),
        method=payment.method,
        purpose=TOPUP if payment.charge_id is None else AUTOPAY,
        paid_at=paid_at,
        order_id=payment.order_id,
        charge_id=payment.charge_id,
        suspense=payment.suspense,
    )


def _succeeded(known: Payment, truth: ProviderPayment, rules: Rules) -> Decision:
    if known.status is Status.SUCCEEDED:
        changed = truth.amount_kopecks != known.received_kopecks
        return Decision(known, alarm="success_changed" if changed else None)
    held = _objection(known, truth, rules)
    if held is not None:
        heard = known.held == held or held == BEFORE_CUTOVER
        return Decision(replace(known, held=held), alarm=None if heard else held)
    other = truth.amount_kopecks != known.amount_kopecks
    done = replace(
        known,
        status=Status.SUCCEEDED,
        received_kopecks=truth.amount_kopecks,
        income_kopecks=truth.income_kopecks,
        method=truth.method,
        paid_at=truth.paid_at or truth.created_at,
        suspense=OTHER_AMOUNT if other else known.suspense,
        reason="",
        held=None,
    )
    saved = truth.saved if done.consent is not None else None
    return Decision(done, success(done), alarm=_doubt(done.suspense), saved=saved)


def _charge_failed(
    done: Payment, charge_id: str, failure: FailureClass, at: datetime
) -> ChargeFailed:
    return ChargeFailed(
        contract=_contract(done),
        occurred_at=at,
        charge_id=charge_id,
        provider=done.shop,
        method_ref=done.method_ref or "",
        amount_kopecks=done.amount_kopecks,
        reason=done.reason,
        failure=failure,
    )


def _on_hold(waiting: Decision, truth: ProviderPayment, rules: Rules) -> Decision:
    """Have held money taken, all of it; what is not ours is left to its owner.

    A local cancellation does not give it up: the payer has paid, only we did not know.
    """
    known = waiting.payment
    held = _objection(known, truth, rules)
    if held is None:
        return replace(waiting, hold=HeldMoney(truth.amount_kopecks, truth.hold_until))
    heard = known.held == held or held == BEFORE_CUTOVER
    return replace(waiting, payment=replace(known, held=held), alarm=None if heard else held)


def _confirmed(waiting: Decision, truth: ProviderPayment, rules: Rules, at: datetime) -> Decision:
    """Say once that the payer has confirmed: whoever is short of money need not be cut off now."""
    known, shares = waiting.payment, _shares(waiting.payment, truth.amount_kopecks)
    said = known.confirmed_at is not None
    if said or not shares or _objection(known, truth, rules) is not None:
        return waiting
    event = PaymentPending(
        contract=_contract(known),
        occurred_at=at,
        provider=known.shop,
        provider_payment_id=truth.id,
        amount_kopecks=truth.amount_kopecks,
        allocations=shares,
    )
    return replace(waiting, payment=replace(known, confirmed_at=at), event=event)


def _objection(known: Payment, truth: ProviderPayment, rules: Rules) -> str | None:
    if truth.shop != known.shop:
        return FOREIGN_SHOP
    if truth.test != rules.test:
        return TEST_MODE
    if truth.currency != RUB:
        return FOREIGN_CURRENCY
    if rules.cutover_at is not None and truth.created_at < rules.cutover_at:
        return BEFORE_CUTOVER
    return None


def _shares(payment: Payment, received: int) -> tuple[Allocation, ...]:
    """Whose money it is; who gets how much of another amount than we asked for, a person says."""
    if received == payment.amount_kopecks:
        return payment.allocations
    contract = _contract(payment)
    return () if contract is None else (Allocation(contract=contract, amount_kopecks=received),)


def _doubt(suspense: str | None) -> str | None:
    return None if suspense is None else f"payment_in_suspense_{suspense}"


def _contract(payment: Payment) -> str | None:
    return payment.allocations[0].contract if len(payment.allocations) == 1 else None
