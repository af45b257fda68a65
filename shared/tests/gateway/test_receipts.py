"""Receipts that go with payments: sent, followed, failed, and never in a payment's way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import orjson
import pytest

from shared.db import transaction
from shared.errors import Invalid
from shared.gateway import contacts, fiscal, payments, receipts
from shared.gateway.provider import Missing, Refused, Status, Throttled, Unclear
from shared.gateway.receipt import Customer, Mode, NoContact, ReceiptTerms
from shared.gateway.till import Registered, Registration
from shared.gateway.vat import Vat

EMAIL = "user@example.com"
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
NUMBERS = Registered(Registration.SUCCEEDED, "rt-1", "3986", "9288000100115785", "2617603921")


async def _paid(stand: Any, amount: int = 65_000) -> Any:
    """Make a payment with a contact, pay it and settle it; return its row."""
    begun = await stand.wish(amount, contact={"email": EMAIL})
    row = await stand.row(begun.payment.id)
    stand.provider.pay(row.provider_payment_id)
    await stand.callback(row.provider_payment_id)
    return await stand.row(begun.payment.id)


async def _slip(stand: Any) -> Any:
    (row,) = await stand.rows(receipts.receipt)
    return row


async def test_a_payment_carries_its_receipt(fiscal_stand: Any) -> None:
    begun = await fiscal_stand.wish(contact={"email": EMAIL, "phone": "+79161234567"})
    ((_, sent),) = fiscal_stand.provider.sent
    carried = orjson.loads(sent)["receipt"]
    assert carried["customer"] == {"email": EMAIL, "phone": "+79161234567"}
    assert carried["lines"][0]["price_kopecks"] == 65_000
    assert carried["lines"][0]["rate"] == {"percent": 22, "calculated": True}
    assert begun.payment.receipt is not None
    assert begun.payment.receipt.mode is Mode.ADVANCE
    assert begun.payment.receipt.kopecks == 65_000


async def test_without_a_contact_nothing_is_sent(fiscal_stand: Any) -> None:
    for contact in (None, {}, {"phone": "+79161234567"}):
        with pytest.raises(Invalid) as refused:
            await fiscal_stand.wish(contact=contact)
        assert [field.field for field in refused.value.fields] == ["contact.email"]
    assert fiscal_stand.provider.sent == []
    assert await fiscal_stand.rows(payments.payment) == []


async def test_a_shop_without_receipts_asks_for_nothing(stand: Any) -> None:
    begun = await stand.wish()
    assert begun.payment.receipt is None
    assert orjson.loads(stand.provider.sent[0][1])["receipt"] is None


async def test_the_contact_is_never_in_clear(fiscal_stand: Any) -> None:
    await _paid(fiscal_stand)
    for table in (payments.payment, receipts.receipt):
        for row in await fiscal_stand.rows(table):
            assert EMAIL not in repr(row)
    row = (await fiscal_stand.rows(payments.payment))[0]
    assert contacts.unseal(fiscal_stand.gateway.vault, row.contact) == Customer(EMAIL)


async def test_it_is_asked_about_until_it_is_registered(fiscal_stand: Any) -> None:
    fiscal_stand.till.states = [Registration.PENDING, NUMBERS]
    row = await _paid(fiscal_stand)
    assert fiscal_stand.till.asked == []
    await fiscal_stand.pass_time(30 * SECOND)
    assert (await _slip(fiscal_stand)).status == "pending"
    await fiscal_stand.pass_time(59 * SECOND)
    assert len(fiscal_stand.till.asked) == 1
    await fiscal_stand.pass_time(SECOND)
    assert fiscal_stand.till.asked == [("payment", row.provider_payment_id)] * 2
    slip = await _slip(fiscal_stand)
    assert (slip.status, slip.due_at, slip.reason) == ("succeeded", None, "")
    assert (slip.document, slip.storage, slip.attribute) == (
        *("3986", "9288000100115785"),
        "2617603921",
    )
    assert (slip.provider_receipt_id, slip.registered_at) == ("rt-1", fiscal_stand.clock())
    await fiscal_stand.pass_time(DAY)
    assert len(fiscal_stand.till.asked) == 2
    assert fiscal_stand.alarms == ["success_unacknowledged"]


async def test_a_payment_that_comes_to_nothing_has_no_receipt(fiscal_stand: Any) -> None:
    begun = await fiscal_stand.wish(contact={"email": EMAIL})
    row = await fiscal_stand.row(begun.payment.id)
    fiscal_stand.provider.cancel(row.provider_payment_id)
    await fiscal_stand.callback(row.provider_payment_id, claims=Status.CANCELED)
    assert await fiscal_stand.rows(receipts.receipt) == []


async def test_a_success_heard_twice_is_followed_once(fiscal_stand: Any) -> None:
    row = await _paid(fiscal_stand)
    await fiscal_stand.callback(row.provider_payment_id, event="payment.again")
    assert len(await fiscal_stand.rows(receipts.receipt)) == 1


async def test_a_failed_receipt_is_an_alarm_and_leaves_the_credit(fiscal_stand: Any) -> None:
    fiscal_stand.till.states = [Registration.FAILED]
    row = await _paid(fiscal_stand)
    await fiscal_stand.pass_time(30 * SECOND)
    slip = await _slip(fiscal_stand)
    assert (slip.status, slip.reason, slip.due_at) == ("failed", "canceled", None)
    assert fiscal_stand.alarms == ["receipt_failed"]
    assert (await fiscal_stand.row(row.id)).status == "succeeded"
    assert len(await fiscal_stand.said()) == 1
    assert await fiscal_stand.said("payment.canceled") == []


async def test_an_overdue_receipt_is_said_once_and_asked_about_on(fiscal_stand: Any) -> None:
    await _paid(fiscal_stand)
    for _ in range(71):
        await fiscal_stand.pass_time(3600 * SECOND)
    assert "receipt_failed" not in fiscal_stand.alarms
    for _ in range(4):
        await fiscal_stand.pass_time(3600 * SECOND)
    slip = await _slip(fiscal_stand)
    assert (slip.status, slip.reason) == ("pending", "overdue")
    await fiscal_stand.pass_time(DAY)
    assert fiscal_stand.alarms.count("receipt_failed") == 1
    fiscal_stand.till.states = [NUMBERS]
    await fiscal_stand.pass_time(DAY)
    slip = await _slip(fiscal_stand)
    assert (slip.status, slip.reason, slip.document) == ("succeeded", "", "3986")


async def test_after_a_month_it_is_given_up(fiscal_stand: Any) -> None:
    await _paid(fiscal_stand)
    await fiscal_stand.pass_time(30 * DAY)
    slip = await _slip(fiscal_stand)
    assert (slip.status, slip.reason, slip.due_at) == ("failed", "overdue", None)
    assert fiscal_stand.alarms.count("receipt_failed") == 1


@pytest.mark.parametrize(
    "answer",
    [
        Missing(),
        Unclear("http_500"),
        Throttled(),
        Refused("forbidden", ours=True),
        Refused("invalid_request"),
    ],
)
async def test_no_answer_is_no_verdict(fiscal_stand: Any, answer: Any) -> None:
    fiscal_stand.till.states = [answer, NUMBERS]
    await _paid(fiscal_stand)
    await fiscal_stand.pass_time(30 * SECOND)
    assert (await _slip(fiscal_stand)).status == "pending"
    assert ("provider_refuses_us" in fiscal_stand.alarms) == getattr(answer, "ours", False)
    await fiscal_stand.pass_time(60 * SECOND)
    assert (await _slip(fiscal_stand)).status == "succeeded"


async def test_a_provider_in_a_hurry_is_obeyed(fiscal_stand: Any) -> None:
    fiscal_stand.till.states = [Throttled(timedelta(minutes=30))]
    await _paid(fiscal_stand)
    await fiscal_stand.pass_time(30 * SECOND)
    await fiscal_stand.pass_time(timedelta(minutes=29))
    assert len(fiscal_stand.till.asked) == 1
    await fiscal_stand.pass_time(timedelta(minutes=1))
    assert len(fiscal_stand.till.asked) == 2


async def test_a_receipt_of_a_shop_that_is_gone_waits(
    fiscal_stand: Any, make_stand: Callable[..., Any]
) -> None:
    await _paid(fiscal_stand)
    left = make_stand(fiscal_stand.gateway.db, fiscal_stand.provider)
    await left.pass_time(30 * SECOND)
    slip = await _slip(left)
    assert (slip.status, slip.due_at) == ("pending", left.clock() + timedelta(hours=1))
    assert fiscal_stand.alarms == ["shop_not_configured"]


class TestWhatOthersAskFor:
    """Charges and refunds ask here which receipt they carry."""

    async def test_a_charge_has_the_contact_of_its_method(self, fiscal_stand: Any) -> None:
        gateway, at = fiscal_stand.gateway, fiscal_stand.clock()
        row = await _paid(fiscal_stand)
        async with transaction(gateway.db) as tx:
            sealed = await contacts.of_payment(tx, row.id)
        assert sealed == row.contact
        printed = fiscal.of_charge(gateway, row.shop, 30_000, sealed, at)
        assert printed is not None
        assert (printed.customer.email, printed.kopecks) == (EMAIL, 30_000)

    async def test_a_charge_without_a_contact_is_not_sent(self, fiscal_stand: Any) -> None:
        gateway, at = fiscal_stand.gateway, fiscal_stand.clock()
        with pytest.raises(NoContact):
            fiscal.of_charge(gateway, fiscal_stand.provider.shop, 1, None, at)

    async def test_a_charge_at_a_shop_without_receipts_needs_none(self, stand: Any) -> None:
        gateway, at = stand.gateway, stand.clock()
        assert fiscal.of_charge(gateway, stand.provider.shop, 1, None, at) is None

    async def test_a_partial_refund_has_a_receipt_and_a_full_one_none(
        self, fiscal_stand: Any
    ) -> None:
        gateway = fiscal_stand.gateway
        row = await _paid(fiscal_stand)
        payment = await fiscal_stand.payment(row.id)
        async with transaction(gateway.db) as tx:
            assert await fiscal.of_refund(tx, gateway, payment, 65_000, whole=True) is None
            part = await fiscal.of_refund(tx, gateway, payment, 15_001, whole=False)
        assert part is not None
        assert (part.kopecks, part.customer) == (15_001, Customer(EMAIL))
        assert part.lines[0].rate == payment.receipt.rate

    async def test_what_was_printed_is_returned_after_printing_was_switched_off(
        self, fiscal_stand: Any, make_stand: Callable[..., Any]
    ) -> None:
        row = await _paid(fiscal_stand)
        left = make_stand(fiscal_stand.gateway.db, fiscal_stand.provider)
        payment = await left.payment(row.id)
        async with transaction(left.gateway.db) as tx:
            part = await fiscal.of_refund(tx, left.gateway, payment, 1, whole=False)
        assert part is not None
        assert part.customer == Customer(EMAIL)

    async def test_a_payment_without_a_receipt_is_returned_without_one(self, stand: Any) -> None:
        payment = (await stand.wish()).payment
        async with transaction(stand.gateway.db) as tx:
            assert await fiscal.of_refund(tx, stand.gateway, payment, 1, whole=False) is None
            await fiscal.follow_refund(tx, stand.gateway, payment, "r-1", 1, stand.clock())
        assert await stand.rows(receipts.receipt) == []

    async def test_the_receipt_of_a_refund_is_followed_as_well(self, fiscal_stand: Any) -> None:
        gateway = fiscal_stand.gateway
        fiscal_stand.till.states = [NUMBERS, replace(NUMBERS, receipt_id="rt-2")]
        payment = await fiscal_stand.payment((await _paid(fiscal_stand)).id)
        async with transaction(gateway.db) as tx:
            for _ in range(2):
                await fiscal.follow_refund(tx, gateway, payment, "r-1", 500, gateway.clock())
        await fiscal_stand.pass_time(30 * SECOND)
        assert sorted(fiscal_stand.till.asked) == [
            ("payment", payment.provider_payment_id),
            ("refund", "r-1"),
        ]
        slips = await fiscal_stand.rows(receipts.receipt)
        assert {(slip.kind, slip.amount_kopecks, slip.status) for slip in slips} == {
            ("payment", 65_000, "succeeded"),
            ("refund", 500, "succeeded"),
        }


async def test_of_no_payment_there_is_no_contact(stand: Any) -> None:
    async with transaction(stand.gateway.db) as tx:
        assert await contacts.of_payment(tx, uuid4()) is None
    assert contacts.unseal(stand.gateway.vault, None) == Customer()
    assert contacts.seal(stand.gateway.vault, {}) is None


@pytest.mark.parametrize(
    ("email_needed", "text", "given"),
    [
        (True, " user@example.com ", {"email": EMAIL}),
        (False, EMAIL, {"email": EMAIL}),
        (False, "+79161234567", {"phone": "+79161234567"}),
        (False, "8 (916) 123-45-67", {"phone": "+79161234567"}),
        (False, "7 916 123 45 67", {"phone": "+79161234567"}),
    ],
)
def test_what_people_type(email_needed: bool, text: str, given: Any) -> None:
    assert contacts.typed(ReceiptTerms(Vat.NONE, email_needed=email_needed), text) == given


@pytest.mark.parametrize(
    ("email_needed", "text"),
    [
        (True, ""),
        (True, "+79161234567"),
        (True, "user@example"),
        (False, ""),
        (False, "12345"),
        (False, "user@"),
        (False, "+7916123456x"),
    ],
)
def test_what_is_no_contact(email_needed: bool, text: str) -> None:
    with pytest.raises(Invalid) as refused:
        contacts.typed(ReceiptTerms(Vat.NONE, email_needed=email_needed), text)
    (wrong,) = refused.value.fields
    assert wrong.field == "contact"
    assert "name@example.ru" in wrong.text.en
    assert ("+79161234567" in wrong.text.ru) == (not email_needed)
