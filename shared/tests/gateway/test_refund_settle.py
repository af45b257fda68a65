"""What the provider's truth does to a refund, rule by rule."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from shared.events_gateway import RefundFailed, RefundSucceeded
from shared.gateway import refund_settle
from shared.gateway.provider import ProviderRefund, Status
from shared.gateway.refund_settle import Refund, decide
from shared.gateway.settle import BEFORE_CUTOVER, Payment, Rules

NOON = datetime(2026, 11, 22, 9, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
RULES = Rules(test=False)
PAYMENT = Payment(
    id=UUID(int=1),
    shop="yookassa:100500",
    status=Status.SUCCEEDED,
    amount_kopecks=10_000,
    allocations=(),
    correlation_id="c",
    created_at=NOON,
    provider_payment_id="p",
    received_kopecks=10_000,
)
CREATING = Refund(
    id=UUID(int=2),
    shop="yookassa:100500",
    payment_id=UUID(int=1),
    provider_payment_id="p",
    status=Status.CREATING,
    amount_kopecks=4_000,
    correlation_id="c",
    created_at=NOON,
    asked_by="demo",
)
PENDING_TOLD = ProviderRefund(
    id="r",
    provider_payment_id="p",
    status=Status.PENDING,
    said="pending",
    amount_kopecks=4_000,
    currency="RUB",
    created_at=NOON,
)
SUCCEEDED_TOLD = replace(PENDING_TOLD, status=Status.SUCCEEDED, said="succeeded")
CANCELED_TOLD = replace(PENDING_TOLD, status=Status.CANCELED, said="canceled", reason="why")
SUCCEEDED = decide(CREATING, SUCCEEDED_TOLD, PAYMENT, RULES, NOON).refund
CANCELED = decide(CREATING, CANCELED_TOLD, PAYMENT, RULES, NOON).refund


def test_a_success_is_the_providers_in_amount_and_time() -> None:
    told = replace(SUCCEEDED_TOLD, created_at=LATER, amount_kopecks=3_900)
    decision = decide(CREATING, told, PAYMENT, RULES, NOON)
    assert isinstance(decision.event, RefundSucceeded)
    assert (decision.event.amount_kopecks, decision.event.occurred_at) == (3_900, LATER)
    assert decision.alarms == ("refund_changed",)
    assert refund_settle.success(decision.refund) == decision.event


@pytest.mark.parametrize("told", [PENDING_TOLD, SUCCEEDED_TOLD])
def test_what_has_succeeded_stays_so_in_silence(told: ProviderRefund) -> None:
    decision = decide(SUCCEEDED, told, PAYMENT, RULES, LATER)
    assert decision == refund_settle.Decision(SUCCEEDED)


def test_a_cancellation_is_said_once_with_its_first_time() -> None:
    assert CANCELED.failed_at == NOON
    assert refund_settle.failure(CANCELED) == RefundFailed(
        occurred_at=NOON,
        provider="yookassa:100500",
        provider_payment_id="p",
        provider_refund_id="r",
        amount_kopecks=4_000,
        reason="why",
    )
    again = decide(CANCELED, CANCELED_TOLD, PAYMENT, RULES, LATER)
    assert (again.refund, again.event) == (CANCELED, None)
    assert CANCELED.reserves_kopecks == 0


def test_a_success_comes_after_a_cancellation() -> None:
    decision = decide(CANCELED, SUCCEEDED_TOLD, PAYMENT, RULES, LATER)
    assert isinstance(decision.event, RefundSucceeded)
    assert (decision.refund.status, decision.refund.failed_at) == (Status.SUCCEEDED, None)


def test_what_was_given_up_and_goes_on_is_followed() -> None:
    given_up = refund_settle.failed(CREATING, "unmade", NOON).refund
    decision = decide(given_up, PENDING_TOLD, PAYMENT, RULES, LATER)
    assert (decision.refund.status, decision.poll) == (Status.CANCELED, True)


def test_the_refund_of_another_payment_changes_nothing() -> None:
    told = replace(SUCCEEDED_TOLD, provider_payment_id="another")
    decision = decide(CREATING, told, PAYMENT, RULES, NOON)
    assert (decision.refund, decision.event) == (CREATING, None)
    assert decision.alarms == ("refund_of_another_payment",)


@pytest.mark.parametrize(("minutes", "alarms"), [(-1, ()), (0, ("refund_held",))])
def test_only_what_was_sent_back_after_the_cutover_is_an_alarm(
    minutes: int, alarms: tuple[str, ...]
) -> None:
    held = replace(PAYMENT, status=Status.PENDING, held=BEFORE_CUTOVER)
    told = replace(SUCCEEDED_TOLD, created_at=NOON + timedelta(minutes=minutes))
    decision = decide(CREATING, told, held, Rules(test=False, cutover_at=NOON), LATER)
    assert (decision.refund.held, decision.event) == (BEFORE_CUTOVER, None)
    assert decision.alarms == alarms


def test_what_has_not_ended_has_nothing_to_say() -> None:
    for say in (refund_settle.success, refund_settle.failure):
        with pytest.raises(ValueError, match="to say"):
            say(CREATING)
