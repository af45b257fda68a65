"""Payments at T-Bank: how they are made, what is refused, and their codes."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from simulators.banks.nspk import crc
from simulators.tbank.harness import Terminal, signed, terminal

DAY = 86_400
LINE = {
    "Name": "Связь",
    "Price": 17525,
    "Quantity": 2,
    "Amount": 35050,
    "Tax": "vat22",
    "PaymentMethod": "advance",
    "PaymentObject": "payment",
}
RECEIPT = {"Email": "a@example.ru", "Taxation": "osn", "FfdVersion": "1.2", "Items": [LINE]}


@pytest.fixture
async def shop() -> AsyncIterator[Terminal]:
    async with terminal() as each:
        yield each


def soon(seconds: int = 1800) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="seconds")


async def init(shop: Terminal, **more: Any) -> dict[str, Any]:
    return await shop.ask("Init", **{"OrderId": "top-0001", "Amount": 35050, **more})


async def test_a_new_payment_names_itself(shop: Terminal) -> None:
    made = await init(shop, Description="Связь")
    assert made.pop("PaymentURL").startswith(f"{shop.sandbox.url}/tbank/app?qr=")
    assert re.fullmatch(r"[0-9]{10}", made.pop("PaymentId"))
    assert made == {
        "TerminalKey": "1700000000001DEMO",
        "Success": True,
        "ErrorCode": "0",
        "Message": "OK",
        "OrderId": "top-0001",
        "Status": "NEW",
        "Amount": 35050,
    }


async def test_a_code_is_nspks_and_stays_the_same(shop: Terminal) -> None:
    payment = (await init(shop))["PaymentId"]
    made = await shop.call("GetQr", PaymentId=payment, DataType="PAYLOAD")
    address, _, checksum = made["Data"].partition("&crc=")
    pattern = r"https://qr\.nspk\.ru/AD10[0-9A-Z]{28}\?type=02&bank=100000000004&sum=35050&cur=RUB"
    assert re.fullmatch(pattern, address)
    assert crc(address) == checksum
    assert await shop.status(payment) == "FORM_SHOWED"
    assert (await shop.call("GetQr", PaymentId=payment))["Data"] == made["Data"]
    assert (made["OrderId"], made["PaymentId"], "RequestKey" in made) == (
        "top-0001",
        payment,
        False,
    )


async def test_an_image_is_raw_svg(shop: Terminal) -> None:
    payment = (await init(shop))["PaymentId"]
    drawn = (await shop.call("GetQr", PaymentId=payment, DataType="IMAGE"))["Data"]
    assert drawn.startswith("<svg ")
    assert (await shop.ask("GetQr", PaymentId=payment, DataType="PNG"))["ErrorCode"] == "308"


@pytest.mark.parametrize(
    ("bent", "code"),
    [
        ({"Token": "0" * 64}, "204"),
        ({"Token": None}, "204"),
        ({"Amount": 1}, "204"),
        ({"TerminalKey": "1700000000002DEMO"}, "501"),
    ],
)
async def test_a_wrong_token_or_terminal(shop: Terminal, bent: dict[str, Any], code: str) -> None:
    body = signed({"OrderId": "top-0001", "Amount": 35050}) | bent
    answer = await shop.send("Init", body)
    assert (answer.status, answer.body["Success"], answer.body["ErrorCode"]) == (200, False, code)
    assert {"Message", "Details"} <= answer.body.keys()
    assert (await shop.control("GET", "/codes"))["items"] == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Amount": 99}, "308"),
        ({"Amount": "a"}, "308"),
        ({"Amount": 350.5}, "308"),
        ({"Amount": -35050}, "308"),
        ({"Amount": None}, "308"),
        ({"OrderId": ""}, "308"),
        ({"OrderId": "o" * 51}, "308"),
        ({"Description": "d" * 251}, "308"),
        ({"NotificationURL": "https://isp.example/callbacks"}, "308"),
        ({"SuccessURL": ""}, "9"),
        ({"RedirectDueDate": "2020-01-01T00:00:00+03:00"}, "12"),
        ({"RedirectDueDate": soon(100 * DAY)}, "12"),
        ({"RedirectDueDate": "2100-01-01T00:00:00"}, "12"),
        ({"RedirectDueDate": "tomorrow"}, "12"),
        ({"Receipt": "none"}, "309"),
        ({"Receipt": RECEIPT | {"Email": None}}, "309"),
        ({"Receipt": RECEIPT | {"Taxation": None}}, "309"),
        ({"Receipt": RECEIPT | {"FfdVersion": "1.1"}}, "309"),
        ({"Receipt": RECEIPT | {"Items": []}}, "309"),
        ({"Receipt": RECEIPT | {"Items": [LINE, LINE]}}, "309"),
        ({"Receipt": RECEIPT | {"Items": [LINE | {"Quantity": 1}]}}, "309"),
        ({"Receipt": RECEIPT | {"Items": [LINE | {"Name": ""}]}}, "309"),
        ({"Receipt": RECEIPT | {"Items": [LINE | {"Price": 1.5}]}}, "309"),
        ({"Receipt": RECEIPT | {"Items": [LINE | {"Quantity": "1e9"}]}}, "309"),
    ],
)
async def test_what_init_refuses(shop: Terminal, changes: dict[str, Any], code: str) -> None:
    answer = await init(shop, **changes)
    assert (answer["Success"], answer["ErrorCode"]) == (False, code)


async def test_a_fiscal_terminal_wants_a_receipt(shop: Terminal) -> None:
    await shop.knobs(fiscal=True)
    assert (await init(shop))["ErrorCode"] == "309"
    assert (await init(shop, Receipt=RECEIPT))["Success"] is True


async def test_an_order_is_taken_once_unless_a_knob_says_otherwise(shop: Terminal) -> None:
    first = (await init(shop))["PaymentId"]
    assert (await init(shop))["ErrorCode"] == "20"
    await shop.knobs(orders_are_unique=False)
    second = (await init(shop))["PaymentId"]
    found = await shop.call("CheckOrder", OrderId="top-0001")
    assert [one["PaymentId"] for one in found["Payments"]] == [second, first]
    assert (await shop.ask("CheckOrder", OrderId="top-0002"))["ErrorCode"] == "255"


async def test_a_terminal_without_codes(shop: Terminal) -> None:
    await shop.knobs(qr_off=True)
    payment = (await init(shop))["PaymentId"]
    assert (await shop.ask("GetQr", PaymentId=payment))["ErrorCode"] == "3001"


async def test_the_lists_of_banks_and_the_sticker(shop: Terminal) -> None:
    payment = await shop.paid()
    members = (await shop.call("QrMembersList", PaymentId=payment))["Members"]
    assert members[0] == {
        "MemberId": "100000000111",
        "MemberName": "Сбербанк",
        "IsPayee": True,
    }
    device = {"Type": "Mobile", "Os": "Android"}
    banks = (await shop.call("GetQrBankList", Device=device, ScenarioType="sub"))["dictionary"]
    assert banks[0]["schema"] == "bank100000000111"
    assert (await shop.ask("GetQrBankList"))["ErrorCode"] == "308"
    sticker = (await shop.call("GetStaticQr", DataType="PAYLOAD"))["Data"]
    assert "?type=01&bank=100000000004&crc=" in sticker
    assert (await shop.call("GetStaticQr", DataType="IMAGE"))["Data"].startswith("<svg ")
