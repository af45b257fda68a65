"""The decision about a payment, rule by rule."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from shared.events import Allocation, PaymentCanceled, PaymentSucceeded
from shared.gateway import settle
from shared.gateway.provider import ProviderPayment, Status
from shared.gateway.settle import Payment, Rules, decide

NOON = datetime(2026, 11, 22, 9, tzinfo=UTC)
PAID = NOON + timedelta(minutes=3)
SHOP = "yookassa:100500"
RULES = Rules(test=False)
MINE = Payment(
    id=UUID(int=7),
    shop=SHOP,
    status=Status.CREATING,
    amount_kopecks=65_000,
    allocations=(Allocation(contract="100245", amount_kopecks=65_000),),
    correlation_id="corr",
    created_at=NOON,
    order_id="order-1",
)
TRUTH = ProviderPayment(
    id="p-1",
    shop=SHOP,
    status=Status.PENDING,
    said="pending",
    amount_kopecks=65_000,
    currency="RUB",
    test=False,
    created_at=NOON,
    confirmation_url="https://pay.example/p-1",
    payment_id=MINE.id,
    allocations=MINE.allocations,
)
PAID_TRUTH = replace(
    TRUTH,
    status=Status.SUCCEEDED,
    said="succeeded",
    paid_at=PAID,
    method="bank_card",
    confirmation_url=None,
)
CANCELED_TRUTH = replace(TRUTH, status=Status.CANCELED, said="canceled", reason="card_expired")
PENDING = replace(
    MINE,
    status=Status.PENDING,
    provider_payment_id="p-1",
    said="pending",
    confirmation_url="https://pay.example/p-1",
)


def test_a_made_payment_is_pending_and_has_an_address() -> None:
    decision = decide(MINE, TRUTH, RULES, NOON)
    assert decision.payment == PENDING
    assert decision.poll
    assert (decision.event, decision.alarm) == (None, None)


def test_a_success_is_said_with_the_providers_facts() -> None:
    decision = decide(PENDING, PAID_TRUTH, RULES, NOON)
    assert decision.event == PaymentSucceeded(
        contract="100245",
        occurred_at=PAID,
        provider=SHOP,
        provider_payment_id="p-1",
        amount_kopecks=65_000,
        allocations=MINE.allocations,
        method="bank_card",
        paid_at=PAID,
        order_id="order-1",
    )
    assert decision.payment == replace(
        PENDING,
        status=Status.SUCCEEDED,
        said="succeeded",
        received_kopecks=65_000,
        method="bank_card",
        paid_at=PAID,
    )
    assert not decision.poll
    assert decision.alarm is None


def test_a_success_keeps_the_address_that_the_provider_no_longer_gives() -> None:
    decision = decide(PENDING, PAID_TRUTH, RULES, NOON)
    assert decision.payment.confirmation_url == "https://pay.example/p-1"


def test_a_success_without_a_time_of_capture_has_the_time_of_creation() -> None:
    truth = replace(PAID_TRUTH, paid_at=None, created_at=NOON - timedelta(hours=1))
    event = decide(PENDING, truth, RULES, NOON).event
    assert isinstance(event, PaymentSucceeded)
    assert event.paid_at == event.occurred_at == NOON - timedelta(hours=1)


def test_a_success_is_said_once() -> None:
    done = decide(PENDING, PAID_TRUTH, RULES, NOON).payment
    again = decide(done, PAID_TRUTH, RULES, NOON)
    assert (again.payment, again.event, again.alarm, again.poll) == (done, None, None, False)


def test_a_success_comes_straight_after_creating() -> None:
    decision = decide(MINE, PAID_TRUTH, RULES, NOON)
    assert decision.payment.status is Status.SUCCEEDED
    assert decision.event is not None


def test_a_success_follows_a_cancellation() -> None:
    gone = decide(PENDING, CANCELED_TRUTH, RULES, NOON).payment
    late = decide(gone, PAID_TRUTH, RULES, NOON)
    assert late.payment.status is Status.SUCCEEDED
    assert late.payment.reason == ""
    assert isinstance(late.event, PaymentSucceeded)


def test_a_cancellation_is_said_once_with_its_reason() -> None:
    decision = decide(PENDING, CANCELED_TRUTH, RULES, NOON)
    assert decision.event == PaymentCanceled(
        contract="100245",
        occurred_at=NOON,
        provider=SHOP,
        provider_payment_id="p-1",
        amount_kopecks=65_000,
        allocations=MINE.allocations,
        reason="card_expired",
        order_id="order-1",
    )
    assert decision.payment.status is Status.CANCELED
    assert decision.payment.reason == "card_expired"
    assert not decision.poll
    again = decide(decision.payment, CANCELED_TRUTH, RULES, NOON)
    assert (again.event, again.alarm, again.poll) == (None, None, False)


def test_a_late_pending_changes_nothing_after_a_success() -> None:
    done = decide(PENDING, PAID_TRUTH, RULES, NOON).payment
    late = decide(done, TRUTH, RULES, NOON)
    assert (late.payment, late.event, late.alarm, late.poll) == (done, None, None, False)


def test_a_success_that_is_taken_back_is_an_alarm_and_stays() -> None:
    done = decide(PENDING, PAID_TRUTH, RULES, NOON).payment
    late = decide(done, CANCELED_TRUTH, RULES, NOON)
    assert (late.payment, late.event, late.alarm) == (done, None, "success_revoked")


def test_a_success_of_another_amount_than_before_is_an_alarm() -> None:
    done = decide(PENDING, PAID_TRUTH, RULES, NOON).payment
    late = decide(done, replace(PAID_TRUTH, amount_kopecks=1), RULES, NOON)
    assert (late.payment, late.event, late.alarm) == (done, None, "success_changed")


def test_a_locally_canceled_payment_that_the_provider_still_waits_for_is_watched() -> None:
    gone = settle.canceled(MINE, "unmade", NOON).payment
    decision = decide(gone, TRUTH, RULES, NOON)
    assert decision.payment.status is Status.CANCELED
    assert decision.payment.provider_payment_id == "p-1"
    assert decision.poll
    assert decision.event is None


@pytest.mark.parametrize(
    ("changes", "rules", "why", "alarm"),
    [
        ({"shop": "yookassa:1"}, RULES, settle.FOREIGN_SHOP, settle.FOREIGN_SHOP),
        ({"test": True}, RULES, settle.TEST_MODE, settle.TEST_MODE),
        ({}, Rules(test=True), settle.TEST_MODE, settle.TEST_MODE),
        ({"currency": "USD"}, RULES, settle.FOREIGN_CURRENCY, settle.FOREIGN_CURRENCY),
        ({}, Rules(False, NOON + timedelta(microseconds=1)), settle.BEFORE_CUTOVER, None),
    ],
)
def test_what_is_not_ours_to_credit_is_held(
    changes: dict[str, object], rules: Rules, why: str, alarm: str | None
) -> None:
    truth = replace(PAID_TRUTH, **changes)  # type: ignore[arg-type]
    decision = decide(PENDING, truth, rules, NOON)
    assert decision.event is None
    assert decision.payment.held == why
    assert decision.payment.status is Status.PENDING
    assert decision.payment.received_kopecks is None
    assert decision.alarm == alarm
    assert not decision.poll
    assert decide(decision.payment, truth, rules, NOON).alarm is None


def test_what_was_held_is_credited_once_the_objection_is_gone() -> None:
    held = decide(PENDING, PAID_TRUTH, Rules(test=True), NOON).payment
    decision = decide(held, PAID_TRUTH, RULES, NOON)
    assert decision.payment.held is None
    assert isinstance(decision.event, PaymentSucceeded)


def test_a_payment_made_at_the_cutover_is_credited() -> None:
    assert decide(PENDING, PAID_TRUTH, Rules(False, NOON), NOON).event is not None


def test_another_amount_goes_to_suspense_with_what_the_provider_took() -> None:
    decision = decide(PENDING, replace(PAID_TRUTH, amount_kopecks=64_999), RULES, NOON)
    event = decision.event
    assert isinstance(event, PaymentSucceeded)
    assert (event.amount_kopecks, event.suspense) == (64_999, "amount")
    assert event.allocations == (Allocation(contract="100245", amount_kopecks=64_999),)
    assert decision.alarm == "payment_in_suspense_amount"
    assert decision.payment.amount_kopecks == 65_000
    assert decision.payment.received_kopecks == 64_999


def test_another_amount_for_several_contracts_is_shared_out_by_a_person() -> None:
    parts = tuple(
        Allocation(contract=c, amount_kopecks=k) for c, k in (("1", 60_000), ("2", 5_000))
    )
    known = replace(PENDING, allocations=parts)
    event = decide(known, replace(PAID_TRUTH, amount_kopecks=1), RULES, NOON).event
    assert isinstance(event, PaymentSucceeded)
    assert (event.allocations, event.contract) == ((), None)


def test_an_unknown_payment_is_adopted_from_our_own_words() -> None:
    adopted = settle.adopt(SHOP, PAID_TRUTH, MINE.id)
    assert adopted == Payment(
        id=MINE.id,
        shop=SHOP,
        status=Status.PENDING,
        amount_kopecks=65_000,
        allocations=MINE.allocations,
        correlation_id=MINE.id.hex,
        created_at=NOON,
    )
    decision = decide(adopted, PAID_TRUTH, RULES, NOON)
    assert isinstance(decision.event, PaymentSucceeded)
    assert (decision.event.suspense, decision.alarm) == (None, None)


@pytest.mark.parametrize(
    "allocations",
    [(), (Allocation(contract="100245", amount_kopecks=64_999),)],
    ids=["no words", "words that do not add up"],
)
def test_money_without_words_of_ours_is_held_in_suspense(
    allocations: tuple[Allocation, ...],
) -> None:
    truth = replace(PAID_TRUTH, allocations=allocations, payment_id=None)
    decision = decide(settle.adopt(SHOP, truth, UUID(int=9)), truth, RULES, NOON)
    event = decision.event
    assert isinstance(event, PaymentSucceeded)
    assert (event.contract, event.allocations) == (None, ())
    assert (event.suspense, event.amount_kopecks) == ("unknown_order", 65_000)
    assert decision.alarm == "payment_in_suspense_unknown_order"


def test_a_success_said_again_is_the_same() -> None:
    decision = decide(PENDING, PAID_TRUTH, RULES, NOON)
    assert settle.success(decision.payment) == decision.event


@pytest.mark.parametrize("gone", ["received_kopecks", "paid_at", "provider_payment_id"])
def test_there_is_no_event_of_half_a_success(gone: str) -> None:
    done = decide(PENDING, PAID_TRUTH, RULES, NOON).payment
    with pytest.raises(ValueError, match="no success"):
        settle.success(replace(done, **{gone: None}))


def test_a_local_cancellation_does_not_touch_what_has_ended() -> None:
    done = decide(PENDING, PAID_TRUTH, RULES, NOON).payment
    assert settle.canceled(done, "unmade", NOON) == settle.Decision(done)
    gone = settle.canceled(MINE, "unmade", NOON)
    assert gone.payment.status is Status.CANCELED
    assert settle.canceled(gone.payment, "again", NOON) == settle.Decision(gone.payment)
