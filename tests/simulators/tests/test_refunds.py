"""Refunds: sums, ends, refunds in the profile, and their receipts."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from simulators.harness import Answer, Sandbox, running


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with running() as each:
        yield each


async def paid(sandbox: Sandbox, **changes: Any) -> str:
    created = await sandbox.create(**changes)
    return str((await sandbox.pay(created["id"]))["id"])


async def refund(sandbox: Sandbox, payment_id: str, value: str, **changes: Any) -> Answer:
    body = {"payment_id": payment_id, "amount": {"value": value, "currency": "RUB"}} | changes
    return await sandbox.api("POST", "/refunds", body)


async def test_partial_refunds_up_to_the_rest(sandbox: Sandbox) -> None:
    payment_id = await paid(sandbox)
    first = (await refund(sandbox, payment_id, "150.00", metadata={"refund_id": "5"})).body
    assert (first["status"], first["payment_id"]) == ("succeeded", payment_id)
    assert first["id"][8:23] == "-0015-5000-8000"
    assert first["metadata"] == {"refund_id": "5"}
    after = (await sandbox.api("GET", f"/payments/{payment_id}")).body
    assert (after["refunded_amount"]["value"], after["refundable"]) == ("150.00", True)
    assert (await refund(sandbox, payment_id, "500.00")).status == 200
    after = (await sandbox.api("GET", f"/payments/{payment_id}")).body
    assert (after["refunded_amount"]["value"], after["refundable"]) == ("650.00", False)
    assert (await sandbox.api("GET", f"/refunds/{first['id']}")).body == first
    listed = await sandbox.api("GET", f"/refunds?payment_id={payment_id}&status=succeeded")
    assert len(listed.body["items"]) == 2


@pytest.mark.parametrize(
    ("value", "parameter"),
    [("650.01", "amount"), ("649.50", "amount"), ("0.00", "amount.value")],
)
async def test_a_sum_that_cannot_be_returned(sandbox: Sandbox, value: str, parameter: str) -> None:
    refused = await refund(sandbox, await paid(sandbox), value)
    assert (refused.status, refused.body["parameter"]) == (400, parameter)


async def test_what_cannot_be_refunded(sandbox: Sandbox) -> None:
    created = await sandbox.create()
    assert (await refund(sandbox, created["id"], "650.00")).body["parameter"] == "payment_id"
    assert (await refund(sandbox, "unknown", "650.00")).body["parameter"] == "payment_id"
    payment_id = await paid(sandbox)
    wrong = {"value": "650.00", "currency": "USD"}
    assert (await refund(sandbox, payment_id, "", amount=wrong)).body["parameter"] == (
        "amount.currency"
    )
    await refund(sandbox, payment_id, "650.00")
    again = await refund(sandbox, payment_id, "1.00")
    assert again.body["description"] == "Payment is already completely refunded"
    assert (await sandbox.api("GET", "/refunds/unknown")).status == 404


@pytest.mark.parametrize(
    ("end", "told"), [("succeeded", ["payment.succeeded", "refund.succeeded"]), ("canceled", [])]
)
async def test_a_pending_refund_ends(sandbox: Sandbox, end: str, told: list[str]) -> None:
    payment_id = await paid(sandbox)
    outcome = {"status": "pending", "delay": 5_000, "then": end, "reason": "insufficient_funds"}
    await sandbox.control("PUT", f"/scripts/refund:{payment_id}", {"outcomes": [outcome]})
    pending = (await refund(sandbox, payment_id, "650.00")).body
    assert pending["status"] == "pending"
    # What is about to be returned cannot be returned twice.
    assert (await refund(sandbox, payment_id, "650.00")).status == 400
    await sandbox.control("POST", "/clock", {"advance_seconds": 6})
    ended = (await sandbox.api("GET", f"/refunds/{pending['id']}")).body
    assert ended["status"] == end
    events = {each["event"] for each in (await sandbox.control("GET", "/deliveries"))["items"]}
    if end == "canceled":
        details = {"party": "yoo_money", "reason": "insufficient_funds"}
        assert ended["cancellation_details"] == details
        assert events == {"payment.succeeded"}
        assert (await refund(sandbox, payment_id, "650.00")).body["status"] == "succeeded"
    else:
        assert events == set(told)


async def test_a_refund_in_the_profile_is_told(sandbox: Sandbox) -> None:
    payment_id = await paid(sandbox)
    made = await sandbox.control("POST", f"/payments/{payment_id}/refund", {"amount": "50.00"})
    assert (await sandbox.api("GET", f"/refunds/{made['id']}")).body == made
    events = [each["event"] for each in (await sandbox.control("GET", "/deliveries"))["items"]]
    assert events == ["payment.succeeded", "refund.succeeded"]
    rest = await sandbox.control("POST", f"/payments/{payment_id}/refund")
    assert rest["amount"]["value"] == "600.00"
    path = f"/yookassa/control/payments/{payment_id}/refund"
    assert (await sandbox.call("POST", path, {})).status in {400, 409}


async def test_the_same_key_refunds_once(sandbox: Sandbox) -> None:
    payment_id = await paid(sandbox)
    body = {"payment_id": payment_id, "amount": {"value": "100.00", "currency": "RUB"}}
    first = await sandbox.api("POST", "/refunds", body, key="r")
    assert (await sandbox.api("POST", "/refunds", body, key="r")).body == first.body
    assert (await sandbox.api("POST", "/refunds", body)).body["id"] != first.body["id"]
