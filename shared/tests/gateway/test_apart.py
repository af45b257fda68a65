"""Receipts of a cash register that prints nothing by itself: each is a request of its own."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from shared.db import transaction
from shared.errors import Invalid
from shared.events_gateway import FeeCharged, SettledBy
from shared.gateway import payments, receipts, unprinted
from shared.gateway.provider import Missing, Refused, Status, Throttled, Unclear
from shared.gateway.receipt import ReceiptTerms
from shared.gateway.till import Kind, Registered, Registration
from shared.gateway.vat import Vat

EMAIL = "user@example.com"
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
DONE = Registered(Registration.SUCCEEDED, "rt-1", "3986", "9288000100115785", "2617603921")


@pytest.fixture
def stand(fiscal_stand: Any) -> Any:
    fiscal_stand.till.apart = True
    return fiscal_stand


async def _begun(stand: Any, amount: int = 65_000) -> Any:
    """Make a payment and pay it; nobody has heard of that yet."""
    begun = await stand.wish(amount, contact={"email": EMAIL})
    row = await stand.row(begun.payment.id)
    stand.provider.pay(row.provider_payment_id)
    return row


async def _paid(stand: Any, amount: int = 65_000) -> Any:
    row = await _begun(stand, amount)
    await stand.callback(row.provider_payment_id)
    return await stand.payment(row.id)


async def _slip(stand: Any, kind: Kind = Kind.PAYMENT) -> Any:
    (row,) = [row for row in await stand.rows(receipts.receipt) if row.kind == kind]
    return row


async def _again(stand: Any, slip_id: UUID) -> int:
    async with transaction(stand.gateway.db) as tx:
        return await unprinted.again(tx, [slip_id], stand.clock())


async def test_a_payment_is_printed_after_it_has_succeeded(stand: Any) -> None:
    row = await _begun(stand)
    await stand.settle()
    assert (stand.till.sent, await stand.rows(receipts.receipt)) == ([], [])
    stand.till.states = [Registration.PENDING, DONE]
    await stand.callback(row.provider_payment_id)
    slip = await _slip(stand)
    ((key, sent),) = stand.till.sent
    assert (key, slip.key) == (slip.id.hex, slip.id.hex)
    assert sent == stand.gateway.unsealed(slip.request)
    assert EMAIL.encode() not in slip.request
    said = orjson.loads(sent)
    assert said["payment"] == row.provider_payment_id
    assert said["receipt"]["customer"]["email"] == EMAIL
    assert said["receipt"]["lines"] == [orjson.loads(row.receipt)]
    assert said["receipt"]["settlements"] == [{"tender": "cashless", "kopecks": 65_000}]
    assert (slip.status, slip.due_at) == ("pending", stand.clock() + 30 * SECOND)


async def test_it_is_asked_about_by_its_key_until_it_is_registered(stand: Any) -> None:
    await _paid(stand)
    stand.till.states = [Registration.PENDING, DONE]
    for _ in range(4):
        await stand.pass_time(MINUTE)
    slip = await _slip(stand)
    assert stand.till.asked == [("payment", slip.key)] * 2
    assert (slip.status, slip.document, slip.due_at) == ("succeeded", "3986", None)


async def test_a_payment_that_comes_to_nothing_prints_nothing(stand: Any) -> None:
    begun = await stand.wish(contact={"email": EMAIL})
    provider_id = begun.payment.provider_payment_id
    stand.provider.cancel(provider_id)
    await stand.callback(provider_id, claims=Status.CANCELED)
    assert (stand.till.sent, await stand.rows(receipts.receipt)) == ([], [])


async def test_a_success_heard_twice_is_printed_once(stand: Any) -> None:
    payment = await _paid(stand)
    await stand.callback(payment.provider_payment_id, event="payment.again")
    assert (len(stand.till.sent), len(stand.till.made)) == (1, 1)


async def test_a_lost_answer_brings_the_same_bytes_under_the_same_key(stand: Any) -> None:
    stand.till.creates = ["lost", Throttled(), Unclear("http_500")]
    await _paid(stand)
    for _ in range(4):
        await stand.pass_time(MINUTE)
    assert (len(set(stand.till.sent)), len(stand.till.sent), len(stand.till.made)) == (1, 4, 1)
    assert (await _slip(stand)).status == "pending"


@pytest.mark.parametrize(("amount", "left"), [(65_000, 0), (15_001, 49_999)])
async def test_a_refund_is_printed_whether_all_or_a_part(
    stand: Any, amount: int, left: int
) -> None:
    payment = await _paid(stand)
    asked = await stand.ask(payment, amount)
    await stand.settle()
    slip = await _slip(stand, Kind.REFUND)
    refund = await stand.refund(asked.refund.id)
    assert (slip.reference, slip.amount_kopecks) == (refund.provider_refund_id, amount)
    key, sent = stand.till.sent[-1]
    (line,) = orjson.loads(sent)["receipt"]["lines"]
    assert (key, line["price_kopecks"], line["rate"]["percent"]) == (slip.key, amount, 22)
    assert len(stand.till.sent) == 2
    stand.till.states = [DONE, DONE]
    await stand.pass_time(MINUTE)
    assert ("refund", slip.key) in stand.till.asked
    assert (await _slip(stand, Kind.REFUND)).status == "succeeded"


async def test_a_refund_made_in_the_profile_is_printed_once(stand: Any) -> None:
    payment = await _paid(stand)
    refund_id = stand.provider.send_back(payment.provider_payment_id, 700)
    for event in ("refund.succeeded", "refund.again"):
        await stand.refund_callback(refund_id, payment.provider_payment_id, event=event)
    assert (await _slip(stand, Kind.REFUND)).reference == refund_id
    assert len(stand.till.sent) == 2


def _fee(stand: Any, payment: Any) -> Any:
    part = SettledBy(
        provider=payment.shop,
        provider_payment_id=payment.provider_payment_id,
        amount_kopecks=30_050,
    )
    fee = FeeCharged(
        contract="100245",
        occurred_at=stand.clock(),
        fee_id="fee-1",
        service="Интернет 100",
        period="2026-11",
        amount_kopecks=30_050,
        settled_by=(part,),
    )
    return fee.event("core-billing", subject="100245", revision="fee-1", correlation_id="c-fee")


async def test_an_offset_goes_the_same_way(stand: Any) -> None:
    event = _fee(stand, await _paid(stand))
    await stand.follow(event, event)
    slip = await _slip(stand, Kind.OFFSET)
    said = orjson.loads(stand.till.sent[-1][1])["receipt"]
    assert said["settlements"] == [{"tender": "prepayment", "kopecks": 30_050}]
    stand.till.states = [DONE, DONE]
    await stand.pass_time(MINUTE)
    assert ("offset", slip.key) in stand.till.asked
    assert (await _slip(stand, Kind.OFFSET)).status == "succeeded"
    assert len(stand.till.sent) == 2


async def test_a_refusal_is_an_alarm_and_leaves_the_credit(stand: Any) -> None:
    stand.till.creates = [Refused("RECEIPT_VALIDATION_FAILED")]
    payment = await _paid(stand)
    slip = await _slip(stand)
    assert (slip.status, slip.reason) == ("failed", "RECEIPT_VALIDATION_FAILED")
    assert stand.alarms == ["receipt_failed"]
    assert (payment.status, len(await stand.said())) == (Status.SUCCEEDED, 1)


@pytest.mark.parametrize(
    ("creates", "states", "asked"),
    [
        ([Refused("RECEIPT_VALIDATION_FAILED")], [], 0),
        ([], [Registered(Registration.FAILED, "its number")], 1),
    ],
)
async def test_once_it_is_mended_it_is_printed_under_a_new_key(
    stand: Any, creates: Any, states: Any, asked: int
) -> None:
    """What was refused is no receipt, and neither is what the cash register has given up."""
    stand.till.creates, stand.till.states = list(creates), list(states)
    await _paid(stand)
    await stand.pass_time(MINUTE)
    failed = await _slip(stand)
    assert (failed.status, failed.provider_receipt_id) == ("failed", None)
    assert len(stand.till.asked) == asked
    assert await _again(stand, failed.id) == 1
    stand.till.states = [DONE]
    await stand.settle()
    await stand.pass_time(MINUTE)
    slip = await _slip(stand)
    assert (slip.status, len(stand.till.sent)) == ("succeeded", 2)
    assert slip.key != failed.key
    assert stand.till.asked[-1] == ("payment", slip.key)


async def test_what_is_overdue_is_asked_about_and_not_printed_again(stand: Any) -> None:
    await _paid(stand)
    await stand.pass_time(30 * DAY)
    slip = await _slip(stand)
    assert (slip.status, slip.reason) == ("failed", "overdue")
    assert await _again(stand, slip.id) == 1
    stand.till.states = [DONE]
    await stand.settle()
    assert (await _slip(stand)).status == "succeeded"
    assert len(stand.till.sent) == 1


@pytest.mark.parametrize(
    ("state", "status", "reason"),
    [
        (Registration.PENDING, "pending", "overdue"),
        (DONE, "succeeded", ""),
        (Missing(), "failed", "unmade"),
    ],
)
async def test_after_days_of_doubt_it_is_looked_for_by_its_key(
    stand: Any, state: Any, status: str, reason: str
) -> None:
    stand.till.creates = [Unclear("timeout")] * 3
    row = await _paid(stand)
    for _ in range(2):
        await stand.pass_time(DAY)
    sent = len(stand.till.sent)
    assert (sent, stand.till.asked) == (3, []), "its number is not forgotten within a day"
    stand.till.states = [state]
    await stand.pass_time(DAY)
    slip = await _slip(stand)
    assert (slip.status, slip.reason, len(stand.till.sent)) == (status, reason, sent)
    assert stand.till.asked == [("payment", slip.key)]
    assert stand.till.looks == 0, "it has no list"
    assert (await stand.row(row.id)).status == "succeeded"


@pytest.mark.parametrize(
    ("state", "status", "reason"),
    [
        (DONE, "succeeded", ""),
        (Missing(), "failed", "RECEIPT_VALIDATION_FAILED"),
        (Unclear("timeout"), "unsent", ""),
    ],
)
async def test_a_refusal_after_doubt_proves_nothing(
    stand: Any, state: Any, status: str, reason: str
) -> None:
    stand.till.creates = ["lost", Refused("RECEIPT_VALIDATION_FAILED")]
    stand.till.states = [state]
    await _paid(stand)
    await stand.pass_time(5 * SECOND)
    slip = await _slip(stand)
    assert (slip.status, slip.reason) == (status, reason)
    assert stand.till.asked == [("payment", slip.key)]
    assert stand.alarms == (["receipt_failed"] if reason else [])


@pytest.mark.parametrize("contact", [None, "sealed with a key that was lost"])
async def test_without_a_contact_it_fails_aloud_and_is_never_sent(
    stand: Any, contact: str | None
) -> None:
    row = await _begun(stand)
    async with transaction(stand.gateway.db) as tx:
        await tx.execute(payments.payment.update().values(contact=contact))
    await stand.callback(row.provider_payment_id)
    slip = await _slip(stand)
    assert (slip.status, slip.reason, slip.due_at) == ("failed", "no_contact", None)
    assert (stand.alarms, stand.till.sent) == (["receipt_failed"], [])
    assert (await stand.row(row.id)).status == "succeeded"
    assert await _again(stand, slip.id) == 0


async def test_what_the_cash_register_has_no_words_for_is_a_person_s(
    stand: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wordless(*_: Any) -> bytes:
        raise ValueError("no word for VAT of 18 %")

    monkeypatch.setattr(stand.till, "receipt_request", wordless, raising=False)
    payment = await _paid(stand)
    slip = await _slip(stand)
    assert (slip.status, slip.reason) == ("failed", "unprintable")
    assert (payment.status, stand.alarms) == (Status.SUCCEEDED, ["receipt_failed"])


async def test_a_bank_that_cannot_be_asked_is_not(stand: Any, make_stand: Any, db: Any) -> None:
    """It prints with the payment, and that is all that can be known of it."""
    other = make_stand(db, stand.provider, terms=stand.gateway.terms, tills={})
    payment = await _paid(other)
    assert (payment.status, payment.receipt is not None) == (Status.SUCCEEDED, True)
    assert await other.rows(receipts.receipt) == []
    (heard,) = await other.follow(_fee(other, payment))
    assert heard.error is None
    slip = await _slip(other, Kind.OFFSET)
    assert (slip.status, slip.reason, stand.alarms) == ("failed", "unprintable", ["receipt_failed"])


async def test_what_was_printed_is_returned_after_printing_was_switched_off(
    stand: Any, make_stand: Any, db: Any
) -> None:
    payment = await _paid(stand)
    terms = {shop: replace(said, receipts=None) for shop, said in stand.gateway.terms.items()}
    left = make_stand(db, stand.provider, terms=terms, tills=stand.gateway.tills)
    await left.ask(payment, 65_000)
    await left.settle()
    assert orjson.loads(stand.till.sent[-1][1])["receipt"]["customer"]["email"] == EMAIL
    assert (await _slip(left, Kind.REFUND)).status == "pending"


async def test_an_address_that_is_too_long_is_said_before_anything_is_paid(stand: Any) -> None:
    shop = stand.provider.shop
    terms = replace(stand.gateway.terms[shop], receipts=ReceiptTerms(Vat.BASE, email_max=16))
    stand.gateway.terms[shop] = terms
    assert (await stand.wish(contact={"email": EMAIL})).payment.receipt is not None
    with pytest.raises(Invalid) as refused:
        await stand.wish(contact={"email": "x" + EMAIL})
    (wrong,) = refused.value.fields
    assert (wrong.field, "16" in wrong.text.ru, "16" in wrong.text.en) == (
        "contact.email",
        True,
        True,
    )
