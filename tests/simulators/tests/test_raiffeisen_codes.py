"""Codes at Raiffeisen: how they are registered, shown, canceled, and how they end."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from simulators.raiffeisen.harness import Merchant, dynamic, merchant

DAY = 86_400


@pytest.fixture
async def shop() -> AsyncIterator[Merchant]:
    async with merchant() as each:
        yield each


def soon(minutes: int = 30) -> str:
    return (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat(timespec="seconds")


async def test_a_code_for_one_payment(shop: Merchant) -> None:
    made = (await shop.api("POST", "/sbp/v2/qrs", dynamic(), key="")).body
    code = made["qrId"]
    assert made["payload"].startswith(f"https://qr.nspk.ru/{code}?type=02&bank=100000000007&sum=")
    assert "&sum=35050&cur=RUB&crc=" in made["payload"]
    assert (made["qrStatus"], code[:2], len(code)) == ("NEW", "AD", 32)
    assert (await shop.api("GET", f"/sbp/v2/qrs/{code}")).body == made


async def test_the_first_version_answers_with_a_code_of_success(shop: Merchant) -> None:
    made = (await shop.api("POST", "/sbp/v1/qr/register", dynamic(), key="")).body
    assert (made["code"], "qrStatus" in made) == ("SUCCESS", False)
    shown = (await shop.api("GET", f"/sbp/v1/qr/{made['qrId']}/info")).body
    assert shown == made


async def test_a_sticker_has_no_sum_and_no_end(shop: Merchant) -> None:
    code = await shop.paper()
    shown = (await shop.api("GET", f"/sbp/v2/qrs/{code}")).body
    assert code.startswith("AS")
    assert "?type=01&" in shown["payload"]
    assert "sum=" not in shown["payload"]
    assert "qrExpirationDate" not in shown
    await shop.later(400 * DAY)
    assert await shop.status(code) == "NEW"


async def test_the_image_is_a_picture(shop: Merchant) -> None:
    code = await shop.code()
    url = (await shop.api("GET", f"/sbp/v2/qrs/{code}")).body["qrUrl"]
    async with shop.sandbox.session.get(url) as answer:
        assert (answer.status, answer.content_type) == (200, "image/png")
        assert (await answer.read()).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"qrType": "QRRound"}, "ERROR.INVALID_REQUEST"),
        ({"sbpMerchantId": None}, "ERROR.SBP_MERCHANT_ID_IS_MISSING"),
        ({"sbpMerchantId": "MA0000000001"}, "ERROR.MERCHANT_NOT_REGISTERED"),
        ({"account": "40702810000000000001"}, "ERROR.ACCOUNT_IS_NOT_REGISTERED"),
        ({"order": None}, "ERROR.INVALID_ORDER"),
        ({"order": "заказ"}, "ERROR.INVALID_ORDER"),
        ({"order": "a b"}, "ERROR.INVALID_ORDER"),
        ({"order": "a^b"}, "ERROR.INVALID_ORDER"),
        ({"order": "a\n"}, "ERROR.INVALID_ORDER"),
        ({"order": "x" * 41}, "ERROR.INVALID_ORDER"),
        ({"amount": None}, "ERROR.DYNAMIC_QR_WITHOUT_AMOUNT"),
        ({"amount": "350.50"}, "ERROR.INVALID_REQUEST"),
        ({"amount": 0}, "ERROR.INVALID_REQUEST"),
        ({"amount": 0.001}, "ERROR.INVALID_REQUEST"),
        ({"currency": None}, "ERROR.INVALID_REQUEST"),
        ({"currency": "USD"}, "ERROR.INVALID_REQUEST"),
        ({"qrExpirationDate": soon(-1)}, "ERROR.QR_EXPIRATION_DATE_NOT_VALID"),
        ({"qrExpirationDate": "2099-01-01T00:00:00"}, "ERROR.QR_EXPIRATION_DATE_NOT_VALID"),
        ({"qrExpirationDate": "tomorrow"}, "ERROR.QR_EXPIRATION_DATE_NOT_VALID"),
        ({"additionalInfo": "x" * 141}, "ERROR.INVALID_REQUEST"),
        ({"paymentDetails": "x" * 186}, "ERROR.INVALID_REQUEST"),
        ({"qrDescription": "x" * 33}, "ERROR.INVALID_REQUEST"),
        ({"extra": [1]}, "ERROR.INVALID_REQUEST"),
    ],
)
async def test_what_cannot_be_registered(shop: Merchant, changes: Any, code: str) -> None:
    old = await shop.api("POST", "/sbp/v1/qr/register", dynamic(**changes))
    assert (old.status, old.body["code"]) == (200, code)
    new = await shop.api("POST", "/sbp/v2/qrs", dynamic(**changes))
    assert (new.status, new.body["code"]) == (400, code)
    await shop.knobs(errors_with_200=True)
    new = await shop.api("POST", "/sbp/v2/qrs", dynamic(**changes))
    assert (new.status, new.body["code"]) == (200, code)
    assert (await shop.control("GET", "/codes"))["items"] == []


@pytest.mark.parametrize("raw", ["", "[]", "{"])
async def test_what_is_no_object(shop: Merchant, raw: str) -> None:
    answer = await shop.api("POST", "/sbp/v2/qrs", data=raw)
    assert (answer.status, answer.body["code"]) == (400, "ERROR.INVALID_REQUEST")


async def test_everything_that_is_registered_comes_back(shop: Merchant) -> None:
    said = {"additionalInfo": "Договор 100245", "paymentDetails": "Пополнение", "extra": {"n": 1.5}}
    code = await shop.code(**said, qrExpirationDate=soon())
    info = await shop.info(code)
    assert (info["additionalInfo"], info["paymentPurpose"]) == ("Договор 100245", "Пополнение")
    assert (info["order"], info["amount"], info["paymentStatus"]) == ("top-0001", 350.5, "NO_INFO")
    assert info["extra"] == {"n": "1.5"}
    assert "transactionId" not in info


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/sbp/v2/qrs/{}"),
        ("DELETE", "/sbp/v2/qrs/{}"),
        ("GET", "/sbp/v1/qr/{}/info"),
        ("GET", "/sbp/v1/qr/{}/payment-info"),
        ("POST", "/sbp/v1/qr-drafts/{}"),
        ("POST", "/sbp/v1/refund"),
        ("GET", "/sbp/v1/refund/{}"),
        ("POST", "/payment/v1/orders"),
        ("GET", "/payment/v1/orders/{}"),
        ("DELETE", "/payment/v1/orders/{}"),
        ("POST", "/payments/v1/orders/{}/refunds/1"),
        ("GET", "/payments/v2/orders/{}/refunds/1"),
        ("GET", "/payments/v2/banks"),
        ("GET", "/sbp/v1/subscriptions/{}"),
        ("POST", "/sbp/v1/subscriptions/{}/orders"),
        ("GET", "/sbp/v1/subscriptions/{}/orders/1"),
        ("POST", "/fiscal/v1/receipts/sell"),
        ("PUT", "/fiscal/v1/receipts/sell/1"),
        ("GET", "/fiscal/v1/receipts/refund/1"),
        ("POST", "/settings/v1/callback"),
    ],
)
async def test_a_wrong_key(shop: Merchant, method: str, path: str) -> None:
    answer = await shop.api(method, path.format(await shop.code()), key="another")
    assert answer.status == 401
    assert isinstance(answer.body, str)


async def test_registration_may_want_a_key(shop: Merchant) -> None:
    await shop.knobs(registration_needs_key=True)
    assert (await shop.api("POST", "/sbp/v2/qrs", dynamic(), key="")).status == 401
    assert (await shop.api("POST", "/sbp/v2/qrs", dynamic())).status == 200


@pytest.mark.parametrize("path", ["/sbp/v9/qrs", "/sbp/v2/qrs/a/b", ""])
async def test_an_unknown_path(shop: Merchant, path: str) -> None:
    answer = await shop.api("GET", path)
    assert answer.status == 404
    assert set(answer.body) == {"timestamp", "status", "error", "message", "path"}


async def test_an_unknown_code(shop: Merchant) -> None:
    answer = await shop.api("GET", "/sbp/v2/qrs/AD10")
    assert (answer.status, answer.body["code"]) == (404, "ERROR.NOT_FOUND")
    answer = await shop.api("GET", "/sbp/v1/qr/AD10/payment-info")
    assert (answer.status, answer.body["code"]) == (200, "ERROR.NOT_FOUND")


async def test_a_code_is_canceled_once(shop: Merchant) -> None:
    code = await shop.code()
    answer = await shop.api("DELETE", f"/sbp/v2/qrs/{code}")
    assert (answer.status, answer.body) == (200, "")
    assert await shop.status(code) == "CANCELLED"
    answer = await shop.api("DELETE", f"/sbp/v2/qrs/{code}")
    assert (answer.status, answer.body["code"]) == (400, "ERROR.WRONG_QR_STATUS")
    assert (await shop.press(code)).status == 409


async def test_a_paid_code_is_not_canceled(shop: Merchant) -> None:
    code = await shop.code()
    await shop.pay(code)
    answer = await shop.api("DELETE", f"/sbp/v2/qrs/{code}")
    assert answer.body["code"] == "ERROR.WRONG_QR_STATUS"
    assert await shop.status(code) == "PAID"


@pytest.mark.parametrize("minutes", [None, 600])
async def test_a_code_runs_out(shop: Merchant, minutes: int | None) -> None:
    changes = {} if minutes is None else {"qrExpirationDate": soon(minutes)}
    seconds = 3 * DAY if minutes is None else minutes * 60
    code = await shop.code(**changes)
    await shop.later(seconds - 60)
    assert await shop.status(code) == "NEW"
    await shop.later(61)
    assert await shop.status(code) == "EXPIRED"
    assert (await shop.press(code)).status == 409
    answer = await shop.api("DELETE", f"/sbp/v2/qrs/{code}")
    assert answer.body["code"] == "ERROR.WRONG_QR_STATUS"
    assert (await shop.control("GET", "/codes"))["items"][0]["status"] == "EXPIRED"


async def test_an_order_may_have_two_codes_until_one_is_paid(shop: Merchant) -> None:
    first, second = await shop.code(), await shop.code()
    assert first != second
    await shop.pay(first)
    answer = await shop.api("POST", "/sbp/v2/qrs", dynamic())
    assert answer.body["code"] == "ERROR.ORDER_NUMBER_ALREADY_REGISTERED"
    # The other one stays open: a merchant that leaves it so is paid twice.
    assert await shop.status(second) == "NEW"


async def test_a_plate_is_described_afterwards(shop: Merchant) -> None:
    code = await shop.code(qrType="QRVariable", order=None, amount=None, currency=None)
    answer = await shop.api("POST", f"/sbp/v1/qr-drafts/{code}", {"additionalInfo": "Касса 1"})
    assert answer.body == {"code": "SUCCESS"}
    assert (await shop.info(code))["additionalInfo"] == "Касса 1"
    assert (await shop.api("DELETE", f"/sbp/v2/qrs/{code}")).status == 200
    assert await shop.status(code) == "CANCELLED"


async def test_the_callback_address_is_told_by_the_api(shop: Merchant) -> None:
    url = {"callbackUrl": "http://127.0.0.1:9/callbacks"}
    assert (await shop.api("POST", "/settings/v1/callback", url)).body == url
    assert (await shop.control("GET", "/callback"))["url"] == url["callbackUrl"]
    outside = {"callbackUrl": "https://isp.example/callbacks"}
    answer = await shop.api("POST", "/settings/v1/callback", outside)
    assert (answer.status, answer.body["code"]) == (400, "ERROR.INVALID_REQUEST")
    assert (await shop.control("GET", "/callback"))["url"] == url["callbackUrl"]
