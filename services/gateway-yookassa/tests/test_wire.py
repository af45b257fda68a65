"""YooKassa's words: the documented examples, what is missing, and what nobody has heard of."""

from __future__ import annotations

import json
from contextlib import suppress
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_yookassa import wire
from shared.events import Allocation
from shared.gateway.provider import (
    Kind,
    Malformed,
    Missing,
    Nudge,
    Order,
    Refused,
    Status,
    Throttled,
    Unclear,
)

ID = "3294d482-000f-5000-8000-1a2b3c4d5e6f"
OURS = UUID("bce1118a-ce27-4d3a-a7bb-93223b50505a")
CHECKOUT = "https://yoomoney.ru/checkout/payments/v2/contract?orderId=" + ID
SHOPS = frozenset({"yookassa:1000001", "yookassa:100500"})

# The payment object of the documentation, as `pending`; the other states are its differences.
PENDING: dict[str, Any] = {
    "id": ID,
    "status": "pending",
    "amount": {"value": "650.00", "currency": "RUB"},
    "description": "Пополнение лицевого счёта 100234",
    "recipient": {"account_id": "1000001", "gateway_id": "2000001"},
    "created_at": "2026-11-22T10:15:30.123Z",
    "confirmation": {
        "type": "redirect",
        "return_url": "https://lk.isp.example/pay/return?top_up=77",
        "confirmation_url": CHECKOUT,
    },
    "test": True,
    "paid": False,
    "refundable": False,
    "metadata": {"payment_id": str(OURS), "contract": "100234"},
    "merchant_customer_id": "sub-100234",
}
CARD = {
    "type": "bank_card",
    "id": ID,
    "saved": True,
    "status": "active",
    "title": "Bank card *4477",
    "card": {"first6": "555555", "last4": "4477", "expiry_year": "2030", "expiry_month": "12"},
}
SUCCEEDED = {name: value for name, value in PENDING.items() if name != "confirmation"} | {
    "status": "succeeded",
    "paid": True,
    "refundable": True,
    "captured_at": "2026-11-22T10:16:01.500Z",
    "income_amount": {"value": "627.80", "currency": "RUB"},
    "refunded_amount": {"value": "0.00", "currency": "RUB"},
    "receipt_registration": "pending",
    "payment_method": CARD,
    "authorization_details": {"rrn": "1", "auth_code": "2", "three_d_secure": {"applied": True}},
}
CANCELED = PENDING | {
    "status": "canceled",
    "cancellation_details": {"party": "payment_network", "reason": "insufficient_funds"},
}


def _with(base: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    changed = deepcopy(base)
    *parents, name = path.split(".")
    place = changed
    for parent in parents:
        place = place[parent]
    if value is KeyError:
        del place[name]
    else:
        place[name] = value
    return changed


def test_a_request_says_what_the_provider_needs() -> None:
    part = Allocation(contract="100234", amount_kopecks=65_005)
    body = orjson.loads(wire.request(Order(OURS, (part,), 65_005, "https://lk.example/back")))
    assert body == {
        "amount": {"value": "650.05", "currency": "RUB"},
        "capture": True,
        "confirmation": {"type": "redirect", "return_url": "https://lk.example/back"},
        "description": "Пополнение лицевого счёта 100234",
        "metadata": {"payment_id": str(OURS), "contract": "100234"},
    }


@given(
    kopecks=st.integers(1, 10**12),
    contracts=st.lists(st.text(min_size=1, max_size=64), min_size=1, max_size=20, unique=True),
)
def test_a_request_keeps_the_providers_limits(kopecks: int, contracts: list[str]) -> None:
    parts = tuple(Allocation(contract=c, amount_kopecks=kopecks) for c in contracts)
    total = kopecks * len(parts)
    body = orjson.loads(wire.request(Order(OURS, parts, total, "https://lk.example/back")))
    roubles, _, rest = body["amount"]["value"].partition(".")
    assert int(roubles) * 100 + int(rest) == total
    assert len(rest) == 2
    assert len(body["description"]) <= 128
    assert len(body["metadata"]) <= 16
    assert all(len(key) <= 32 for key in body["metadata"])
    assert all(len(value) <= 512 for value in body["metadata"].values())
    given_back = wire.payment(SUCCEEDED | {"metadata": body["metadata"], "amount": body["amount"]})
    assert given_back.payment_id == OURS
    assert given_back.allocations in (parts, ())


def test_a_pending_payment() -> None:
    truth = wire.payment(PENDING)
    assert (truth.id, truth.shop, truth.status, truth.said) == (
        ID,
        "yookassa:1000001",
        Status.PENDING,
        "pending",
    )
    assert (truth.amount_kopecks, truth.currency, truth.test) == (65_000, "RUB", True)
    assert truth.created_at == datetime(2026, 11, 22, 10, 15, 30, 123_000, tzinfo=UTC)
    assert (truth.paid_at, truth.method, truth.reason) == (None, "", "")
    assert truth.confirmation_url == CHECKOUT
    assert truth.payment_id == OURS
    assert truth.allocations == (Allocation(contract="100234", amount_kopecks=65_000),)


def test_a_succeeded_payment() -> None:
    truth = wire.payment(SUCCEEDED)
    assert (truth.status, truth.method) == (Status.SUCCEEDED, "bank_card")
    assert truth.paid_at == datetime(2026, 11, 22, 10, 16, 1, 500_000, tzinfo=UTC)
    assert truth.confirmation_url is None


def test_a_canceled_payment() -> None:
    truth = wire.payment(CANCELED)
    assert (truth.status, truth.reason) == (Status.CANCELED, "insufficient_funds")


@pytest.mark.parametrize("status", ["waiting_for_capture", "suspended", "SUCCEEDED", ""])
def test_an_unknown_status_finishes_nothing(status: str) -> None:
    truth = wire.payment(SUCCEEDED | {"status": status})
    assert (truth.status, truth.said) == (Status.PENDING, status)


def test_a_success_that_is_not_paid_is_none() -> None:
    assert wire.payment(SUCCEEDED | {"paid": False}).status is Status.PENDING


@pytest.mark.parametrize(
    ("path", "value", "name", "read"),
    [
        ("payment_method.type", "quantum_wallet", "method", "quantum_wallet"),
        ("payment_method", KeyError, "method", ""),
        ("payment_method", None, "method", ""),
        ("payment_method.type", 7, "method", ""),
        ("metadata", KeyError, "payment_id", None),
        ("metadata", {}, "allocations", ()),
        ("metadata.payment_id", "77", "payment_id", None),
        ("metadata.contract", KeyError, "allocations", ()),
        ("metadata.contract", 7, "allocations", ()),
        ("captured_at", KeyError, "paid_at", None),
        ("captured_at", None, "paid_at", None),
        ("amount.currency", "USD", "currency", "USD"),
        ("amount.value", "650.5", "amount_kopecks", 65_050),
        ("recipient.gateway_id", KeyError, "shop", "yookassa:1000001"),
    ],
)
def test_what_may_be_missing_or_new(path: str, value: Any, name: str, read: Any) -> None:
    assert getattr(wire.payment(_with(SUCCEEDED, path, value)), name) == read


@pytest.mark.parametrize(
    "listed", ["", "{", "[]x", "[[1]]", '[["a", -1]]', '[["a", "b"]]', "[1, 2]", '{"a": 1}']
)
def test_a_damaged_list_of_contracts_is_none(listed: str) -> None:
    assert wire.payment(_with(SUCCEEDED, "metadata.allocations", listed)).allocations == ()


def test_a_unknown_reason_is_kept() -> None:
    reason = {"party": "yoo_money", "reason": "mercury_in_retrograde"}
    truth = wire.payment(CANCELED | {"cancellation_details": reason})
    assert truth.reason == "mercury_in_retrograde"


HELD = PENDING | {"status": "waiting_for_capture", "paid": True}


def test_a_hold_says_until_when() -> None:
    truth = wire.payment(HELD | {"expires_at": "2026-11-29T10:15:30.123Z"})
    assert (truth.status, truth.on_hold) == (Status.PENDING, True)
    assert truth.hold_until == datetime(2026, 11, 29, 10, 15, 30, 123_000, tzinfo=UTC)
    assert not wire.payment(PENDING).on_hold


@pytest.mark.parametrize("odd", [None, "", "soon", 7, []])
def test_a_hold_without_an_end_is_still_one(odd: Any) -> None:
    truth = wire.payment(HELD | {"expires_at": odd})
    assert (truth.on_hold, truth.hold_until) == (True, None)


@pytest.mark.parametrize(
    ("reason", "lapsed"), [("expired_on_capture", True), ("expired_on_confirmation", False)]
)
def test_a_hold_that_ran_out_is_told_from_other_ends(reason: str, lapsed: bool) -> None:
    why = {"party": "yoo_money", "reason": reason}
    assert wire.payment(CANCELED | {"cancellation_details": why}).lapsed is lapsed


def test_a_capture_says_the_whole_sum() -> None:
    said = {"amount": {"value": "650.05", "currency": "RUB"}}
    assert orjson.loads(wire.capture(65_005)) == said


def test_a_code_to_scan_is_an_address() -> None:
    scanned = {"type": "qr", "confirmation_data": "https://qr.nspk.ru/AS10003P3RH0LJ2A9ROO038L6NT"}
    truth = wire.payment(PENDING | {"confirmation": scanned})
    assert truth.qr_payload == scanned["confirmation_data"]
    assert truth.confirmation_url is None
    assert wire.payment(PENDING).qr_payload is None


@pytest.mark.parametrize(
    "data",
    [
        *("javascript:alert(1)", "http://qr.nspk.ru/A", "bank100000000111://qr", "https://a b"),
        *(
            "https://",
            "https://a\n",
            "https://" + "a" * 501,
            "https://я",
            "",
            None,
            7,
            ["https://a"],
        ),
    ],
)
def test_nothing_else_is_shown_as_a_code(data: Any) -> None:
    odd = {"type": "qr", "confirmation_data": data}
    assert wire.payment(PENDING | {"confirmation": odd}).qr_payload is None


@pytest.mark.parametrize("url", ["javascript:alert(1)", "/checkout", "https://a b", "", None, 7])
def test_no_browser_is_sent_to_an_odd_address(url: Any) -> None:
    assert (
        wire.payment(_with(PENDING, "confirmation.confirmation_url", url)).confirmation_url is None
    )


@pytest.mark.parametrize(
    ("path", "value"),
    [
        *((path, KeyError) for path in ("id", "status", "amount", "test", "paid", "created_at")),
        *((path, KeyError) for path in ("recipient", "recipient.account_id", "amount.value")),
        ("amount.currency", KeyError),
        ("id", "../../refunds"),
        ("id", 7),
        ("id", ""),
        ("status", None),
        ("test", "false"),
        ("amount.value", 650.0),
        ("amount.value", "650.001"),
        ("amount.value", "-1.00"),
        ("amount.value", "NaN"),
        ("amount", "650.00"),
        ("recipient.account_id", True),
        ("recipient.account_id", 1000001.0),
        ("created_at", "yesterday"),
        ("captured_at", 5),
    ],
)
def test_without_what_decides_it_is_no_payment(path: str, value: Any) -> None:
    with pytest.raises(wire.Unreadable):
        wire.payment(_with(SUCCEEDED, path, value))


def test_a_shops_number_may_be_a_number() -> None:
    truth = wire.payment(_with(SUCCEEDED, "recipient.account_id", 1000001))
    assert truth.shop == "yookassa:1000001"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner),
    max_leaves=8,
)


@given(value=anything, name=st.sampled_from(sorted(SUCCEEDED)))
def test_any_json_is_a_payment_or_unreadable(value: Any, name: str) -> None:
    for odd in (value, SUCCEEDED | {name: value}):
        with suppress(wire.Unreadable):
            wire.payment(odd)


def test_a_page_of_the_list() -> None:
    page = wire.page({"type": "list", "items": [PENDING, SUCCEEDED], "next_cursor": "37a5"})
    assert [truth.status for truth in page.payments] == [Status.PENDING, Status.SUCCEEDED]
    assert page.next_cursor == "37a5"
    assert wire.page({"type": "list", "items": []}).next_cursor is None


@pytest.mark.parametrize("value", [None, [], {}, {"items": {}}])
def test_what_is_no_list(value: Any) -> None:
    with pytest.raises(wire.Unreadable):
        wire.page(value)


def _error(code: str | None = "invalid_request", **more: Any) -> bytes:
    return orjson.dumps({"type": "error", "id": "e", "code": code, **more})


@pytest.mark.parametrize(
    ("status", "body", "reading", "outcome"),
    [
        (400, _error(parameter="amount"), False, Refused("invalid_request", "amount")),
        (400, b"", False, Refused("http_400")),
        (
            401,
            _error("invalid_credentials"),
            False,
            Refused("invalid_credentials", ours=True, locked_out=True),
        ),
        (400, _error("not_found"), True, Missing()),
        (403, _error("not_found"), True, Missing()),
        (400, _error("not_found"), False, Refused("not_found")),
        (500, _error("not_found"), True, Unclear("http_500")),
        (403, _error("forbidden"), True, Refused("forbidden", ours=True)),
        (404, _error("not_found"), True, Missing()),
        (410, _error("gone"), True, Missing()),
        (404, _error("not_found"), False, Refused("not_found")),
        (405, b"<html>", False, Refused("http_405")),
        (415, b"", False, Refused("http_415")),
        (408, b"", False, Unclear("http_408")),
        (429, _error(retry_after=1500), False, Throttled(timedelta(seconds=1.5))),
        (429, b"", True, Throttled()),
        (202, b'{"type":"processing","retry_after":1800}', False, None),
        (500, _error("internal_server_error"), False, Unclear("http_500")),
        (502, b"<html>Bad gateway</html>", False, Unclear("http_502")),
        (504, b"", True, Unclear("http_504")),
        (301, b"", False, Unclear("http_301")),
        (204, b"", False, Unclear("http_204")),
        (999, b"[]", False, Unclear("http_999")),
    ],
)
def test_answers_that_are_no_payment(status: int, body: bytes, reading: bool, outcome: Any) -> None:
    if outcome is None:
        outcome = Unclear("http_202", timedelta(seconds=1.8))
    assert wire.failure(status, body, reading=reading) == outcome


@pytest.mark.parametrize("said", ["1500", -1, True, None, 0, {}, 1.5])
def test_an_odd_wish_to_wait_is_none(said: Any) -> None:
    assert wire.failure(429, _error(retry_after=said)) == Throttled(None)


def test_nobody_waits_longer_than_an_hour() -> None:
    assert wire.failure(429, _error(retry_after=10**12)) == Throttled(timedelta(hours=1))


def _notification(event: str, about: Any, kind: Any = "notification") -> bytes:
    return orjson.dumps({"type": kind, "event": event, "object": about})


@pytest.mark.parametrize(
    ("event", "claims"),
    [
        ("payment.succeeded", Status.SUCCEEDED),
        ("payment.canceled", Status.CANCELED),
        ("payment.waiting_for_capture", Status.PENDING),
    ],
)
def test_a_notification_names_a_payment(event: str, claims: Status) -> None:
    nudge = wire.callback(_notification(event, SUCCEEDED), SHOPS, "yookassa:100500")
    assert nudge is not None
    assert nudge._replace(kept=b"") == Nudge(event, "yookassa:1000001", ID, OURS, claims)


def test_a_notification_names_a_refund_and_its_payment() -> None:
    about = {"id": "refund-1", "payment_id": ID, "status": "succeeded"}
    nudge = wire.callback(_notification("refund.succeeded", about), SHOPS, "yookassa:100500")
    claims = (Status.SUCCEEDED, Kind.REFUND, ID)
    assert nudge is not None
    assert nudge._replace(kept=b"") == Nudge(
        "refund.succeeded", "yookassa:100500", "refund-1", None, *claims
    )


@pytest.mark.parametrize("odd", [7, "../payments", []])
def test_a_refund_of_what_is_no_payment_is_malformed(odd: Any) -> None:
    about = {"id": "refund-1", "payment_id": odd}
    with pytest.raises(Malformed):
        wire.callback(_notification("refund.succeeded", about), SHOPS, "yookassa:100500")


@pytest.mark.parametrize("event", ["refund.canceled", "deal.closed"])
def test_other_notifications_are_left_alone(event: str) -> None:
    assert wire.callback(_notification(event, {"id": "x"}), SHOPS, "yookassa:100500") is None


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("recipient", KeyError),
        ("recipient", "x"),
        ("recipient.account_id", "666"),
        ("recipient.account_id", 1),
    ],
)
def test_a_shop_that_is_not_ours_is_taken_for_the_first(path: str, value: Any) -> None:
    body = _notification("payment.succeeded", _with(SUCCEEDED, path, value))
    nudge = wire.callback(body, SHOPS, "yookassa:100500")
    assert nudge is not None
    assert nudge.shop == "yookassa:100500"


@pytest.mark.parametrize("metadata", [None, [], "x", {"payment_id": 7}, {"payment_id": "x"}])
def test_a_notification_without_our_id(metadata: Any) -> None:
    body = _notification("payment.succeeded", SUCCEEDED | {"metadata": metadata})
    nudge = wire.callback(body, SHOPS, "yookassa:100500")
    assert nudge is not None
    assert nudge.payment_id is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"7",
        b"{}",
        _notification("payment.succeeded", SUCCEEDED, "error"),
        _notification("payment.succeeded", None),
        _notification("payment.succeeded", []),
        _notification("payment.succeeded", {}),
        _notification("payment.succeeded", {"id": 7}),
        _notification("payment.succeeded", {"id": "../x"}),
        _notification("payment.succeeded", {"id": "x" * 65}),
        _notification("payment", SUCCEEDED),
        _notification("x" * 100 + ".y", SUCCEEDED),
        b'{"type":"notification","event":7,"object":{"id":"x"}}',
        _notification("payment.succeeded", SUCCEEDED)[:-3],
    ],
)
def test_garbage_is_no_notification(body: bytes) -> None:
    with pytest.raises(Malformed):
        wire.callback(body, SHOPS, "yookassa:100500")


@given(value=anything)
def test_any_json_is_a_notification_or_malformed(value: Any) -> None:
    for odd in (value, {"type": "notification", "event": "payment.succeeded", "object": value}):
        with suppress(Malformed):
            wire.callback(json.dumps(odd).encode(), SHOPS, "yookassa:100500")


@pytest.mark.parametrize(
    ("income", "kopecks"),
    [
        ({"value": "627.80", "currency": "RUB"}, 62_780),
        ({"value": "650.01", "currency": "RUB"}, None),
        ({"value": "-1.00", "currency": "RUB"}, None),
        ({"value": 627.8}, None),
        ("627.80", None),
        (None, None),
    ],
)
def test_what_reaches_the_bank_never_decides_about_a_payment(
    income: Any, kopecks: int | None
) -> None:
    read = wire.payment({**SUCCEEDED, "income_amount": income})
    assert (read.status, read.income_kopecks) == (Status.SUCCEEDED, kopecks)
