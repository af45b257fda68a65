"""Receipts: what is refused, how they are registered, those of refunds and those sent alone."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from simulators.harness import Sandbox, order, running
from simulators.settings import Shop

ITEM = {
    "description": "Аванс за услуги связи",
    "quantity": 1.0,
    "amount": {"value": "650.00", "currency": "RUB"},
    "vat_code": 12,
    "measure": "piece",
    "payment_subject": "payment",
    "payment_mode": "advance",
}
RECEIPT: dict[str, Any] = {"customer": {"email": "user@example.com"}, "items": [ITEM]}


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with running() as each:
        yield each


async def registered(sandbox: Sandbox) -> None:
    await sandbox.control("POST", "/clock", {"advance_seconds": 6})


async def test_a_payments_receipt_is_registered_a_little_later(sandbox: Sandbox) -> None:
    created = await sandbox.create(receipt=RECEIPT)
    assert "receipt_registration" not in created
    assert (await sandbox.pay(created["id"]))["receipt_registration"] == "pending"
    await registered(sandbox)
    path = f"/payments/{created['id']}"
    assert (await sandbox.api("GET", path)).body["receipt_registration"] == "succeeded"
    listed = await sandbox.api("GET", f"/receipts?payment_id={created['id']}")
    (receipt,) = listed.body["items"]
    assert (receipt["status"], receipt["type"], receipt["items"]) == (
        "succeeded",
        "payment",
        [ITEM],
    )
    assert len(receipt["id"]) == 39
    assert receipt["fiscal_document_number"] == "1"
    assert (await sandbox.api("GET", f"/receipts/{receipt['id']}")).body == receipt


@pytest.mark.parametrize(
    ("changes", "parameter"),
    [
        ({"vat_code": 13}, "receipt.items[0].vat_code"),
        ({"vat_code": True}, "receipt.items[0].vat_code"),
        ({"description": ""}, "receipt.items[0].description"),
        ({"measure": None}, "receipt.items[0].measure"),
        ({"payment_subject": 1}, "receipt.items[0].payment_subject"),
        ({"payment_mode": "gift"}, "receipt.items[0].payment_mode"),
        ({"quantity": 0}, "receipt.items[0].quantity"),
        ({"quantity": "NaN"}, "receipt.items[0].quantity"),
        ({"quantity": "1.0001"}, "receipt.items[0].quantity"),
        ({"quantity": "many"}, "receipt.items[0].quantity"),
        ({"amount": {"value": "650.00", "currency": "USD"}}, "receipt.items[0].amount"),
        ({"amount": {"value": "650.01", "currency": "RUB"}}, "receipt.items"),
    ],
)
async def test_a_wrong_line_is_named(
    sandbox: Sandbox, changes: dict[str, Any], parameter: str
) -> None:
    wrong = RECEIPT | {"items": [ITEM | changes]}
    refused = await sandbox.api("POST", "/payments", order(receipt=wrong))
    assert (refused.status, refused.body["parameter"]) == (400, parameter)


@pytest.mark.parametrize(
    ("receipt", "parameter"),
    [
        ("receipt", "receipt"),
        ({"customer": {"phone": "79000000000"}, "items": [ITEM]}, "receipt.customer.email"),
        ({"customer": {"email": "nobody"}, "items": [ITEM]}, "receipt.customer.email"),
        (
            {"customer": {"email": "a@b.ru", "phone": "+7900"}, "items": [ITEM]},
            "receipt.customer.phone",
        ),
        ({"customer": {"email": "a@b.ru"}}, "receipt.items"),
        ({"customer": {"email": "a@b.ru"}, "items": [ITEM] * 81}, "receipt.items"),
        ({"customer": {"email": "a@b.ru"}, "items": ["x"]}, "receipt.items[0]"),
    ],
)
async def test_a_wrong_receipt_is_named(sandbox: Sandbox, receipt: Any, parameter: str) -> None:
    refused = await sandbox.api("POST", "/payments", order(receipt=receipt))
    assert (refused.status, refused.body["parameter"]) == (400, parameter)


async def test_a_shop_may_require_receipts() -> None:
    shops = (Shop("100500", "test_demo", receipt_required=True),)
    async with running(shops=shops) as sandbox:
        refused = await sandbox.api("POST", "/payments", order())
        assert refused.body["parameter"] == "receipt"
        assert (await sandbox.api("POST", "/payments", order(receipt=RECEIPT))).status == 200


async def test_a_partial_refund_brings_its_receipt_and_a_full_one_needs_none(
    sandbox: Sandbox,
) -> None:
    created = await sandbox.create(receipt=RECEIPT)
    await sandbox.pay(created["id"])
    body = {"payment_id": created["id"], "amount": {"value": "150.00", "currency": "RUB"}}
    refused = await sandbox.api("POST", "/refunds", body)
    assert refused.body["parameter"] == "receipt"
    part = ITEM | {"amount": {"value": "150.00", "currency": "RUB"}}
    made = await sandbox.api("POST", "/refunds", body | {"receipt": RECEIPT | {"items": [part]}})
    assert made.body["receipt_registration"] == "pending"
    await registered(sandbox)
    after = (await sandbox.api("GET", f"/refunds/{made.body['id']}")).body
    assert after["receipt_registration"] == "succeeded"
    whole = await sandbox.create(receipt=RECEIPT)
    await sandbox.pay(whole["id"])
    full = {"payment_id": whole["id"], "amount": {"value": "650.00", "currency": "RUB"}}
    assert (await sandbox.api("POST", "/refunds", full)).body["receipt_registration"] == "pending"


async def test_an_offset_receipt_alone(sandbox: Sandbox) -> None:
    created = await sandbox.create()
    await sandbox.pay(created["id"])
    amount = {"value": "650.00", "currency": "RUB"}
    body = {
        "type": "payment",
        "payment_id": created["id"],
        "customer": {"email": "user@example.com"},
        "items": [ITEM | {"payment_mode": "full_payment", "payment_subject": "service"}],
        "settlements": [{"type": "prepayment", "amount": amount}],
        "send": True,
    }
    made = await sandbox.api("POST", "/receipts", body)
    assert (made.status, made.body["status"]) == (200, "pending")
    for changes, parameter in (
        ({"send": False}, "send"),
        ({"type": "gift"}, "type"),
        ({"payment_id": "unknown"}, "payment_id"),
        ({"settlements": []}, "settlements"),
        ({"settlements": [{"type": "gift", "amount": amount}]}, "settlements[0].type"),
    ):
        refused = await sandbox.api("POST", "/receipts", body | changes)
        assert (refused.status, refused.body["parameter"]) == (400, parameter)
    both = await sandbox.api("GET", "/receipts?payment_id=a&refund_id=b")
    assert both.status == 400
    assert (await sandbox.api("GET", "/receipts/unknown")).status == 404
