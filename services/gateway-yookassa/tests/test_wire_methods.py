"""Saved methods in YooKassa's words, and what a refused charge says about the next one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson
import pytest

from gateway_yookassa import wire
from gateway_yookassa.wire import reasons
from gateway_yookassa.wire.saved import saved_with
from shared.events import Allocation
from shared.events_gateway import FailureClass
from shared.gateway.method import MethodStatus
from shared.gateway.provider import Order, Refused

ID = "3294ed00-000f-5000-8000-1a2b3c4d5e6f"
CARD = {
    "last4": "4477",
    "first6": "555555",
    "expiry_year": "2028",
    "expiry_month": "07",
    "card_type": "MasterCard",
}
METHOD = {
    "type": "bank_card",
    "id": ID,
    "saved": True,
    "status": "active",
    "holder": {"account_id": "1000001", "gateway_id": "2000001"},
    "title": "Bank card *4477",
    "card": CARD,
}


def test_a_method_is_read() -> None:
    told = wire.method(METHOD)
    assert (told.token, told.status) == (ID, MethodStatus.ACTIVE)
    assert (told.kind, told.title, told.expires) == ("bank_card", "Mastercard •4477", "2028-07")
    assert ID not in repr(told), "a token is in no log"


def test_a_method_does_without_its_status() -> None:
    without = {name: value for name, value in METHOD.items() if name != "status"}
    assert wire.method(without).status is MethodStatus.ACTIVE
    assert wire.method({**without, "saved": False}).status is MethodStatus.PENDING


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"status": "pending", "saved": False}, MethodStatus.PENDING),
        ({"status": "inactive"}, MethodStatus.INACTIVE),
        ({"saved": False}, MethodStatus.PENDING),
        ({"saved": "true"}, MethodStatus.PENDING),
        ({"status": "a_word_of_tomorrow"}, MethodStatus.PENDING),
    ],
)
def test_only_what_is_saved_is_active(change: dict[str, Any], status: MethodStatus) -> None:
    assert wire.method({**METHOD, **change}).status is status


@pytest.mark.parametrize(
    "odd", [None, [], "text", {}, {**METHOD, "id": "../me"}, {**METHOD, "status": 7}]
)
def test_what_is_no_method_is_unreadable(odd: Any) -> None:
    with pytest.raises(wire.Unreadable):
        wire.method(odd)


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ({"card": {**CARD, "card_type": "Visa"}}, "Visa •4477"),
        ({"card": {**CARD, "card_type": "Mir", "last4": "0004"}}, "Мир •0004"),
        ({"card": {**CARD, "card_type": "Unknown"}}, "Банковская карта •4477"),
        ({"card": {"last4": "44771"}}, "Банковская карта"),
        ({"card": None, "type": "sbp"}, "СБП"),
        ({"card": None, "type": "yoo_money", "account_number": "410011758831136"}, "Кошелёк"),
        ({"card": None, "type": "of_tomorrow", "title": "4111111111111111"}, "of_tomorrow"),
    ],
)
def test_a_title_holds_four_digits_at_most(said: dict[str, Any], title: str) -> None:
    told = wire.method({**METHOD, **said}).title
    assert told.startswith(title)
    assert sum(sign.isdigit() for sign in told) <= 4


@pytest.mark.parametrize(
    "card", [{**CARD, "expiry_month": "13"}, {**CARD, "expiry_year": "28"}, {"last4": "4477"}]
)
def test_an_odd_expiry_is_left_out(card: dict[str, str]) -> None:
    assert wire.method({**METHOD, "card": card}).expires is None


@pytest.mark.parametrize(
    "said",
    [
        None,
        {},
        {**METHOD, "saved": False},
        {**METHOD, "saved": 1},
        {**METHOD, "status": "inactive"},
        {**METHOD, "id": 7},
    ],
)
def test_what_is_not_saved_hides_no_payment(said: Any) -> None:
    assert saved_with(said) is None


def test_a_payments_saved_method_needs_no_status() -> None:
    """Most examples of the documentation leave it out."""
    bare = {name: value for name, value in METHOD.items() if name != "status"}
    told = saved_with(bare)
    assert told is not None
    assert told.status is MethodStatus.ACTIVE


def test_a_binding_asks_for_nothing_but_its_kind() -> None:
    assert orjson.loads(wire.binding("sbp", "https://lk.example/back")) == {
        "type": "sbp",
        "confirmation": {"type": "redirect", "return_url": "https://lk.example/back"},
    }


def test_a_charge_names_its_token_and_asks_nobody() -> None:
    part = Allocation(contract="100234", amount_kopecks=65_000)
    order = Order(UUID(int=7), (part,), 65_000, None, token=ID, charge_id="charge-1")
    said = orjson.loads(wire.request(order))
    assert (said["payment_method_id"], said["capture"]) == (ID, True)
    assert said["metadata"]["charge_id"] == "charge-1"
    assert "confirmation" not in said
    assert "save_payment_method" not in said


@pytest.mark.parametrize(
    ("reason", "failure"),
    [
        *((reason, FailureClass.HARD) for reason in sorted(reasons.HARD)),
        *((reason, FailureClass.SHOP) for reason in sorted(reasons.SHOP)),
        ("insufficient_funds", FailureClass.SOFT),
        ("issuer_unavailable", FailureClass.SOFT),
        ("internal_timeout", FailureClass.SOFT),
        ("payment_method_limit_exceeded", FailureClass.SOFT),
        ("general_decline", FailureClass.SOFT),
        ("call_issuer", FailureClass.SOFT),
        ("expired_on_confirmation", FailureClass.SOFT),
        ("a_reason_of_tomorrow", FailureClass.SOFT),
        ("", FailureClass.SOFT),
    ],
)
def test_every_reason_has_a_class(reason: str, failure: FailureClass) -> None:
    assert reasons.failure(reason) is failure


def test_the_classes_do_not_overlap() -> None:
    assert frozenset() == reasons.HARD & reasons.SHOP


@pytest.mark.parametrize(
    ("parameter", "failure"),
    [
        ("payment_method_id", FailureClass.HARD),
        ("amount", FailureClass.SHOP),
        (None, FailureClass.SHOP),
    ],
)
def test_a_refusal_says_whose_fault_it_is(parameter: str | None, failure: FailureClass) -> None:
    """By the field it names, never by its description."""
    said = {"code": "invalid_request", "description": "Payment method", "parameter": parameter}
    told = wire.failure(400, orjson.dumps(said))
    assert isinstance(told, Refused)
    assert (told.failure, told.ours) == (failure, False)
