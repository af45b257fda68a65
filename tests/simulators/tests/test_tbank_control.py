"""Control of the simulated T-Bank, its faults, and whatever may stand in a request."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from simulators.tbank.app import METHODS
from simulators.tbank.harness import Terminal, signed, terminal

NASTY: list[Any] = [
    None, True, 0, -1, 10**30, 1e300, "", "x", "\x00", "я" * 3000, [], [[]], {}, {"": ""},
    {"QR": 1}, "²",
]  # fmt: skip
LINE = {"Name": "Связь", "Price": 35050, "Quantity": 1, "Amount": 35050, "Tax": "none"}
BODY = {
    "OrderId": "top-0001",
    "Amount": 35050,
    "PaymentId": "4000000001",
    "Description": "Связь",
    "Recurrent": "Y",
    "DATA": {"QR": "true"},
    "DataType": "PAYLOAD",
    "RedirectDueDate": None,
    "NotificationURL": None,
    "SuccessURL": None,
    "ExternalRequestId": "e",
    "RequestKey": "9f0c",
    "AccountToken": "tok",
    "BankMemberId": "100000000111",
    "Device": {},
    "ScenarioType": "qr",
    "IsRejected": True,
    "Receipt": {"Email": "a@example.ru", "Taxation": "osn", "Items": [LINE]},
}


@pytest.fixture
async def shop() -> AsyncIterator[Terminal]:
    async with terminal() as each:
        yield each


@pytest.mark.parametrize("method", METHODS)
async def test_any_value_in_any_place(shop: Terminal, method: str) -> None:
    payment = await shop.made("top-0000", Description="Связь")
    for name in BODY:
        for value in NASTY:
            body = {**BODY, "PaymentId": payment, name: value}
            answer = await shop.send(method, signed(body))
            assert answer.status == 200, (name, value, answer)
            assert isinstance(answer.body["Success"], bool), (name, value, answer)


@pytest.mark.parametrize(
    "raw", [b"", b"null", b"[]", b"{", b"[" * 9000, b'{"a":"\\ud800"}', b"\xff"]
)
async def test_what_is_not_a_request(shop: Terminal, raw: bytes) -> None:
    url = f"{shop.sandbox.url}/tbank/v2/Init"
    async with shop.sandbox.session.post(url, data=raw) as answer:
        assert answer.status == 200
        assert (await answer.json())["ErrorCode"] == "308"
    assert (await shop.sandbox.call("POST", "/tbank/v2/Nothing", {})).status == 404


@pytest.mark.parametrize("kind", ["drop_before", "error_before", "too_many", "bad_gateway_before"])
async def test_a_fault_before_leaves_nothing(shop: Terminal, kind: str) -> None:
    payment = await shop.paid()
    await shop.control("POST", "/faults", {"faults": [{"kind": kind, "calls": ["Cancel"]}]})
    await _hurt(shop, "Cancel", PaymentId=payment)
    assert await shop.status(payment) == "CONFIRMED"


@pytest.mark.parametrize("kind", ["drop_after", "error_after", "truncated", "bad_gateway_after"])
async def test_a_fault_after_has_had_its_effect(shop: Terminal, kind: str) -> None:
    await shop.knobs(refund_seconds=600)
    payment = await shop.paid()
    await shop.control("POST", "/faults", {"faults": [{"kind": kind, "calls": ["Cancel"]}]})
    await _hurt(shop, "Cancel", PaymentId=payment)
    assert await shop.status(payment) == "ASYNC_REFUNDING"


async def test_a_request_asks_for_its_own_fault(shop: Terminal) -> None:
    body = signed({"OrderId": "top-0001", "Amount": 35050})
    answer = await shop.send("Init", body, headers={"X-Sandbox-Fault": "error_after"})
    assert answer.status == 500
    assert (await shop.ask("CheckOrder", OrderId="top-0001"))["Success"] is True
    answer = await shop.send("Init", body, headers={"X-Sandbox-Fault": "earthquake"})
    assert answer.status == 400


async def test_a_binding_is_told_before_its_creation_is_answered(shop: Terminal) -> None:
    fault = {"kind": "callback_first", "calls": ["AddAccountQr"], "times": 1}
    await shop.control("POST", "/faults", {"faults": [fault]})
    key, _ = await shop.binding()
    (told,) = shop.heard()
    assert (told["RequestKey"], told["Status"]) == (key, "ACTIVE")


async def test_a_refused_creation_has_nothing_to_tell_first(shop: Terminal) -> None:
    fault = {"kind": "callback_first", "calls": ["Init"], "times": 1}
    await shop.control("POST", "/faults", {"faults": [fault]})
    assert (await shop.ask("Init", OrderId="top-0001", Amount=1))["ErrorCode"] == "308"
    assert await shop.log() == []


async def test_many_at_once(shop: Terminal) -> None:
    made = await shop.control("POST", "/payments", {"count": 3, "amount": "100,50"})
    paid = await shop.control("POST", "/payments", {"count": 2, "paid": True})
    assert len({*made["ids"], *paid["ids"]}) == 5
    rows = (await shop.control("GET", "/state"))["payments"]
    assert rows == [
        {"status": "CONFIRMED", "number": 2, "kopecks": 130000, "returned": 0},
        {"status": "FORM_SHOWED", "number": 3, "kopecks": 30150, "returned": 0},
    ]
    assert len(await shop.settled()) == 4
    (found,) = [one for one in await _codes(shop) if str(one["id"]) == made["ids"][0]]
    assert found["payload"].startswith("https://qr.nspk.ru/AD10")
    assert [one["id"] for one in await _codes(shop, found["order_id"])] == [found["id"]]


@pytest.mark.parametrize(
    "wish",
    [{"count": -1}, {"count": "3"}, {"count": 10_001}, {"amount": "0.99"}, {"amount": "1e3"}],
)
async def test_what_cannot_be_made_in_bulk(shop: Terminal, wish: dict[str, Any]) -> None:
    answer = await shop.sandbox.call("POST", "/tbank/control/payments", wish)
    assert (answer.status, list(answer.body)) == (400, ["error"])
    assert await _codes(shop) == []


async def test_everything_is_forgotten(shop: Terminal) -> None:
    await shop.paid()
    await shop.bound()
    await shop.settled()
    await shop.script("pay", "REJECTED")
    await shop.control("POST", "/reset")
    assert await shop.control("GET", "/state") == {"payments": [], "refunds": [], "bindings": []}
    assert await shop.log() == []
    payment = await shop.paid()
    assert await shop.status(payment) == "CONFIRMED"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/knobs", {"nothing": True}, 400),
        ("PUT", "/knobs", {"fiscal": "yes"}, 400),
        ("PUT", "/knobs", {"refund_seconds": True}, 400),
        ("GET", "/payments/4999999999", None, 404),
        ("GET", "/payments/²", None, 404),
        ("GET", "/refunded/x", None, 404),
        ("POST", "/bindings/none/accept", {}, 404),
        ("POST", "/faults", {"faults": [{"kind": "drop_after", "calls": ["Pay"]}]}, 400),
    ],
)
async def test_mistakes_are_told(
    shop: Terminal, method: str, path: str, body: Any, status: int
) -> None:
    answer = await shop.sandbox.call(method, f"/tbank/control{path}", body)
    assert (answer.status, list(answer.body)) == (status, ["error"])


async def test_an_outcome_that_there_is_not(shop: Terminal) -> None:
    payment = await shop.made()
    await shop.script("pay", "PAID")
    answer = await shop.press(payment)
    assert (answer.status, "no such outcome" in answer.body["error"]) == (400, True)
    assert await shop.status(payment) == "FORM_SHOWED"


async def _codes(shop: Terminal, order: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await shop.control("GET", f"/codes?order={order}"))["items"]
    return found


async def _hurt(shop: Terminal, method: str, **fields: Any) -> None:
    """Make a call that comes to no answer: no connection, no 200, or half a JSON."""
    trouble = (aiohttp.ClientError, json.JSONDecodeError, asyncio.IncompleteReadError)
    try:
        answer = await shop.send(method, signed(fields))
    except trouble:
        return
    assert answer.status in (429, 500, 502)
