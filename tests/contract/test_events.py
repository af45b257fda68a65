"""What one service says, every other one reads: a golden body per event type.

A golden body changes only with the contract. A field may be added; one that is renamed, removed or
written otherwise breaks events that lie in queues, outboxes and dead letters at that moment.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from shared import asyncapi, events
from shared import events_autopay as autopay
from shared import events_billing as billing
from shared import events_gateway as gateway
from shared.crypto import Signer
from shared.events import EventData, decode, encode, sign, verified
from shared.topology import LISTENERS

GOLDEN = Path(__file__).parent / "events"
AT = datetime(2026, 11, 22, 9, 30, 15, 250_000, tzinfo=UTC)
PAYMENT = "2c5f1a3e-000f-5000-9000-1d1f1a0c7a11"
REFUND = "2c5f2b4f-0015-5000-8000-0a1b2c3d4e5f"
METHOD = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
ORDER = "0f8fad5b-d9cb-469f-a165-70867728950e"
CORRELATION = "4bf92f3577b34da6a3ce929d0e0e4736"
MANDATE = "8a1d6c52-3f0b-4b57-9c41-6a5d2e9f7b10"
MESSAGE = "d3b07384-d113-4ec6-a7d6-1f2e3d4c5b6a"
FACT = "e5316ea9-b6d9-5dfe-a354-714c8a6b0681"
PAGE = "https://pay.example.org/autopay/m/8a1d6c52"
SHOP = "yookassa:100500"
SPLIT = (
    events.Allocation(contract="100245", amount_kopecks=40_000),
    events.Allocation(contract="100311", amount_kopecks=25_000),
)
LINES = (
    billing.NeededLine(ru="Долг", en="Debt", kopecks=55_000),
    billing.NeededLine(
        ru="Безлимит 100, 01.12.2026–31.12.2026",
        en="Безлимит 100, 2026-12-01 to 2026-12-31",
        kopecks=65_000,
    ),
)

SAID: dict[EventData, tuple[str, str, str | int]] = {
    events.PaymentSucceeded(
        contract="100245",
        occurred_at=AT,
        provider=SHOP,
        provider_payment_id=PAYMENT,
        amount_kopecks=65_000,
        allocations=SPLIT,
        method="bank_card",
        paid_at=AT,
        order_id=ORDER,
    ): ("gateway-yookassa", PAYMENT, f"{SHOP}:{PAYMENT}"),
    events.PaymentCanceled(
        contract="100245",
        occurred_at=AT,
        provider=SHOP,
        provider_payment_id=PAYMENT,
        amount_kopecks=65_000,
        allocations=SPLIT,
        reason="expired_on_confirmation",
        order_id=ORDER,
    ): ("gateway-yookassa", PAYMENT, f"{SHOP}:{PAYMENT}"),
    events.PaymentPosted(
        contract="100245",
        occurred_at=AT,
        payment_id="1017",
        provider=SHOP,
        provider_payment_id=PAYMENT,
        amount_kopecks=65_000,
        balance_kopecks=-55_000,
        available_kopecks=-55_000,
        posted_at=AT + timedelta(seconds=2),
        charge_id=ORDER,
    ): ("core-billing", "100245", f"{SHOP}:{PAYMENT}"),
    events.PaymentUnmatched(
        contract="999999",
        occurred_at=AT,
        payment_id="1018",
        provider=SHOP,
        provider_payment_id=PAYMENT,
        amount_kopecks=65_000,
        reason="unknown_contract",
    ): ("core-billing", "999999", f"{SHOP}:{PAYMENT}"),
    events.WatchSet(
        contract="100245", occurred_at=AT, revision=3, watcher="notifier", threshold_kopecks=10_000
    ): ("notifier", "notifier:100245", 3),
    events.WatchCleared(contract="100245", occurred_at=AT, revision=4, watcher="notifier"): (
        "notifier",
        "notifier:100245",
        4,
    ),
    events.BalanceLow(
        contract="100245",
        occurred_at=AT,
        watcher="notifier",
        crossing=7,
        threshold_kopecks=10_000,
        balance_kopecks=-120_000,
        needed_kopecks=130_000,
        blocks_on="2026-11-25",
    ): ("core-billing", "100245", "notifier:balance:7"),
    events.BalanceRecovered(
        contract="100245", occurred_at=AT, watcher="notifier", crossing=7, balance_kopecks=20_000
    ): ("core-billing", "100245", "notifier:balance:7"),
    events.ContractChanged(
        contract="100245",
        occurred_at=AT,
        revision=2,
        operator="Связь",
        status="open",
        subscriber_id="s-1",
        names=("100245", "L-100245"),
    ): ("core-billing", "100245", 2),
    events.SubscriberChanged(
        occurred_at=AT,
        revision=5,
        subscriber_id="s-1",
        name="Анна Петрова",
        phone="+79161234567",
        email="anna@example.org",
        language="ru",
        timezone="Asia/Omsk",
    ): ("core-billing", "s-1", 5),
    gateway.RefundRequested(
        contract="100245",
        occurred_at=AT,
        refund_id=ORDER,
        provider=SHOP,
        provider_payment_id=PAYMENT,
        amount_kopecks=15_000,
        allocations=(events.Allocation(contract="100245", amount_kopecks=15_000),),
        reason="Ошибочное пополнение",
    ): ("core-billing", ORDER, ORDER),
    gateway.RefundSucceeded(
        contract="100245",
        occurred_at=AT,
        provider=SHOP,
        provider_refund_id=REFUND,
        provider_payment_id=PAYMENT,
        amount_kopecks=15_000,
        refund_id=ORDER,
        reason="Ошибочное пополнение",
    ): ("gateway-yookassa", REFUND, REFUND),
    gateway.RefundFailed(
        contract="100245",
        occurred_at=AT,
        provider=SHOP,
        provider_refund_id=REFUND,
        provider_payment_id=PAYMENT,
        amount_kopecks=15_000,
        refund_id=ORDER,
        reason="insufficient_funds",
    ): ("gateway-yookassa", ORDER, REFUND),
    gateway.RefundPosted(
        contract="100245",
        occurred_at=AT,
        provider=SHOP,
        provider_refund_id=REFUND,
        provider_payment_id=PAYMENT,
        amount_kopecks=15_000,
        balance_kopecks=-5_000,
        available_kopecks=-5_000,
    ): ("core-billing", "100245", f"{SHOP}:{REFUND}"),
    gateway.PaymentMethodSaved(
        contract="100245",
        occurred_at=AT,
        revision=1,
        provider=SHOP,
        method_ref=METHOD,
        kind="bank_card",
        title="Visa •4477",
        expires="2028-07",
    ): ("gateway-yookassa", METHOD, 1),
    gateway.PaymentMethodRevoked(
        contract="100245",
        occurred_at=AT,
        revision=2,
        provider=SHOP,
        method_ref=METHOD,
        title="Visa •4477",
        reason="removed",
    ): ("gateway-yookassa", METHOD, 2),
    gateway.ChargeRequested(
        contract="100245",
        occurred_at=AT,
        charge_id=ORDER,
        provider=SHOP,
        method_ref=METHOD,
        amount_kopecks=65_000,
        not_after=AT + timedelta(minutes=10),
    ): ("autopay", ORDER, ORDER),
    gateway.ChargeFailed(
        contract="100245",
        occurred_at=AT,
        charge_id=ORDER,
        provider=SHOP,
        method_ref=METHOD,
        amount_kopecks=65_000,
        reason="insufficient_funds",
        failure=gateway.FailureClass.SOFT,
    ): ("gateway-yookassa", ORDER, "failed"),
    gateway.FeeCharged(
        contract="100245",
        occurred_at=AT,
        fee_id="internet:100245:2026-11",
        service="Интернет",
        period="2026-11",
        amount_kopecks=65_000,
        settled_by=(
            gateway.SettledBy(provider=SHOP, provider_payment_id=PAYMENT, amount_kopecks=65_000),
        ),
    ): ("core-billing", "100245", "internet:2026-11"),
    gateway.RegisterRow(
        contract="100245",
        occurred_at=AT,
        provider=SHOP,
        day=date(2026, 11, 22),
        kind="payment",
        provider_id=PAYMENT,
        provider_payment_id=PAYMENT,
        amount_kopecks=65_000,
        fee_kopecks=1_820,
        fee_vat_kopecks=400,
        net_kopecks=62_780,
    ): ("gateway-yookassa", PAYMENT, "2026-11-22"),
    billing.PaymentPending(
        contract="100245",
        occurred_at=AT,
        provider=SHOP,
        provider_payment_id=PAYMENT,
        amount_kopecks=65_000,
        allocations=SPLIT,
    ): ("gateway-yookassa", PAYMENT, f"{SHOP}:{PAYMENT}"),
    billing.GatewayAlive(
        occurred_at=AT, gateway="gateway-yookassa", unsettled_seconds=45, unpublished_seconds=2
    ): ("gateway-yookassa", "gateway-yookassa", "2026-11-22T09:30"),
    billing.PaymentAnnulled(
        contract="100245",
        occurred_at=AT,
        payment_id="1019",
        provider="cash:main",
        provider_payment_id="000123",
        amount_kopecks=65_000,
        balance_kopecks=-120_000,
    ): ("core-billing", "100245", "cash:main:000123:2"),
    billing.ContractBlocked(
        contract="100245",
        occurred_at=AT,
        revision=11,
        reason="debt",
        balance_kopecks=-120_000,
        available_kopecks=-20_000,
    ): ("core-billing", "100245", 11),
    billing.ContractUnblocked(
        contract="100245",
        occurred_at=AT,
        revision=12,
        reason="paid",
        balance_kopecks=-55_000,
        available_kopecks=45_000,
    ): ("core-billing", "100245", 12),
    billing.PromiseGranted(
        contract="100245",
        occurred_at=AT,
        revision=1,
        promise_id="57",
        amount_kopecks=50_000,
        fee_kopecks=3_000,
        until=AT + timedelta(days=5),
        origin="subscriber",
    ): ("core-billing", "100245", "promise:57:1"),
    billing.PromiseEnding(
        contract="100245",
        occurred_at=AT,
        revision=2,
        promise_id="57",
        amount_kopecks=50_000,
        owed_kopecks=20_000,
        until=AT + timedelta(days=1),
    ): ("core-billing", "100245", "promise:57:2"),
    billing.PromiseClosed(
        contract="100245",
        occurred_at=AT,
        revision=3,
        promise_id="57",
        amount_kopecks=50_000,
        until=AT,
        how="overdue",
        ended_on=date(2026, 11, 22),
    ): ("core-billing", "100245", "promise:57:3"),
    billing.FeeUpcoming(
        contract="100245",
        occurred_at=AT,
        watcher="notifier",
        fees_on=date(2026, 12, 1),
        fee_kopecks=65_000,
        balance_kopecks=-55_000,
        available_kopecks=-55_000,
        needed_kopecks=120_000,
        lines=LINES,
        blocks_on=date(2026, 12, 1),
    ): ("core-billing", "100245", "notifier:fee:2026-12-01"),
    billing.ContractDue(
        contract="100245",
        occurred_at=AT,
        balance_kopecks=-55_000,
        available_kopecks=-55_000,
        needed_kopecks=120_000,
        lines=LINES,
        blocks_on=date(2026, 12, 1),
    ): ("core-billing", "100245", "due:9"),
    billing.StatementReady(
        contract="100245",
        occurred_at=AT,
        month="2026-10",
        opening_kopecks=10_000,
        received_kopecks=65_000,
        charged_kopecks=130_000,
        closing_kopecks=-55_000,
    ): ("core-billing", "100245", "statement:2026-10"),
    autopay.MandateRevoked(
        contract="100245",
        occurred_at=AT,
        revision=4,
        mandate_id=MANDATE,
        methods=(autopay.MethodName(provider=SHOP, method_ref=METHOD),),
    ): ("autopay", MANDATE, 4),
    autopay.AutopayUpcoming(
        contract="100245",
        occurred_at=AT,
        charge_id=ORDER,
        mandate_id=MANDATE,
        amount_kopecks=65_000,
        charge_at=AT + timedelta(days=1),
        method_title="Visa •4477",
        why="fee",
        balance_kopecks=-55_000,
        fees_on=date(2026, 12, 1),
        skip_url=f"{PAGE}/skip",
        mandate_url=PAGE,
    ): ("autopay", ORDER, "upcoming"),
    autopay.AutopayDropped(
        contract="100245",
        occurred_at=AT,
        charge_id=ORDER,
        mandate_id=MANDATE,
        amount_kopecks=65_000,
        reason="paid",
    ): ("autopay", ORDER, "dropped"),
    autopay.AutopayFailed(
        contract="100245",
        occurred_at=AT,
        charge_id=ORDER,
        mandate_id=MANDATE,
        amount_kopecks=65_000,
        method_title="Visa •4477",
        reason="insufficient_funds",
        next_try_at=AT + timedelta(days=1),
        next_method_title="СБП, счёт •8811",
        needs="nothing",
        mandate_url=PAGE,
    ): ("autopay", ORDER, "failed"),
    autopay.AutopayExpiring(
        contract="100245",
        occurred_at=AT,
        mandate_id=MANDATE,
        method_title="Visa •4477",
        expires="2026-12",
        mandate_url=PAGE,
    ): ("autopay", MANDATE, "expiring:2026-12"),
    autopay.MessageSent(
        contract="100245",
        occurred_at=AT,
        message_id=MESSAGE,
        channel="sms",
        kind="low_balance",
        about=FACT,
    ): ("notifier", MESSAGE, "sent"),
    autopay.MessageFailed(
        contract="100245",
        occurred_at=AT,
        message_id=MESSAGE,
        channel="email",
        kind="low_balance",
        about=FACT,
        reason="mailbox_unknown",
    ): ("notifier", MESSAGE, "failed"),
}
"""What each type says, with its producer, subject and revision."""

EVENTS = {
    body.TYPE: body.event(producer, subject=subject, revision=revision, correlation_id=CORRELATION)
    for body, (producer, subject, revision) in SAID.items()
}
BODIES = {body.TYPE: body for body in SAID}
KINDS = sorted(EVENTS)


def golden(kind: str) -> bytes:
    """Return the golden body of a type as it travels: without the spaces that are for readers."""
    return orjson.dumps(orjson.loads((GOLDEN / f"{kind}.json").read_bytes()))


def test_every_type_has_its_golden_body() -> None:
    assert set(asyncapi.models()) == set(KINDS)
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(KINDS)


def test_every_type_somebody_listens_to_has_a_model() -> None:
    assert set(LISTENERS) <= set(asyncapi.models())


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_said_is_the_golden_body(kind: str) -> None:
    """Byte for byte, the order of the fields included: signatures and digests are made of them."""
    assert encode(EVENTS[kind]).decode() == golden(kind).decode()


@pytest.mark.parametrize("kind", KINDS)
def test_the_golden_body_is_read(kind: str) -> None:
    signer = Signer(["a key of sixteen"])
    event = verified(signer, golden(kind), sign(signer, golden(kind)))
    assert event == EVENTS[kind]
    assert event.digest() == EVENTS[kind].digest()
    assert type(BODIES[kind]).of(event) == BODIES[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_fields_of_the_future_are_ignored(kind: str) -> None:
    said = orjson.loads(golden(kind))
    said["data"]["colour"] = said["colour"] = "red"
    assert type(BODIES[kind]).of(decode(orjson.dumps(said))) == BODIES[kind]
