"""YooKassa's own SDK as an independent reader of the simulator.

What the simulator answers has to suit a client that others wrote for the real API. The SDK
is synchronous and has no timeouts, so it works in a thread while the sandbox runs in the loop.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any, TypeVar

import pytest
from yookassa import Configuration, Payment, PaymentMethod, Receipt, Refund, Settings
from yookassa.domain.common import SecurityHelper
from yookassa.domain.exceptions import (
    BadRequestError,
    ForbiddenError,
    InternalServerError,
    NotFoundError,
    ResponseProcessingError,
    TooManyRequestsError,
    UnauthorizedError,
)
from yookassa.domain.notification import WebhookNotificationFactory

from simulators.harness import Sandbox, order, running

T = TypeVar("T")

ITEM = {
    "description": "Аванс за услуги связи",
    "quantity": 1.000,
    "amount": {"value": "650.00", "currency": "RUB"},
    "vat_code": 12,
    "measure": "piece",
    "payment_subject": "payment",
    "payment_mode": "advance",
}
RECEIPT = {"customer": {"email": "user@example.com"}, "items": [ITEM]}


@pytest.fixture
async def sandbox(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sandbox]:
    """Run a sandbox and point the SDK at it; its configuration is one for the whole process."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    async with running() as each:
        connect(each, *each.shop)
        yield each


def connect(sandbox: Sandbox, shop: str, key: str) -> None:
    Configuration.configure(shop, key, api_url=f"{sandbox.url}/yookassa/v3")


async def ask(call: Callable[..., T], *arguments: Any) -> T:
    """Make a blocking call of the SDK."""
    return await asyncio.to_thread(call, *arguments)


async def test_a_payment_from_creation_to_refund(sandbox: Sandbox) -> None:
    wanted = order(receipt=RECEIPT, save_payment_method=True, merchant_customer_id="sub-100245")
    created = await ask(Payment.create, wanted, "key-1")
    assert (created.status, created.paid, created.test) == ("pending", False, True)
    assert (created.amount.value, created.amount.currency) == (Decimal("650.00"), "RUB")
    assert created.confirmation.confirmation_url.startswith(sandbox.url)
    assert created.metadata == {"top_up_id": "77", "cms_name": "yookassa_sdk_python"}
    assert created.recipient.account_id == "100500"
    assert (await ask(Payment.create, wanted, "key-1")).id == created.id

    await sandbox.pay(created.id)
    paid = await ask(Payment.find_one, created.id)
    assert (paid.status, paid.paid, paid.refundable) == ("succeeded", True, True)
    assert paid.confirmation is None
    assert paid.income_amount.value == Decimal("627.80")
    assert paid.authorization_details.three_d_secure.applied is True
    assert (paid.payment_method.type, paid.payment_method.saved) == ("bank_card", True)
    assert (paid.payment_method.card.last4, paid.payment_method.card.card_type) == (
        "4477",
        "MasterCard",
    )
    assert paid.receipt_registration == "pending"

    part = {**ITEM, "amount": {"value": "150.00", "currency": "RUB"}}
    returned = await ask(
        Refund.create,
        {
            "payment_id": created.id,
            "amount": {"value": "150.00", "currency": "RUB"},
            "description": "Ошибочное пополнение",
            "receipt": {**RECEIPT, "items": [part]},
        },
    )
    assert (returned.status, returned.amount.value) == ("succeeded", Decimal("150.00"))
    assert (await ask(Refund.find_one, returned.id)).payment_id == created.id
    listed = await ask(Refund.list, {"payment_id": created.id})
    assert [each.id for each in listed.items] == [returned.id]
    assert (await ask(Payment.find_one, created.id)).refunded_amount.value == Decimal("150.00")


async def test_two_stages(sandbox: Sandbox) -> None:
    created = await ask(Payment.create, order(capture=False))
    await sandbox.pay(created.id)
    held = await ask(Payment.find_one, created.id)
    assert held.status == "waiting_for_capture"
    taken = await ask(
        Payment.capture, created.id, {"amount": {"value": "600.00", "currency": "RUB"}}
    )
    assert (taken.status, taken.amount.value) == ("succeeded", Decimal("600.00"))

    created = await ask(Payment.create, order(capture=False))
    await sandbox.pay(created.id)
    assert (await ask(Payment.capture, created.id)).status == "succeeded"

    created = await ask(Payment.create, order(capture=False))
    await sandbox.pay(created.id)
    ended = await ask(Payment.cancel, created.id)
    assert ended.status == "canceled"
    assert ended.cancellation_details.reason == "canceled_by_merchant"


async def test_lists_page_by_page(sandbox: Sandbox) -> None:
    made = {(await ask(Payment.create, order())).id for _ in range(5)}
    found: list[str] = []
    query: dict[str, Any] = {"limit": 2, "created_at.gte": "2020-01-01T00:00:00.000Z"}
    while True:
        page = await ask(Payment.list, query)
        found += [each.id for each in page.items]
        if page.next_cursor is None:
            break
        query["cursor"] = page.next_cursor
    assert len(found) == 5
    assert set(found) == made
    assert (await ask(Payment.list, {"status": "succeeded"})).items == []


async def test_a_saved_method_is_charged_and_refused(sandbox: Sandbox) -> None:
    binding = {"type": "bank_card", "confirmation": order()["confirmation"]}
    begun = await ask(PaymentMethod.create, binding)
    assert begun.saved is False
    await sandbox.call("POST", f"/yookassa/methods/{begun.id}/bind", {})
    bound = await ask(PaymentMethod.find_one, begun.id)
    assert (bound.saved, bound.card["last4"]) == (True, "4477")
    charge = order(confirmation=None, payment_method_id=begun.id)
    assert (await ask(Payment.create, charge)).status == "succeeded"
    await sandbox.control("PUT", "/scripts/charge", {"outcomes": ["insufficient_funds"]})
    ended = await ask(Payment.create, charge)
    assert (ended.status, ended.cancellation_details.reason) == ("canceled", "insufficient_funds")
    assert ended.cancellation_details.party == "payment_network"


async def test_receipts_and_settings(sandbox: Sandbox) -> None:
    created = await ask(Payment.create, order())
    await sandbox.pay(created.id)
    made = await ask(
        Receipt.create,
        {
            "type": "payment",
            "payment_id": created.id,
            "customer": {"email": "user@example.com"},
            "items": [{**ITEM, "payment_mode": "full_payment", "payment_subject": "service"}],
            "settlements": [
                {"type": "prepayment", "amount": {"value": "650.00", "currency": "RUB"}}
            ],
            "send": True,
        },
    )
    assert made.status == "pending"
    await sandbox.control("POST", "/clock", {"advance_seconds": 10})
    registered = await ask(Receipt.find_one, made.id)
    assert (registered.status, registered.fiscal_document_number) == ("succeeded", "1")
    listed = await ask(Receipt.list, {"payment_id": created.id})
    assert [each.id for each in listed.items] == [made.id]
    me = await ask(Settings.get_account_settings)
    assert (me.account_id, me.test, me.status) == ("100500", True, "enabled")


async def test_notifications_are_read_by_the_sdk(sandbox: Sandbox) -> None:
    created = await ask(Payment.create, order(capture=False))
    await sandbox.pay(created.id)
    await ask(Payment.capture, created.id)
    refund = {"payment_id": created.id, "amount": {"value": "650.00", "currency": "RUB"}}
    returned = await ask(Refund.create, refund)
    async with asyncio.timeout(5):
        while len(sandbox.heard) < 3:
            sandbox.bell.clear()
            await sandbox.bell.wait()
    read = [WebhookNotificationFactory().create(json.loads(each["body"])) for each in sandbox.heard]
    assert {(each.event, each.object.id, each.object.status) for each in read} == {
        ("payment.waiting_for_capture", created.id, "waiting_for_capture"),
        ("payment.succeeded", created.id, "succeeded"),
        ("refund.succeeded", returned.id, "succeeded"),
    }
    assert not SecurityHelper().is_ip_trusted(sandbox.heard[0]["from"])


async def test_each_error_class(sandbox: Sandbox) -> None:
    free = order(amount={"value": "0.50", "currency": "RUB"})
    with pytest.raises(BadRequestError) as wrong:
        await ask(Payment.create, free)
    assert wrong.value.content["parameter"] == "amount.value"
    with pytest.raises(NotFoundError):
        await ask(Payment.find_one, "3294d482-000f-5000-8000-1a2b3c4d5e6f")
    created = await ask(Payment.create, order(), "key-1")
    with pytest.raises(BadRequestError, match="Idempotence key duplicated"):
        await ask(Payment.create, order(description="другое"), "key-1")
    with pytest.raises(BadRequestError):
        await ask(Payment.cancel, created.id)
    connect(sandbox, "100502", "test_plain")
    with pytest.raises(ForbiddenError):
        await ask(Payment.create, order(save_payment_method=True))
    connect(sandbox, "100500", "wrong")
    with pytest.raises(UnauthorizedError):
        await ask(Payment.find_one, created.id)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("too_many", TooManyRequestsError),
        ("error_after", InternalServerError),
        ("processing", ResponseProcessingError),
        ("unauthorized", UnauthorizedError),
    ],
)
async def test_faults_have_the_shape_the_sdk_knows(
    sandbox: Sandbox, kind: str, error: type[Exception]
) -> None:
    await sandbox.control("POST", "/faults", {"faults": [{"kind": kind, "times": 1}]})
    with pytest.raises(error):
        await ask(Payment.create, order(), "key-1")
    assert (await ask(Payment.create, order(), "key-1")).status == "pending"
