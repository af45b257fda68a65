"""Bound accounts: only the bank's own word makes one active; charges are asked about first."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from gateway_sbp import exact
from shared.events_gateway import FailureClass
from shared.gateway.method import MethodStatus, ProviderMethod
from shared.gateway.provider import Missing, ProviderPayment, Refused, Status, Unclear

CODE = "AD1000SIMULATEDQRID0000000000001"
CREATE = "POST /sbp/v1/subscriptions"
NOWHERE = {"code": "ERROR.NOT_FOUND"}
OURS = uuid4()
ORDER = f"a{OURS.hex}"
TOKEN = "sub-100245"
ONE = f"/sbp/v1/subscriptions/{TOKEN}"
CHARGE, LOOK = f"POST {ONE}/orders", f"GET {ONE}/orders/{ORDER}"


def subscription(token: str, status: Any = "INACTIVE", **changes: Any) -> dict[str, Any]:
    """Return what the bank says of a binding."""
    link = f"https://sub.nspk.ru/AS{token[:30]:0>30}?type=03&bank=100000000007&crc=60EE"
    said = {
        "id": token,
        "createDate": "2026-11-22T15:00:00+03:00",
        "status": status,
        "qr": {"id": "AS1", "payload": link, "url": "https://pay.raif.ru/image"},
    }
    return {**said, **changes}


def charged(status: str = "SUCCESS", **changes: Any) -> dict[str, Any]:
    """Return what the bank says of a charge."""
    said = {"code": "SUCCESS", "order": ORDER, "amount": 350.5, "qrId": CODE}
    return {**said, "paymentStatus": status, **changes}


class TestBindings:
    """A binding has an id of ours, so that it can be asked about before it is asked for."""

    async def _bind(self, at: Any, request: bytes | None = None) -> Any:
        made = request or at.raiffeisen.binding("sbp", "https://lk.isp.example/back")
        token = exact.read(made)["id"]
        at.bank.say(f"GET /sbp/v1/subscriptions/{token}", NOWHERE)
        at.bank.say(CREATE, subscription(token))
        return token, await at.raiffeisen.bind("key", made)

    async def test_it_waits_for_the_payer(self, at: Any) -> None:
        token, made = await self._bind(at)
        assert isinstance(made, ProviderMethod)
        assert (made.token, made.status, made.kind) == (token, MethodStatus.PENDING, "sbp")
        assert made.confirmation_url is not None
        assert made.confirmation_url.startswith("https://sub.nspk.ru/AS")
        (asked,) = at.bank.sent()
        assert asked["sbpMerchantId"] == "MA0000099999"
        assert asked["redirectUrl"] == "https://lk.isp.example/back"
        assert len(asked["subscriptionPurpose"]) <= 185

    async def test_after_a_lost_answer_it_is_found_and_not_asked_for_again(self, at: Any) -> None:
        request = at.raiffeisen.binding("sbp", "https://lk.isp.example/back")
        token = exact.read(request)["id"]
        at.bank.say(f"GET /sbp/v1/subscriptions/{token}", NOWHERE)
        at.bank.say(f"GET /sbp/v1/subscriptions/{token}", subscription(token))
        at.bank.lose(CREATE)
        assert isinstance(await at.raiffeisen.bind("key", request), Unclear)
        made = await at.raiffeisen.bind("key", request)
        assert (made.token, len(at.bank.sent())) == (token, 1)

    async def test_without_an_answer_nothing_is_asked_for(self, at: Any) -> None:
        request = at.raiffeisen.binding("sbp", "https://lk.isp.example/back")
        assert await at.raiffeisen.bind("key", request) == Unclear("http_404")
        assert at.bank.sent() == []

    @pytest.mark.parametrize(
        ("word", "status"),
        [
            ("INACTIVE", MethodStatus.PENDING),
            ("SUBSCRIBED", MethodStatus.ACTIVE),
            ("UNSUBSCRIBED", MethodStatus.INACTIVE),
            ("PAID", MethodStatus.PENDING),
            ("SUCCESS", MethodStatus.PENDING),
            ("SUBSCRIBED ", MethodStatus.PENDING),
            ("НОВОЕ", MethodStatus.PENDING),
        ],
    )
    async def test_only_subscribed_is_active(
        self, at: Any, word: str, status: MethodStatus
    ) -> None:
        at.bank.say(f"GET {ONE}", subscription(TOKEN, word, bank="Сбербанк", more=1))
        found = await at.raiffeisen.kept(TOKEN)
        assert (found.token, found.status, found.title) == (TOKEN, status, "СБП, Сбербанк")

    @pytest.mark.parametrize(
        "said",
        [
            subscription(TOKEN, None),
            subscription("another"),
            subscription(TOKEN, qr={"payload": "javascript:"}),
            {},
        ],
    )
    async def test_an_answer_that_is_none(self, at: Any, said: Any) -> None:
        at.bank.say(f"GET {ONE}", said)
        assert isinstance(await at.raiffeisen.kept(TOKEN), Unclear)

    async def test_one_that_is_not_there(self, at: Any) -> None:
        at.bank.say(f"GET {ONE}", NOWHERE, 404)
        assert await at.raiffeisen.kept(TOKEN) == Missing()
        assert await at.raiffeisen.kept("../orders") == Missing()
        assert at.bank.calls == [f"GET {ONE}"]


class TestCharges:
    """A charge has an order of ours: it is asked about, then sent, then asked about again."""

    def _request(self, at: Any) -> bytes:
        made: bytes = at.request(payment_id=OURS, token=TOKEN)
        return made

    @pytest.mark.parametrize(
        ("word", "status", "reason"),
        [
            ("SUCCESS", Status.SUCCEEDED, ""),
            ("IN_PROGRESS", Status.PENDING, ""),
            ("DECLINED", Status.CANCELED, "declined"),
            ("NO_INFO", Status.PENDING, ""),
            ("НОВОЕ", Status.PENDING, ""),
        ],
    )
    async def test_what_a_charge_comes_to(
        self, at: Any, word: str, status: Status, reason: str
    ) -> None:
        at.bank.say(LOOK, NOWHERE)
        at.bank.say(CHARGE, charged(word))
        made = await at.raiffeisen.create("key", self._request(at))
        assert isinstance(made, ProviderPayment)
        assert (made.id, made.payment_id, made.status) == (CODE, OURS, status)
        assert (made.reason, made.failure) == (reason, FailureClass.SOFT)
        (asked,) = at.bank.sent()
        assert (asked["order"], asked["amount"]) == (ORDER, exact.Number("350.50"))
        assert "subscription" not in asked
        assert "token" not in asked

    @pytest.mark.parametrize("more", [{}, {"order": None, "amount": None}])
    async def test_an_answer_that_repeats_nothing_of_what_was_asked(
        self, at: Any, more: dict[str, Any]
    ) -> None:
        at.bank.say(LOOK, NOWHERE)
        said = {"code": "SUCCESS", "qrId": CODE, "paymentStatus": "IN_PROGRESS", **more}
        at.bank.say(CHARGE, said)
        made = await at.raiffeisen.create("key", self._request(at))
        assert (made.amount_kopecks, made.payment_id) == (35_050, OURS)

    async def test_a_lost_answer_never_charges_twice(self, at: Any) -> None:
        at.bank.say(LOOK, NOWHERE)
        at.bank.say(LOOK, charged())
        at.bank.lose(CHARGE)
        request = self._request(at)
        assert isinstance(await at.raiffeisen.create("key", request), Unclear)
        made = await at.raiffeisen.create("key", request)
        assert (made.status, len(at.bank.sent())) == (Status.SUCCEEDED, 1)

    @pytest.mark.parametrize("status", [404, 500, 503])
    async def test_without_an_answer_nothing_is_charged(self, at: Any, status: int) -> None:
        at.bank.say(LOOK, b"", status)
        assert await at.raiffeisen.create("key", self._request(at)) == Unclear(f"http_{status}")
        assert at.bank.sent() == []

    async def test_what_a_request_has_made_is_found(self, at: Any) -> None:
        request = self._request(at)
        at.bank.say(LOOK, NOWHERE, 404)
        at.bank.say(LOOK, b"", 503)
        at.bank.say(LOOK, charged("IN_PROGRESS"))
        assert await at.raiffeisen.find(request) == Missing()
        assert await at.raiffeisen.find(request) == Unclear("http_503")
        found = await at.raiffeisen.find(request)
        assert (found.status, found.payment_id) == (Status.PENDING, OURS)
        assert at.bank.sent() == []

    @pytest.mark.parametrize("changes", [{"order": f"a{uuid4().hex}"}, {"qrId": None}])
    async def test_the_answer_about_another_charge(self, at: Any, changes: Any) -> None:
        at.bank.say(LOOK, charged(**changes))
        assert isinstance(await at.raiffeisen.find(self._request(at)), Unclear)

    @pytest.mark.parametrize(
        ("word", "failure"),
        [
            ("UNSUBSCRIBED", FailureClass.HARD),
            ("SUBSCRIBED", FailureClass.SHOP),
            ("INACTIVE", FailureClass.SHOP),
        ],
    )
    async def test_a_refused_charge_of_a_consent_that_was_taken_back_is_the_method_s_fault(
        self, at: Any, word: str, failure: FailureClass
    ) -> None:
        at.bank.say(LOOK, NOWHERE)
        at.bank.say(CHARGE, {"code": "ERROR.INVALID_REQUEST"}, 400)
        at.bank.say(f"GET {ONE}", subscription(TOKEN, word))
        found = await at.raiffeisen.create("key", self._request(at))
        assert found == Refused("ERROR.INVALID_REQUEST", failure=failure)

    async def test_a_key_that_is_not_accepted_is_no_method_s_fault(self, at: Any) -> None:
        at.bank.say(LOOK, NOWHERE)
        at.bank.say(CHARGE, b"", 401)
        found = await at.raiffeisen.create("key", self._request(at))
        assert found == Refused("http_401", ours=True, locked_out=True)
        assert f"GET {ONE}" not in at.bank.calls
