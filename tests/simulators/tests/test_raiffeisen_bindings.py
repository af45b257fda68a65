"""Bindings at Raiffeisen, and the charges by them."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from simulators.raiffeisen.harness import Merchant, merchant

CHARGE = {"amount": 500, "currency": "RUB", "order": "auto-2026-03-100245"}


@pytest.fixture
async def shop() -> AsyncIterator[Merchant]:
    async with merchant() as each:
        yield each


async def subscription(shop: Merchant, name: str = "sub-100245") -> Any:
    return (await shop.api("GET", f"/sbp/v1/subscriptions/{name}")).body


async def test_a_binding_waits_for_its_payer(shop: Merchant) -> None:
    wanted = {"id": "sub-100245", "sbpMerchantId": "MA0000099999", "subscriptionPurpose": "x"}
    made = (await shop.api("POST", "/sbp/v1/subscriptions", wanted, key="")).body
    assert (made["status"], "bank" in made) == ("INACTIVE", False)
    code = made["qr"]["id"]
    assert made["qr"]["payload"].startswith(f"https://sub.nspk.ru/{code}?type=03&bank=")
    assert await subscription(shop) == made
    assert (await shop.press(code, "refuse")).body["status"] == "INACTIVE"
    assert await shop.log() == []
    assert (await shop.pay(code))["status"] == "SUBSCRIBED"
    assert (await shop.press(code)).status == 409
    await shop.settled()
    (told,) = shop.heard()
    assert told["event"] == "subscription"
    assert told["subscription"] == await subscription(shop)
    assert told["subscription"]["bank"] == "100000000111"


async def test_a_payer_may_revoke(shop: Merchant) -> None:
    name = await shop.bound()
    assert (await shop.control("POST", f"/subscriptions/{name}/revoke"))["status"] == "UNSUBSCRIBED"
    assert (await subscription(shop))["status"] == "UNSUBSCRIBED"
    again = f"/raiffeisen/control/subscriptions/{name}/revoke"
    assert (await shop.sandbox.call("POST", again)).status == 409
    answer = await shop.api("POST", f"/sbp/v1/subscriptions/{name}/orders", CHARGE)
    assert answer.body["code"] == "ERROR.NOT_FOUND"
    await shop.settled()
    states = [one["subscription"]["status"] for one in shop.heard()]
    assert sorted(states) == ["SUBSCRIBED", "UNSUBSCRIBED"]


async def test_the_control_decides_for_the_payer(shop: Merchant) -> None:
    await shop.code(subscription={"id": "sub-1", "subscriptionPurpose": "x"})
    refused = await shop.control("POST", "/subscriptions/sub-1/refuse")
    assert refused == {"id": "sub-1", "status": "INACTIVE"}
    accepted = await shop.control("POST", "/subscriptions/sub-1/accept")
    assert accepted == {"id": "sub-1", "status": "SUBSCRIBED"}
    unknown = "/raiffeisen/control/subscriptions/sub-2/accept"
    assert (await shop.sandbox.call("POST", unknown)).status == 404


@pytest.mark.parametrize(("binds", "status"), [(False, "INACTIVE"), (True, "SUBSCRIBED")])
async def test_who_pays_may_bind_or_not(shop: Merchant, binds: bool, status: str) -> None:
    await shop.knobs(pay_also_binds=binds)
    code = await shop.code(subscription={"subscriptionPurpose": "x"})
    name = (await shop.api("GET", f"/sbp/v2/qrs/{code}")).body["subscriptionId"]
    await shop.pay(code)
    assert await shop.status(code) == "PAID"
    assert (await subscription(shop, name))["status"] == status


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"sbpMerchantId": "MA1"}, "ERROR.MERCHANT_NOT_REGISTERED"),
        ({"subscriptionPurpose": "x" * 186}, "ERROR.INVALID_REQUEST"),
        ({"id": "sub-100245"}, "ERROR.INVALID_REQUEST"),
    ],
)
async def test_what_cannot_be_bound(shop: Merchant, changes: Any, code: str) -> None:
    await shop.bound()
    wanted = {"sbpMerchantId": "MA0000099999", "subscriptionPurpose": "x"} | changes
    answer = await shop.api("POST", "/sbp/v1/subscriptions", wanted)
    assert (answer.status, answer.body["code"]) == (200, code)


async def test_a_charge_has_a_code_and_a_callback_of_its_own(shop: Merchant) -> None:
    path = f"/sbp/v1/subscriptions/{await shop.bound()}/orders"
    made = (await shop.api("POST", path, CHARGE)).body
    assert (made["paymentStatus"], made["amount"]) == ("SUCCESS", 500)
    assert (await shop.api("GET", f"{path}/{CHARGE['order']}")).body == made
    assert (await shop.info(made["qrId"]))["paymentStatus"] == "SUCCESS"
    await shop.settled()
    (told,) = [one for one in shop.heard() if "event" not in one]
    assert (told["qrId"], told["order"], told["amount"]) == (made["qrId"], CHARGE["order"], "500")
    back = {"order": CHARGE["order"], "refundId": "rf-0001", "amount": 500}
    assert (await shop.api("POST", "/sbp/v1/refund", back)).body["code"] == "SUCCESS"


async def test_a_repeated_charge(shop: Merchant) -> None:
    path = f"/sbp/v1/subscriptions/{await shop.bound()}/orders"
    made = (await shop.api("POST", path, CHARGE)).body
    again = (await shop.api("POST", path, CHARGE)).body
    assert again["code"] == "ERROR.ORDER_NUMBER_ALREADY_REGISTERED"
    await shop.knobs(charge_repeats="shown")
    assert (await shop.api("POST", path, CHARGE)).body == made
    (paid,) = (await shop.control("GET", "/state"))["payments"]
    assert (paid["number"], paid["kopecks"]) == (1, 50000)


@pytest.mark.parametrize("end", ["SUCCESS", "DECLINED"])
async def test_a_charge_that_takes_its_time(shop: Merchant, end: str) -> None:
    path = f"/sbp/v1/subscriptions/{await shop.bound()}/orders"
    await shop.script("charge", {"status": "IN_PROGRESS", "then": end})
    made = (await shop.api("POST", path, CHARGE)).body
    assert (made["paymentStatus"], "transactionId" in made) == ("IN_PROGRESS", False)
    assert await shop.status(made["qrId"]) == "IN_PROGRESS"
    await shop.later(61)
    shown = (await shop.api("GET", f"{path}/{CHARGE['order']}")).body
    assert shown["paymentStatus"] == end
    assert await shop.status(made["qrId"]) == {"SUCCESS": "PAID", "DECLINED": "CANCELLED"}[end]
    told = [json.loads(one["body"]) for one in await shop.log()]
    assert sum("event" not in one for one in told) == {"SUCCESS": 1, "DECLINED": 0}[end]


async def test_a_declined_charge(shop: Merchant) -> None:
    path = f"/sbp/v1/subscriptions/{await shop.bound()}/orders"
    await shop.script("charge", "DECLINED")
    assert (await shop.api("POST", path, CHARGE)).body["paymentStatus"] == "DECLINED"
    answer = await shop.api("POST", path, CHARGE | {"order": "auto-2"})
    assert answer.body["paymentStatus"] == "SUCCESS"
    missing = await shop.api("GET", f"{path}/auto-3")
    assert (missing.status, missing.body["code"]) == (200, "ERROR.NOT_FOUND")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"order": "a b"}, "ERROR.INVALID_ORDER"),
        ({"amount": "5"}, "ERROR.INVALID_REQUEST"),
        ({"currency": "USD"}, "ERROR.INVALID_REQUEST"),
    ],
)
async def test_what_cannot_be_charged(shop: Merchant, changes: Any, code: str) -> None:
    path = f"/sbp/v1/subscriptions/{await shop.bound()}/orders"
    assert (await shop.api("POST", path, CHARGE | changes)).body["code"] == code
