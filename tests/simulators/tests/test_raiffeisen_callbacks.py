"""Callbacks of Raiffeisen: what is signed, until when they are repeated, what befalls them."""

import json
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest

from simulators.raiffeisen.app import OFFSETS
from simulators.raiffeisen.harness import Merchant, dynamic, merchant
from simulators.raiffeisen.words import SIGNATURE, sign

KEY = "sim-secret-key-000000000001"
DAY = 86_400


@pytest.fixture
async def shop() -> AsyncIterator[Merchant]:
    async with merchant() as each:
        yield each


async def told(shop: Merchant, **code: Any) -> dict[str, Any]:
    """Pay a code, wait for the callback, and return its body, numbers as their texts."""
    await shop.pay(await shop.code(**code))
    await shop.settled()
    return shop.heard()[-1]


def headers(shop: Merchant, number: int = -1) -> dict[str, str]:
    return dict(shop.sandbox.heard[number]["headers"])


def expected(body: dict[str, Any], amount: str) -> str:
    names = ("sbpMerchantId", "order", "paymentStatus", "transactionDate")
    return sign(KEY, amount, *(body[name] for name in names))


@pytest.mark.parametrize(
    ("amount", "text"), [(350.5, "350.5"), (1000, "1000"), (0.01, "0.01"), (12500.5, "12500.5")]
)
async def test_what_is_told_and_signed(shop: Merchant, amount: Any, text: str) -> None:
    body = await told(shop, amount=amount, additionalInfo="Договор 100245")
    code = (await shop.control("GET", "/codes"))["items"][0]["id"]
    assert body == {
        "transactionId": "900000000001",
        "qrId": code,
        "sbpMerchantId": "MA0000099999",
        "merchantId": "9999001",
        "amount": text,
        "currency": "RUB",
        "transactionDate": (await shop.info(code))["transactionDate"],
        "paymentStatus": "SUCCESS",
        "additionalInfo": "Договор 100245",
        "order": "top-0001",
        "createDate": (await shop.info(code))["createDate"],
    }
    assert headers(shop)[SIGNATURE] == expected(body, text)


@pytest.mark.parametrize("name", ["x-api-signature-sha256", "X-API-SIGNATURE-SHA256"])
async def test_the_case_of_the_header(shop: Merchant, name: str) -> None:
    await shop.knobs(header=name)
    body = await told(shop)
    assert headers(shop)[name] == expected(body, "350.5")


async def test_trailing_zeros_are_sent_but_not_signed(shop: Merchant) -> None:
    await shop.knobs(trailing_zeros=True)
    body = await told(shop)
    assert body["amount"] == "350.50"
    assert headers(shop)[SIGNATURE] == expected(body, "350.5") != expected(body, "350.50")


@pytest.mark.parametrize(("fraction", "length"), [(0, 25), (3, 29), (6, 32)])
async def test_the_fraction_of_seconds(shop: Merchant, fraction: int, length: int) -> None:
    await shop.knobs(fraction=fraction)
    body = await told(shop)
    assert len(body["transactionDate"]) == length
    assert headers(shop)[SIGNATURE] == expected(body, "350.5")


@pytest.mark.parametrize("nothing", [None, ""])
async def test_no_additional_info(shop: Merchant, nothing: Any) -> None:
    await shop.knobs(no_info=nothing)
    assert (await told(shop))["additionalInfo"] == nothing


async def test_unknown_fields(shop: Merchant) -> None:
    plain = set(await told(shop))
    await shop.knobs(unknown_fields=True)
    body = await told(shop, order="top-0002")
    assert set(body) - plain == {"sourceOfFunds"}
    assert headers(shop)[SIGNATURE] == expected(body, "350.5")


@pytest.mark.parametrize(
    "wrong", [{"hue": 1}, {"fraction": "6"}, {"trailing_zeros": 1}, {"header": None}]
)
async def test_a_knob_that_there_is_not(shop: Merchant, wrong: Any) -> None:
    before = await shop.control("GET", "/knobs")
    answer = await shop.sandbox.call("PUT", "/raiffeisen/control/knobs", wrong)
    assert answer.status == 400
    assert await shop.control("GET", "/knobs") == before


@pytest.mark.parametrize("status", [201, 204, 302, 403, 500])
async def test_only_200_ends_the_repeats(shop: Merchant, status: int) -> None:
    shop.sandbox.answers = [status]
    await shop.pay(await shop.code())
    await shop.until(lambda log: log[0]["attempts"] == 1)
    await shop.later(10)
    (log,) = await shop.settled()
    assert (log["state"], [one["status"] for one in log["tried"]]) == ("done", [status, 200])
    assert len({one["body"] for one in shop.sandbox.heard}) == 1


async def test_the_body_of_the_answer_does_not_matter(shop: Merchant) -> None:
    shop.sandbox.says = b"no"
    await told(shop)
    assert len(shop.sandbox.heard) == 1


async def test_repeats_grow_for_a_day_and_end(shop: Merchant) -> None:
    shop.sandbox.answers = [500] * 20
    await shop.pay(await shop.code())
    for number, offset in enumerate((*OFFSETS[1:], None), 1):
        (log,) = await shop.until(lambda log, number=number: log[0]["attempts"] == number)
        if offset is not None:
            assert log["due_at"] - log["created_at"] >= offset * 1_000
            await shop.later(offset - OFFSETS[number - 1])
    assert (log["state"], log["attempts"], OFFSETS[-1]) == ("given_up", len(OFFSETS), DAY)
    gaps = [after - before for before, after in pairwise(OFFSETS)]
    assert gaps == sorted(gaps)
    await shop.later(DAY)
    assert len(shop.sandbox.heard) == len(OFFSETS)


async def test_duplicates(shop: Merchant) -> None:
    await shop.control("PUT", "/mischief", {"duplicate": 1})
    await told(shop)
    first, second = shop.sandbox.heard
    assert (first["body"], first["headers"]) == (second["body"], second["headers"])


async def test_a_lost_callback_comes_when_it_is_looked_for(shop: Merchant) -> None:
    await shop.control("PUT", "/mischief", {"loss": 1.0})
    await shop.pay(await shop.code())
    (log,) = await shop.settled()
    assert (log["state"], log["tried"], shop.heard()) == ("lost", [], [])
    await shop.control("POST", "/deliveries/hasten", {"all": True})
    await shop.until(lambda log: log[0]["state"] == "done")
    assert len(shop.heard()) == 1


async def test_an_attempt_may_be_lost(shop: Merchant) -> None:
    await shop.control("PUT", "/mischief", {"attempt_loss": 1.0})
    await shop.pay(await shop.code())
    await shop.until(lambda log: log[0]["attempts"] == 1)
    await shop.control("PUT", "/mischief", {})
    await shop.later(10)
    (log,) = await shop.settled()
    assert [one["status"] for one in log["tried"]] == [None, 200]


async def test_a_delay_and_a_jitter_reorder(shop: Merchant) -> None:
    await shop.control("PUT", "/mischief", {"delay": 20, "jitter": 200})
    code = await shop.paper()
    for amount in range(1, 21):
        await shop.pay(code, amount=amount)
    await shop.settled()
    amounts = [int(one["amount"]) for one in shop.heard()]
    assert sorted(amounts) == list(range(1, 21))
    assert amounts != sorted(amounts)


async def test_forgeries_do_not_fit_their_signature(shop: Merchant) -> None:
    await shop.control("PUT", "/mischief", {"forge": 1.0})
    code = await shop.paper()
    for _ in range(10):
        await shop.pay(code, amount=100)
    await shop.until(lambda log: len(log) == 20 and all(one["state"] == "done" for one in log))
    log = await shop.log()
    lies = [one for one in log if one["kind"] == "forged"]
    genuine = []
    for one in log:
        said = json.loads(one["body"], parse_int=str)
        fits = json.loads(one["headers"])[SIGNATURE] == expected(said, said["amount"])
        genuine += [one] if fits else []
    assert [one["kind"] for one in genuine] == ["true"] * 10
    assert {json.loads(one["body"])["amount"] for one in lies} == {100, 999999}


async def test_a_forgery_is_not_repeated(shop: Merchant) -> None:
    shop.sandbox.answers = [403]
    await shop.control("POST", "/deliveries/forge", {"body": "a lie"})
    (log,) = await shop.settled()
    assert (log["state"], log["attempts"]) == ("given_up", 1)


async def test_a_forgery_of_ones_own_and_a_repeat(shop: Merchant) -> None:
    body = await told(shop)
    await shop.control("POST", "/deliveries/forge", {"body": "no JSON", "headers": {"X": 1}})
    await shop.until(lambda log: len(log) == 2 and log[1]["state"] == "done")
    assert (shop.sandbox.heard[1]["body"], headers(shop)["X"]) == ("no JSON", "1")
    again = {"object_id": body["qrId"], "times": 2}
    assert (await shop.control("POST", "/deliveries/repeat", again)) == {"repeated": 2}
    await shop.until(lambda log: len(log) == 4 and log[3]["state"] == "done")
    assert shop.sandbox.heard[0]["body"] == shop.sandbox.heard[3]["body"]
    unknown = {"object_id": "AD10"}
    path = "/raiffeisen/control/deliveries/repeat"
    assert (await shop.sandbox.call("POST", path, unknown)).status == 404


async def test_nobody_told_where(shop: Merchant) -> None:
    url = (await shop.control("GET", "/callback"))["url"]
    await shop.control("PUT", "/callback", {"url": None})
    await shop.pay(await shop.code())
    (log,) = await shop.until(lambda log: log[0]["attempts"] == 1)
    assert log["tried"][0]["error"] == "no callback address"
    await shop.control("PUT", "/callback", {"url": url})
    await shop.control("POST", "/deliveries/hasten", {})
    await shop.settled()
    assert len(shop.heard()) == 1


async def test_the_callback_stays_on_this_machine(shop: Merchant) -> None:
    wrong = {"url": "http://192.0.2.1/callbacks"}
    answer = await shop.sandbox.call("PUT", "/raiffeisen/control/callback", wrong)
    assert answer.status == 400
    with pytest.raises(ValueError, match="only talks to this machine"):
        async with merchant(raiffeisen_callback_url="http://isp.example/callbacks"):
            pass


async def test_told_before_the_registration_is_answered(shop: Merchant) -> None:
    fault = {"kind": "callback_first", "calls": ["register_qr_v2"], "times": 1}
    await shop.control("POST", "/faults", {"faults": [fault]})
    answer = await shop.api("POST", "/sbp/v2/qrs", dynamic())
    assert (answer.status, answer.body["qrStatus"]) == (200, "NEW")
    assert [one["qrId"] for one in shop.heard()] == [answer.body["qrId"]]
