"""Orders of the desk at Raiffeisen: a variable code is payable while one is bound to it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from simulators.harness import Answer
from simulators.raiffeisen.harness import Merchant, merchant

VARIABLE: Any = {"qrType": "QRVariable", "order": None, "amount": None, "currency": None}


@pytest.fixture
async def shop() -> AsyncIterator[Merchant]:
    async with merchant() as each:
        yield each


async def bind(shop: Merchant, code: str, order: str = "desk-77", **more: Any) -> Answer:
    body = {"id": order, "amount": 500, "qr": {"id": code, "additionalInfo": "Касса"}} | more
    return await shop.api("POST", "/payment/v1/orders", body)


async def order_status(shop: Merchant, order: str = "desk-77") -> str:
    found = await shop.api("GET", f"/payment/v1/orders/{order}")
    return str(found.body["status"]["value"])


async def test_a_variable_code_waits_for_an_order(shop: Merchant) -> None:
    code = await shop.code(**VARIABLE)
    assert (code[:2], await shop.status(code)) == ("AS", "INACTIVE")
    assert (await shop.press(code)).status == 409
    made = (await bind(shop, code)).body
    assert (made["id"], made["amount"], made["status"]["value"]) == ("desk-77", 500, "NEW")
    assert await shop.status(code) == "NEW"
    assert (await shop.info(code))["amount"] == 500


async def test_a_paid_order_leaves_its_code_empty(shop: Merchant) -> None:
    code = await shop.code(**VARIABLE)
    for order in ("desk-77", "desk-78"):
        await bind(shop, code, order)
        await shop.pay(code)
        assert await order_status(shop, order) == "PAID"
        assert await shop.status(code) == "INACTIVE"
    await shop.settled()
    told = [(one["order"], one["amount"], one["additionalInfo"]) for one in shop.heard()]
    assert sorted(told) == [("desk-77", "500", "Касса"), ("desk-78", "500", "Касса")]


async def test_an_order_is_canceled_once(shop: Merchant) -> None:
    code = await shop.code(**VARIABLE)
    await bind(shop, code)
    assert (await shop.api("DELETE", "/payment/v1/orders/desk-77")).status == 200
    assert await order_status(shop) == "CANCELLED"
    assert await shop.status(code) == "INACTIVE"
    again = await shop.api("DELETE", "/payment/v1/orders/desk-77")
    assert (again.status, again.body["code"]) == (400, "ORDER_HAS_FINAL_STATUS")
    assert "CANCELLED" in again.body["message"]


async def test_an_order_runs_out(shop: Merchant) -> None:
    code = await shop.code(**VARIABLE)
    end = (datetime.now(UTC) + timedelta(minutes=20)).isoformat()
    await bind(shop, code, expirationDate=end)
    await shop.later(19 * 60)
    assert await order_status(shop) == "NEW"
    await shop.later(61)
    assert await order_status(shop) == "EXPIRED"
    assert await shop.status(code) == "INACTIVE"


async def test_an_order_that_is_being_paid_neither_ends_nor_is_canceled(shop: Merchant) -> None:
    await shop.knobs(settle_seconds=3600)
    code = await shop.code(**VARIABLE)
    end = (datetime.now(UTC) + timedelta(minutes=20)).isoformat()
    await bind(shop, code, expirationDate=end)
    await shop.script("pay", "IN_PROGRESS")
    await shop.pay(code)
    refused = await shop.api("DELETE", "/payment/v1/orders/desk-77")
    assert (refused.status, refused.body["code"]) == (409, "ERROR.WRONG_QR_STATUS")
    await shop.later(1800)
    assert await order_status(shop) == "NEW"
    await shop.later(1801)
    assert await order_status(shop) == "PAID"


async def test_one_order_at_a_time(shop: Merchant) -> None:
    code = await shop.code(**VARIABLE)
    await bind(shop, code)
    second = await bind(shop, code, "desk-78")
    assert (second.status, second.body["code"]) == (409, "ERROR.WRONG_QR_STATUS")
    assert (await shop.api("GET", "/payment/v1/orders/desk-78")).status == 404
    same = await bind(shop, code)
    assert same.body["code"] == "ERROR.ORDER_NUMBER_ALREADY_REGISTERED"


async def test_an_order_may_stand_alone_and_be_named_by_the_bank(shop: Merchant) -> None:
    made = await shop.api("POST", "/payment/v1/orders", {"amount": 1.01})
    found = await shop.api("GET", f"/payment/v1/orders/{made.body['id']}")
    assert (made.status, found.body["amount"]) == (200, 1.01)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"id": "a b", "amount": 1}, 400, "ERROR.INVALID_ORDER"),
        ({"id": "a", "amount": 0}, 400, "ERROR.INVALID_REQUEST"),
        ({"id": "a", "amount": 1, "qr": {"id": "AD10"}}, 404, "ERROR.NOT_FOUND"),
        (
            {"id": "a", "amount": 1, "expirationDate": "2020-01-01T00:00:00+03:00"},
            400,
            "ERROR.QR_EXPIRATION_DATE_NOT_VALID",
        ),
    ],
)
async def test_what_cannot_be_ordered(shop: Merchant, body: Any, status: int, code: str) -> None:
    answer = await shop.api("POST", "/payment/v1/orders", body)
    assert (answer.status, answer.body["code"]) == (status, code)
    missing = await shop.api("GET", "/payment/v1/orders/a")
    assert (missing.status, missing.body["code"]) == (404, "ORDER_NOT_FOUND")
