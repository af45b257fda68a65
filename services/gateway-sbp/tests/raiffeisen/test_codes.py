"""Codes at the bank: registered, asked about, ended; and what is lost on the way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from doubles import NOW
from gateway_sbp import exact
from gateway_sbp.acquirer import StaticCode, StaticOrder
from gateway_sbp.acquirers.raiffeisen.wire import codes
from shared.events import Allocation
from shared.gateway.provider import (
    Missing,
    Order,
    ProviderPayment,
    Refused,
    Status,
    Throttled,
    Unclear,
)

CODE = "AD1000SIMULATEDQRID0000000000001"
PAPER = "AS1000SIMULATEDQRID0000000000001"
PAYLOAD = f"https://qr.nspk.ru/{CODE}?type=02&bank=100000000007&sum=35050&cur=RUB&crc=B528"
REGISTER = "POST /sbp/v2/qrs"
INFO = f"GET /sbp/v1/qr/{CODE}/payment-info"
DELETE = f"DELETE /sbp/v2/qrs/{CODE}"
LOOK = f"GET /sbp/v2/qrs/{CODE}"
MINUTE = timedelta(minutes=1)
OURS = uuid4()

OLD = {"code": "SUCCESS", "qrId": CODE, "payload": PAYLOAD, "qrUrl": "https://pay.raif.ru/image"}
NEW = {
    "qrId": CODE,
    "qrStatus": "NEW",
    "payload": PAYLOAD,
    "qrUrl": "https://pay.raif.ru/image",
    "qrExpirationDate": "2026-11-22T15:30:00+03:00",
    "subscriptionId": None,
    "unheardOf": {"a": [1]},
}


def paid(status: str = "NO_INFO", **changes: Any) -> dict[str, Any]:
    """Return what the bank says of a payment."""
    said = {
        "code": "SUCCESS",
        "qrId": CODE,
        "order": OURS.hex,
        "amount": 350.5,
        "currency": "RUB",
        "merchantId": 9_999_001,
        "sbpMerchantId": "MA0000099999",
        "paymentStatus": status,
        "createDate": "2026-11-22T15:00:00.000001+03:00",
        "qrExpirationDate": "2026-11-22T15:30:00+03:00",
        "additionalInfo": None,
        "unheardOf": True,
    }
    if status == "SUCCESS":
        said |= {
            "transactionId": 900_000_000_001,
            "transactionDate": "2026-11-22T15:05:06.123456+03:00",
        }
    return {**said, **changes}


class TestRegistering:
    """A code for one payment, or for paper."""

    @pytest.mark.parametrize("said", [OLD, NEW], ids=["v1", "v2"])
    async def test_either_version_of_the_answer(self, at: Any, said: Any) -> None:
        at.bank.say(REGISTER, said)
        made = await at.raiffeisen.create("key", at.request(payment_id=OURS))
        assert isinstance(made, ProviderPayment)
        assert (made.id, made.payment_id, made.status) == (CODE, OURS, Status.PENDING)
        assert (made.qr_payload, made.amount_kopecks) == (PAYLOAD, 35_050)
        assert made.expires_at == NOW + 30 * MINUTE

    async def test_what_the_bank_is_asked(self, at: Any) -> None:
        at.bank.say(REGISTER, NEW)
        request = at.raiffeisen.request(_order(1, "https://lk.isp.example/back"))
        await at.raiffeisen.create("key", request)
        ((asked,), (said,)) = at.bank.sent(), at.bank.asked
        assert said.authorization == "Bearer sim-secret-key-000000000001"
        assert (asked["qrType"], asked["sbpMerchantId"]) == ("QRDynamic", "MA0000099999")
        assert (asked["amount"], asked["order"]) == (exact.Number("0.01"), OURS.hex)
        assert asked["qrExpirationDate"] == "2026-11-22T12:30:00+00:00"
        assert asked["redirectUrl"] == "https://lk.isp.example/back"
        assert "C-100245" in asked["additionalInfo"]
        assert len(asked["additionalInfo"]) <= 140

    @pytest.mark.parametrize(
        ("said", "status", "outcome"),
        [
            ({"code": "ERROR.INVALID_REQUEST"}, 200, Refused("ERROR.INVALID_REQUEST")),
            ({"code": "ERROR.INVALID_REQUEST"}, 400, Refused("ERROR.INVALID_REQUEST")),
            (b"", 401, Refused("http_401", ours=True, locked_out=True)),
            (b"", 429, Throttled()),
            (b"", 503, Unclear("http_503")),
            (b"<html>", 200, Unclear("not an answer")),
            ({}, 200, Unclear("unreadable: an id of another form")),
            ({"qrId": CODE}, 200, Unclear("unreadable: a code without a payload")),
            (
                {**NEW, "payload": "javascript:"},
                200,
                Unclear("unreadable: a code without a payload"),
            ),
        ],
    )
    async def test_what_is_no_code(self, at: Any, said: Any, status: int, outcome: Any) -> None:
        at.bank.say(REGISTER, said, status)
        assert await at.raiffeisen.create("key", at.request()) == outcome

    async def test_a_lost_answer_is_unclear_and_the_code_is_made_anew(self, at: Any) -> None:
        """Nobody has seen the first one; our payment stands in the order of both."""
        at.bank.lose(REGISTER)
        at.bank.say(REGISTER, NEW)
        request = at.request(payment_id=OURS)
        assert isinstance(await at.raiffeisen.create("key", request), Unclear)
        assert await at.raiffeisen.find(request) == Missing()
        made = await at.raiffeisen.create("key", request)
        assert isinstance(made, ProviderPayment)
        assert [asked["order"] for asked in at.bank.sent()] == [OURS.hex] * 2

    @pytest.mark.parametrize("said", [{**OLD, "qrId": PAPER}, {**NEW, "qrId": PAPER}])
    async def test_a_code_for_paper(self, at: Any, said: Any) -> None:
        at.bank.say(REGISTER, said)
        order = StaticOrder("c-100245", "100245", "Договор 100245 <b>" + "x" * 40)
        assert await at.raiffeisen.register(order) == StaticCode(PAPER, PAYLOAD)
        (asked,) = at.bank.sent()
        assert (asked["qrType"], asked["order"]) == ("QRStatic", "c-100245")
        assert not {"amount", "currency", "qrExpirationDate"} & set(asked)
        assert len(asked["qrDescription"]) <= 32
        assert "<" not in asked["qrDescription"]

    async def test_a_code_for_paper_that_could_not_be_made(self, at: Any) -> None:
        at.bank.say(REGISTER, {"code": "ERROR.INVALID_ORDER"})
        order = StaticOrder("c-1", "1", "Договор 1")
        assert await at.raiffeisen.register(order) == Refused("ERROR.INVALID_ORDER")


class TestAsking:
    """How a payment stands is told by `payment-info` alone."""

    @pytest.mark.parametrize(
        ("status", "minutes", "became"),
        [
            ("NO_INFO", 0, Status.PENDING),
            ("NO_INFO", 39, Status.PENDING),
            ("NO_INFO", 41, Status.CANCELED),
            ("DECLINED", 0, Status.PENDING),
            ("DECLINED", 41, Status.CANCELED),
            ("IN_PROGRESS", 0, Status.PENDING),
            ("IN_PROGRESS", 41, Status.PENDING),
            ("SUCCESS", 0, Status.SUCCEEDED),
            ("SUCCESS", 10_000, Status.SUCCEEDED),
            ("SUCCES", 0, Status.PENDING),
            ("НОВОЕ_СЛОВО", 10_000, Status.PENDING),
            ("", 10_000, Status.PENDING),
        ],
    )
    async def test_what_a_status_means(
        self, at: Any, status: str, minutes: int, became: Status
    ) -> None:
        """A code that nobody paid is over ten minutes after its end; a payment under way is not."""
        at.bank.say(INFO, paid(status))
        at.clock.advance(minutes * MINUTE)
        found = await at.raiffeisen.fetch(CODE)
        assert isinstance(found, ProviderPayment)
        assert (found.status, found.said) == (became, status)
        assert found.confirmed == (status == "IN_PROGRESS")
        assert (found.payment_id, found.amount_kopecks) == (OURS, 35_050)
        assert (found.paid_at is not None) == (became is Status.SUCCEEDED)
        assert found.reason == ("expired" if became is Status.CANCELED else "")

    async def test_a_code_whose_end_nobody_says_lives_three_days(self, at: Any) -> None:
        at.bank.say(INFO, paid(qrExpirationDate=None))
        at.clock.advance(timedelta(days=3))
        assert (await at.raiffeisen.fetch(CODE)).status is Status.PENDING
        at.clock.advance(11 * MINUTE)
        found = await at.raiffeisen.fetch(CODE)
        assert (found.status, found.expires_at) == (Status.CANCELED, None)

    async def test_money_that_nobody_expected(self, at: Any) -> None:
        at.bank.say(INFO, paid("SUCCESS", order="desk-77", amount=1))
        found = await at.raiffeisen.fetch(CODE)
        assert (found.payment_id, found.amount_kopecks, found.allocations) == (None, 100, ())

    @pytest.mark.parametrize("status", [200, 404])
    async def test_a_code_of_somebody_else(self, at: Any, status: int) -> None:
        at.bank.say(INFO, {"code": "ERROR.NOT_FOUND"}, status)
        assert await at.raiffeisen.fetch(CODE) == Missing()

    @pytest.mark.parametrize("name", ["", "short", "../settings", f"{CODE}?x=1", "a b", "я" * 32])
    async def test_what_is_no_code_is_not_asked_about(self, at: Any, name: str) -> None:
        assert await at.raiffeisen.fetch(name) == Missing()
        assert at.bank.asked == []

    @pytest.mark.parametrize(
        "said",
        [
            paid(qrId=PAPER),
            paid(amount=None),
            paid(amount="350,50"),
            paid(amount=350.505),
            paid(order=None),
            paid(order="a|b"),
            {"code": "SUCCESS"},
            {"code": "SURPRISE"},
            [],
        ],
    )
    async def test_an_answer_that_is_none_is_no_verdict(self, at: Any, said: Any) -> None:
        at.bank.say(INFO, said)
        assert isinstance(await at.raiffeisen.fetch(CODE), Unclear)

    async def test_a_path_that_is_not_there_is_no_verdict_either(self, at: Any) -> None:
        assert await at.raiffeisen.fetch(CODE) == Unclear("http_404")


class TestEnding:
    """A code is ended before another one is shown, and money is never lost over it."""

    async def test_a_code_that_nobody_paid_ends(self, at: Any) -> None:
        at.bank.say(DELETE)
        at.bank.say(INFO, paid())
        found = await at.raiffeisen.cancel(CODE)
        assert (found.status, found.reason) == (Status.CANCELED, "canceled")
        assert at.bank.calls == [DELETE, INFO]

    @pytest.mark.parametrize("http", [200, 400])
    async def test_a_code_that_was_just_paid_is_a_payment(self, at: Any, http: int) -> None:
        at.bank.say(DELETE, {"code": "ERROR.WRONG_QR_STATUS"}, http)
        at.bank.say(INFO, paid("SUCCESS"))
        found = await at.raiffeisen.cancel(CODE)
        assert (found.status, found.amount_kopecks) == (Status.SUCCEEDED, 35_050)
        assert at.bank.calls == [DELETE, INFO]

    async def test_a_code_that_was_paid_although_it_was_ended_is_a_payment(self, at: Any) -> None:
        at.bank.say(DELETE)
        at.bank.say(INFO, paid("SUCCESS"))
        assert (await at.raiffeisen.cancel(CODE)).status is Status.SUCCEEDED

    @pytest.mark.parametrize("ended", [True, False])
    async def test_money_under_way_is_waited_for(self, at: Any, ended: bool) -> None:
        at.bank.say(DELETE, b"" if ended else {"code": "ERROR.WRONG_QR_STATUS"})
        at.bank.say(INFO, paid("IN_PROGRESS"))
        at.bank.say(LOOK, {"qrId": CODE, "qrStatus": "IN_PROGRESS"})
        assert (await at.raiffeisen.cancel(CODE)).status is Status.PENDING

    @pytest.mark.parametrize(
        ("word", "became", "reason"),
        [
            ("CANCELLED", Status.CANCELED, "canceled"),
            ("EXPIRED", Status.CANCELED, "expired"),
            ("NEW", Status.PENDING, ""),
            ("INACTIVE", Status.PENDING, ""),
            ("PAID", Status.PENDING, ""),
            ("CANCELED?", Status.PENDING, ""),
        ],
    )
    @pytest.mark.parametrize("lost", [True, False])
    async def test_an_answer_that_was_lost_is_looked_for_in_the_code(
        self, at: Any, word: str, became: Status, reason: str, lost: bool
    ) -> None:
        """The first answer was lost after the effect, so that a second request is refused."""
        if lost:
            at.bank.lose(DELETE)
        else:
            at.bank.say(DELETE, {"code": "ERROR.WRONG_QR_STATUS"})
        at.bank.say(INFO, paid())
        at.bank.say(LOOK, {"qrId": CODE, "qrStatus": word})
        found = await at.raiffeisen.cancel(CODE)
        assert (found.status, found.reason) == (became, reason)

    async def test_nothing_is_said_of_what_nobody_knows(self, at: Any) -> None:
        at.bank.lose(DELETE)
        at.bank.say(INFO, b"", 503)
        assert await at.raiffeisen.cancel(CODE) == Unclear("http_503")
        at.bank.says.clear()
        at.bank.say(DELETE)
        at.bank.say(INFO, {"code": "ERROR.NOT_FOUND"})
        assert await at.raiffeisen.cancel(CODE) == Unclear("missing")
        at.bank.says.clear()
        at.bank.lose(DELETE)
        at.bank.say(INFO, paid())
        at.bank.say(LOOK, b"", 500)
        assert (await at.raiffeisen.cancel(CODE)).status is Status.PENDING


async def test_the_bank_has_no_lists_and_holds_nothing(at: Any) -> None:
    bank = at.raiffeisen
    assert (await bank.listed(NOW, NOW, None)).payments == ()
    assert (await bank.captured(NOW, NOW, None)).payments == ()
    assert (await bank.refunds_listed(NOW, NOW, None)).refunds == ()
    assert bank.capture_request(5) == b""
    assert await bank.capture(CODE, "key", b"") == Refused("no_holds")
    assert at.bank.asked == []


def test_a_payment_by_paper_is_told_from_one_by_a_code() -> None:
    assert codes.on_paper("900000000001")
    assert codes.on_paper("row-1")
    assert not codes.on_paper(CODE)
    assert not codes.on_paper("")


def _order(amount: int, return_url: str) -> Order:
    part = Allocation(contract="C-100245", amount_kopecks=amount)
    return Order(OURS, (part,), amount, return_url)
