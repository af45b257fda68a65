"""Faults on the way to Raiffeisen: each kind, before and after the commit."""

import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

from simulators.raiffeisen.harness import Merchant, dynamic, merchant

REGISTER = "/sbp/v2/qrs"


@pytest.fixture
async def shop() -> AsyncIterator[Merchant]:
    async with merchant() as each:
        yield each


async def suffer(shop: Merchant, kind: str, **more: object) -> None:
    wish = {"kind": kind, "calls": ["register_qr_v2"], "times": 1} | more
    await shop.control("POST", "/faults", {"faults": [wish]})


async def count(shop: Merchant) -> int:
    return len((await shop.control("GET", "/codes"))["items"])


@pytest.mark.parametrize(("kind", "made"), [("drop_before", 0), ("drop_after", 1)])
async def test_a_dropped_connection(shop: Merchant, kind: str, made: int) -> None:
    await suffer(shop, kind)
    with pytest.raises(aiohttp.ClientError):
        await shop.api("POST", REGISTER, dynamic())
    assert await count(shop) == made
    assert (await shop.api("POST", REGISTER, dynamic())).status == 200


@pytest.mark.parametrize(
    ("kind", "status", "made"),
    [
        ("error_before", 500, 0),
        ("error_after", 500, 1),
        ("too_many", 429, 0),
        ("unauthorized", 401, 0),
        ("not_found", 404, 0),
        ("bad_gateway_before", 502, 0),
        ("bad_gateway_after", 502, 1),
    ],
)
async def test_a_refusal(shop: Merchant, kind: str, status: int, made: int) -> None:
    await suffer(shop, kind)
    answer = await shop.api("POST", REGISTER, dynamic())
    assert (answer.status, await count(shop)) == (status, made)
    assert isinstance(answer.body, dict) == (kind == "not_found")
    assert (await shop.api("POST", REGISTER, dynamic())).status == 200


@pytest.mark.parametrize("kind", ["latency_before", "latency_after"])
async def test_a_slow_bank(shop: Merchant, kind: str) -> None:
    await suffer(shop, kind, delay=10_000)
    with pytest.raises(TimeoutError):
        await shop.api("POST", REGISTER, dynamic(), timeout=aiohttp.ClientTimeout(total=0.3))
    assert await count(shop) == (kind == "latency_after")
    await suffer(shop, kind, delay=1)
    assert (await shop.api("POST", REGISTER, dynamic())).status == 200


async def test_half_an_answer(shop: Merchant) -> None:
    await suffer(shop, "truncated")
    with pytest.raises(json.JSONDecodeError):
        await shop.api("POST", REGISTER, dynamic())
    assert await count(shop) == 1


async def test_only_the_calls_that_are_meant(shop: Merchant) -> None:
    await suffer(shop, "error_before", calls=["payment_info"])
    code = await shop.code()
    assert (await shop.api("GET", f"/sbp/v1/qr/{code}/payment-info")).status == 500
    assert (await shop.api("GET", f"/sbp/v1/qr/{code}/payment-info")).status == 200


@pytest.mark.parametrize("call", ["charge", "create_subscription", "register_qr"])
async def test_told_before_the_answer(shop: Merchant, call: str) -> None:
    await shop.bound()
    await shop.settled()
    await suffer(shop, "callback_first", calls=[call])
    paths = {
        "charge": "/sbp/v1/subscriptions/sub-100245/orders",
        "create_subscription": "/sbp/v1/subscriptions",
        "register_qr": "/sbp/v1/qr/register",
    }
    answer = await shop.api("POST", paths[call], dynamic(id="sub-2"))
    assert answer.status == 200
    told = shop.heard()[1]
    if call == "create_subscription":
        assert (told["subscription"]["id"], told["subscription"]["status"]) == (
            "sub-2",
            "SUBSCRIBED",
        )
    else:
        assert told["qrId"] == answer.body["qrId"]


@pytest.mark.parametrize(
    ("path", "status"),
    [("/sbp/v1/qr/{}/image", 200), ("/payments/v2/banks", 200), ("/nowhere", 404)],
)
async def test_nothing_to_pay_first(shop: Merchant, path: str, status: int) -> None:
    # A sticker wants a sum, so that not even its registration is paid.
    await suffer(shop, "callback_first", calls=[], times=None)
    url = f"{shop.sandbox.url}/raiffeisen/api{path.format(await shop.paper())}"
    key = {"Authorization": "Bearer sim-secret-key-000000000001"}
    async with shop.sandbox.session.get(url, headers=key) as answer:
        assert answer.status == status
    assert await shop.log() == []


async def test_a_request_may_ask_for_its_own_fault(shop: Merchant) -> None:
    headers = {"X-Sandbox-Fault": "error_after"}
    assert (await shop.api("POST", REGISTER, dynamic(), headers=headers)).status == 500
    assert await count(shop) == 1
    headers = {"X-Sandbox-Fault": "latency_after; delay=1"}
    assert (await shop.api("POST", REGISTER, dynamic(), headers=headers)).status == 200


@pytest.mark.parametrize("wish", ["flood", "too_many; hue=7", "latency_after; delay=soon"])
async def test_a_fault_that_there_is_not(shop: Merchant, wish: str) -> None:
    answer = await shop.api("POST", REGISTER, dynamic(), headers={"X-Sandbox-Fault": wish})
    assert (answer.status, set(answer.body)) == (400, {"error"})
    assert await count(shop) == 0


@pytest.mark.parametrize("wish", [{"kind": "plague"}, {"kind": "too_many", "calls": ["sing"]}, {}])
async def test_an_impossible_fault(shop: Merchant, wish: object) -> None:
    faults = {"faults": [wish]}
    answer = await shop.sandbox.call("POST", "/raiffeisen/control/faults", faults)
    assert (answer.status, set(answer.body)) == (400, {"error"})


async def test_faults_are_listed_and_cleared(shop: Merchant) -> None:
    await suffer(shop, "error_before", times=None, probability=0.5)
    statuses = [(await shop.api("POST", REGISTER, dynamic())).status for _ in range(40)]
    (listed,) = (await shop.control("GET", "/faults"))["faults"]
    assert listed["hits"] == statuses.count(500)
    assert 8 < statuses.count(500) < 32
    assert (await shop.control("DELETE", "/faults"))["faults"] == []
    assert (await shop.api("POST", REGISTER, dynamic())).status == 200
