"""Payers of Raiffeisen's codes: by the page, by its calls, by the bank's own stand."""

import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest

from simulators.raiffeisen.harness import Merchant, merchant

FIRST = 900_000_000_001


@pytest.fixture
async def shop() -> AsyncIterator[Merchant]:
    async with merchant() as each:
        yield each


async def test_a_code_is_paid_once(shop: Merchant) -> None:
    code = await shop.code()
    paid = await shop.pay(code)
    assert paid == {
        "transactionId": FIRST,
        "qrId": code,
        "order": "top-0001",
        "amount_kopecks": 35050,
        "status": "SUCCESS",
    }
    assert await shop.status(code) == "PAID"
    info = await shop.info(code)
    assert (info["paymentStatus"], info["transactionId"]) == ("SUCCESS", FIRST)
    assert re.fullmatch(r"[0-9-]{10}T[0-9:]{8}\.[0-9]{6}\+03:00", info["transactionDate"])
    again = await shop.press(code)
    assert (again.status, again.body) == (409, {"error": "the code is PAID"})


async def test_a_sticker_is_paid_by_many(shop: Merchant) -> None:
    code = await shop.paper()
    paid = [await shop.pay(code, amount=amount) for amount in (100, "350,50", 0.01)]
    assert [one["transactionId"] for one in paid] == [FIRST, FIRST + 1, FIRST + 2]
    assert [one["amount_kopecks"] for one in paid] == [10000, 35050, 1]
    assert await shop.status(code) == "NEW"
    assert (await shop.info(code))["paymentStatus"] == "NO_INFO"
    await shop.settled()
    told = [(one["transactionId"], one["amount"], one["order"]) for one in shop.heard()]
    assert sorted(told) == [
        (str(FIRST), "100", "C-100245"),
        (str(FIRST + 1), "350.5", "C-100245"),
        (str(FIRST + 2), "0.01", "C-100245"),
    ]


async def test_of_a_sticker_the_bank_may_show_the_last_payment(shop: Merchant) -> None:
    await shop.knobs(static_shows_last=True, static_says_paid=True)
    code = await shop.paper()
    assert await shop.status(code) == "NEW"
    for amount in (100, 200):
        await shop.pay(code, amount=amount)
    info = await shop.info(code)
    assert (info["paymentStatus"], info["transactionId"], info["amount"]) == (
        "SUCCESS",
        FIRST + 1,
        200,
    )
    assert await shop.status(code) == "PAID"
    await shop.pay(code, amount=300)


async def test_a_sticker_with_a_sum_wants_this_sum(shop: Merchant) -> None:
    code = await shop.code(qrType="QRStatic")
    assert (await shop.press(code, amount=1)).status == 400
    assert (await shop.pay(code))["amount_kopecks"] == 35050
    assert (await shop.pay(code, amount="350.50"))["amount_kopecks"] == 35050


@pytest.mark.parametrize("amount", [None, "", 0, "0.00", "-1", "1.001", "сто", "²", "1e3", True])
async def test_a_sum_that_is_none(shop: Merchant, amount: Any) -> None:
    answer = await shop.press(await shop.paper(), amount=amount)
    assert (answer.status, set(answer.body)) == (400, {"error"})
    assert (await shop.control("GET", "/state"))["payments"] == []


async def test_an_unknown_code(shop: Merchant) -> None:
    for button in ("pay", "refuse"):
        assert (await shop.press("AD10", button)).status == 404


async def test_a_refusal_leaves_the_code_open(shop: Merchant) -> None:
    code = await shop.code()
    assert (await shop.press(code, "refuse")).body == {"qrId": code, "status": "DECLINED"}
    assert await shop.status(code) == "NEW"
    assert (await shop.info(code))["paymentStatus"] == "DECLINED"
    await shop.pay(code)
    assert (await shop.info(code))["paymentStatus"] == "SUCCESS"


async def test_a_refusal_at_a_sticker_is_forgotten_with_the_next_payment(shop: Merchant) -> None:
    code = await shop.paper()
    await shop.press(code, "refuse")
    assert (await shop.info(code))["paymentStatus"] == "DECLINED"
    await shop.pay(code, amount=1)
    assert (await shop.info(code))["paymentStatus"] == "NO_INFO"


async def test_a_scripted_refusal(shop: Merchant) -> None:
    await shop.script("pay", "DECLINED")
    code = await shop.code()
    assert (await shop.press(code)).status == 402
    assert (await shop.info(code))["paymentStatus"] == "DECLINED"
    assert (await shop.pay(code))["status"] == "SUCCESS"


@pytest.mark.parametrize("end", ["SUCCESS", "DECLINED"])
async def test_a_payment_that_takes_its_time(shop: Merchant, end: str) -> None:
    await shop.script("pay", {"status": "IN_PROGRESS", "then": end})
    code = await shop.code()
    assert (await shop.pay(code))["status"] == "IN_PROGRESS"
    assert await shop.status(code) == "IN_PROGRESS"
    info = await shop.info(code)
    assert (info["paymentStatus"], "transactionId" in info) == ("IN_PROGRESS", False)
    assert (await shop.press(code)).status == 409
    assert (await shop.api("DELETE", f"/sbp/v2/qrs/{code}")).status == 400
    assert await shop.log() == []
    await shop.later(61)
    assert (await shop.info(code))["paymentStatus"] == end
    assert await shop.status(code) == {"SUCCESS": "PAID", "DECLINED": "NEW"}[end]
    assert len(await shop.log()) == {"SUCCESS": 1, "DECLINED": 0}[end]


async def test_a_refusal_may_be_told(shop: Merchant) -> None:
    await shop.knobs(tells_declined=True)
    await shop.script("pay", {"status": "IN_PROGRESS", "then": "DECLINED"})
    await shop.pay(await shop.code())
    await shop.later(61)
    await shop.settled()
    assert [one["paymentStatus"] for one in shop.heard()] == ["DECLINED"]


async def test_money_that_arrives_after_the_end_of_its_code(shop: Merchant) -> None:
    await shop.knobs(settle_seconds=4 * 86_400)
    await shop.script("pay", "IN_PROGRESS")
    code = await shop.code()
    await shop.pay(code)
    await shop.later(3 * 86_400 + 1)
    assert await shop.status(code) == "IN_PROGRESS"
    await shop.later(86_400)
    assert await shop.status(code) == "PAID"


async def test_an_outcome_that_there_is_not(shop: Merchant) -> None:
    await shop.script("pay", "PERHAPS")
    answer = await shop.press(await shop.code())
    assert (answer.status, "PERHAPS" in answer.body["error"]) == (400, True)


async def test_the_banks_own_stand(shop: Merchant) -> None:
    code, paper = await shop.code(), await shop.paper()
    stand = "/external-mock/v01/rfuture"
    shown = (await shop.api("GET", f"{stand}/qrs/{code}")).body
    assert (shown["qrcType"], shown["sum"], shown["status"]) == ("02", 350.5, "NEW")
    assert (await shop.api("GET", f"{stand}/qrs/{paper}")).body["qrcType"] == "01"
    assert (await shop.api("POST", f"{stand}/payment/init", {"qrId": code})).status == 200
    paid = await shop.api("POST", f"{stand}/payment/init", {"qrId": paper, "amount": 314})
    assert paid.body == {"code": "SUCCESS", "transactionId": FIRST + 1}
    assert await shop.status(code) == "PAID"
    assert (await shop.api("POST", f"{stand}/payment/init", {"qrId": paper})).status == 400
    assert (await shop.api("GET", f"{stand}/qrs/AD10")).status == 404


async def page(shop: Merchant, path: str) -> tuple[int, str]:
    answer = await shop.sandbox.call("GET", f"/raiffeisen{path}")
    return answer.status, answer.body


async def test_the_page_pays(shop: Merchant) -> None:
    code = await shop.code(additionalInfo="Договор 100245")
    status, text = await page(shop, f"/app?qr={code}")
    assert (status, "Договор 100245" in text, "350,50" in text) == (200, True, True)
    (action, *_) = re.findall(r'action="/sandbox(/raiffeisen/qr/[^"]+/pay)"', text)
    answer = await shop.sandbox.call("POST", action, data={"x": ""})
    assert (answer.status, "Оплачено" in answer.body) == (200, True)
    assert await shop.status(code) == "PAID"
    _, text = await page(shop, f"/app?qr={code}")
    assert "<form" not in text


async def test_the_page_of_a_sticker_asks_for_the_sum(shop: Merchant) -> None:
    code = await shop.paper()
    payload = (await shop.api("GET", f"/sbp/v2/qrs/{code}")).body["payload"]
    _, text = await page(shop, f"/app?payload={quote(payload, safe='')}")
    assert 'name="amount"' in text
    pay = f"/raiffeisen/qr/{code}/pay"
    answer = await shop.sandbox.call("POST", pay, data={"amount": "сто"})
    assert (answer.status, 'role="alert"' in answer.body) == (400, True)
    answer = await shop.sandbox.call("POST", pay, data={"amount": "650,50"})
    assert (answer.status, "Оплачено" in answer.body) == (200, True)
    await shop.settled()
    assert [one["amount"] for one in shop.heard()] == ["650.5"]


async def test_the_page_of_a_binding_asks_for_consent(shop: Merchant) -> None:
    wanted = {"id": "sub-1", "sbpMerchantId": "MA0000099999", "subscriptionPurpose": "Автоплатёж"}
    code = (await shop.api("POST", "/sbp/v1/subscriptions", wanted)).body["qr"]["id"]
    _, text = await page(shop, f"/app?qr={code}")
    assert ("Согласиться" in text, 'name="amount"' in text) == (True, False)
    answer = await shop.sandbox.call("POST", f"/raiffeisen/qr/{code}/pay", data={"x": ""})
    assert "Счёт привязан" in answer.body
    answer = await shop.sandbox.call("POST", f"/raiffeisen/qr/{code}/refuse", data={"x": ""})
    assert "Отказано" in answer.body
    shown = (await shop.api("GET", "/sbp/v1/subscriptions/sub-1")).body
    assert shown["status"] == "UNSUBSCRIBED"


async def test_the_page_of_a_payment_under_way_does_not_say_paid(shop: Merchant) -> None:
    await shop.script("pay", "IN_PROGRESS")
    code = await shop.code()
    answer = await shop.sandbox.call("POST", f"/raiffeisen/qr/{code}/pay", data={"x": ""})
    assert ("Банк проводит платёж" in answer.body, "Оплачено" in answer.body) == (True, False)


async def test_the_index_lists_what_can_be_paid(shop: Merchant) -> None:
    paper, code, paid = await shop.paper(), await shop.code(), await shop.code(order="top-0002")
    await shop.pay(paid)
    for path in ("", "/"):
        _, text = await page(shop, path)
        listed = re.findall(r"app\?qr=([0-9A-Z]{32})", text)
        assert sorted(listed) == sorted([paper, code])


@pytest.mark.parametrize("path", ["/app?qr=AD10", "/app", "/app?payload=https://isp.example/"])
async def test_a_page_without_a_code(shop: Merchant, path: str) -> None:
    assert (await page(shop, path))[0] == 404
