"""Refunds at Raiffeisen, by the older part of its API and by the newer one."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from simulators.raiffeisen.harness import Merchant, merchant

REFUND = {"order": "top-0001", "refundId": "rf-0001", "amount": 100}
REASONS = [
    "TIMEOUT",
    "BANK_NOT_SUPPORTED",
    "RECEIVER_ACCOUNT_ERROR",
    "WRONG_RECIPIENT",
    "SYSTEM_ERROR",
    "RECEIVER_ACCOUNT_NOT_ALLOWED",
]


@pytest.fixture
async def shop() -> AsyncIterator[Merchant]:
    async with merchant() as each:
        yield each


async def back(shop: Merchant, **changes: Any) -> Any:
    body = {name: value for name, value in (REFUND | changes).items() if value is not None}
    return (await shop.api("POST", "/sbp/v1/refund", body)).body


async def refund_status(shop: Merchant, refund: str = "rf-0001") -> str:
    return str((await shop.api("GET", f"/sbp/v1/refund/{refund}")).body["refundStatus"])


async def test_a_refund_is_under_way_for_a_while(shop: Merchant) -> None:
    code = await shop.code()
    await shop.pay(code)
    assert await back(shop) == {"code": "SUCCESS", "amount": 100, "refundStatus": "IN_PROGRESS"}
    assert await refund_status(shop) == "IN_PROGRESS"
    assert (await shop.control("GET", f"/refunded/{code}"))["kopecks"] == 0
    await shop.later(3)
    assert await refund_status(shop) == "COMPLETED"
    assert (await shop.control("GET", f"/refunded/{code}"))["kopecks"] == 10000


async def test_refunds_never_exceed_their_payment(shop: Merchant) -> None:
    await shop.pay(await shop.code())
    assert (await back(shop, amount=350.51))["code"] == "ERROR.REFUND_INSUFFICIENT_FUNDS"
    assert (await back(shop, amount=350.49))["code"] == "SUCCESS"
    assert (await back(shop, refundId="rf-2", amount=0.02))["code"] == (
        "ERROR.REFUND_INSUFFICIENT_FUNDS"
    )
    assert (await back(shop, refundId="rf-3", amount=0.01))["code"] == "SUCCESS"
    assert (await back(shop, refundId="rf-4", amount=0.01))["code"] == (
        "ERROR.REFUND_INSUFFICIENT_FUNDS"
    )


async def test_a_declined_refund_leaves_the_money(shop: Merchant) -> None:
    await shop.pay(await shop.code())
    await shop.script("refund", "WRONG_RECIPIENT")
    await back(shop, amount=350.5)
    await shop.later(3)
    assert await refund_status(shop) == "DECLINED"
    assert (await back(shop, refundId="rf-2", amount=350.5))["code"] == "SUCCESS"


async def test_of_a_sticker_the_transaction_says_which(shop: Merchant) -> None:
    code = await shop.paper()
    first, second = [(await shop.pay(code, amount=n))["transactionId"] for n in (100, 200)]
    wanted: dict[str, Any] = {"order": "C-100245", "amount": 150}
    assert (await back(shop, **wanted))["code"] == "ERROR.INVALID_REQUEST"
    too_much = await back(shop, **wanted, transactionId=first)
    assert too_much["code"] == "ERROR.REFUND_INSUFFICIENT_FUNDS"
    assert (await back(shop, **wanted, transactionId=second))["code"] == "SUCCESS"
    # The transaction wins over the order, as in the bank's own tests.
    other = await back(shop, order="whatever", refundId="rf-2", transactionId=str(first))
    assert other["code"] == "SUCCESS"


async def test_a_repeated_refund_goes_back_once(shop: Merchant) -> None:
    code = await shop.code()
    await shop.pay(code)
    first = await back(shop)
    assert await back(shop) == first
    await shop.knobs(refund_repeats="refused")
    assert (await back(shop))["code"] == "ERROR.INVALID_REQUEST"
    await shop.later(3)
    assert (await shop.control("GET", f"/refunded/{code}"))["kopecks"] == 10000


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"order": "unpaid"}, "ERROR.NOT_FOUND"),
        ({"transactionId": 1}, "ERROR.NOT_FOUND"),
        ({"transactionId": "1e3"}, "ERROR.INVALID_REQUEST"),
        ({"transactionId": 10**30}, "ERROR.INVALID_REQUEST"),
        ({"transactionId": {}}, "ERROR.INVALID_REQUEST"),
        ({"amount": 0.001}, "ERROR.INVALID_REQUEST"),
        ({"amount": None}, "ERROR.INVALID_REQUEST"),
        ({"amount": 1e300}, "ERROR.INVALID_REQUEST"),
        ({"refundId": None}, "ERROR.INVALID_REQUEST"),
        ({"refundId": "x" * 41}, "ERROR.INVALID_REQUEST"),
        ({"paymentDetails": "x" * 141}, "ERROR.INVALID_REQUEST"),
    ],
)
async def test_what_cannot_be_sent_back(shop: Merchant, changes: Any, code: str) -> None:
    await shop.pay(await shop.code())
    answer = await shop.api("POST", "/sbp/v1/refund", REFUND | changes)
    assert (answer.status, answer.body["code"]) == (200, code)
    missing = await shop.api("GET", "/sbp/v1/refund/rf-0001")
    assert (missing.status, missing.body["code"]) == (200, "ERROR.REFUND_NOT_FOUND")


async def test_a_code_that_was_not_paid_sends_nothing_back(shop: Merchant) -> None:
    await shop.script("pay", "IN_PROGRESS")
    await shop.pay(await shop.code())
    assert (await back(shop))["code"] == "ERROR.NOT_FOUND"


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_the_newer_refunds_say_why_not(shop: Merchant, version: str) -> None:
    await shop.pay(await shop.code())
    await shop.script("refund", *REASONS)
    for number, reason in enumerate(REASONS):
        path = f"/payments/{version}/orders/top-0001/refunds/rf-{number}"
        made = await shop.api("POST", path, {"amount": 100.5})
        assert (made.body["amount"], made.body["status"]["value"]) == (100.5, "IN_PROGRESS")
        await shop.later(3)
        status = (await shop.api("GET", path)).body["status"]
        assert (status["value"], status["declineReason"]) == ("DECLINED", reason)
    other = await shop.api("GET", f"/payments/{version}/orders/top-0002/refunds/rf-0")
    assert (other.status, other.body["code"]) == (404, "ERROR.REFUND_NOT_FOUND")


async def test_the_banks_that_can_receive(shop: Merchant) -> None:
    (bank,) = (await shop.api("GET", "/payments/v2/banks")).body
    assert bank["bankAlias"] == "100000000111"
