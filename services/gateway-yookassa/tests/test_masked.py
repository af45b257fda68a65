"""What is kept of bodies: only what is named harmless, whatever else they hold."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_yookassa import wire

ID = "2d8f3c1a-000f-5000-8000-1b2c3d4e5f60"
TOKEN = "2d8f3c1a-000f-5000-8000-7a7a7a7a7a7a"
OURS = UUID("6c1c9f2e-1c3b-4d58-9f4e-0a1b2c3d4e5f")
PHONE, EMAIL = "+79161234567", "ivan@example.ru"
SECRETS = (TOKEN, PHONE, PHONE[1:], EMAIL, "415300", "410011758831136", "https://")
PAYMENT = {
    "id": ID,
    "status": "succeeded",
    "paid": True,
    "test": False,
    "amount": {"value": "650.00", "currency": "RUB", "odd": PHONE},
    "income_amount": {"value": "627.25", "currency": "RUB"},
    "created_at": "2026-11-22T10:15:30.123Z",
    "captured_at": "2026-11-22T10:16:02.004Z",
    "description": f"Пополнение {EMAIL} {TOKEN}",
    "recipient": {"account_id": "100500", "gateway_id": "2000001"},
    "confirmation": {"type": "redirect", "confirmation_url": "https://yoomoney.ru/x"},
    "payment_method": {
        "type": "bank_card",
        "id": TOKEN,
        "saved": True,
        "title": "Bank card *4477",
        "phone": PHONE,
        "card": {"first6": "415300", "last4": "4477", "card_type": "Visa", "expiry_year": "2030"},
    },
    "receipt": {"customer": {"email": EMAIL, "phone": PHONE}},
    "receipt_registration": "pending",
    "authorization_details": {"rrn": "603668680243", "auth_code": "000000"},
    "cancellation_details": {"party": "yoo_money", "reason": "fraud_suspected"},
    "metadata": {"payment_id": str(OURS), "contract": "100245", "email": EMAIL},
    "tomorrow": {"token": TOKEN},
}
METHOD = {
    "id": TOKEN,
    "type": "yoo_money",
    "saved": True,
    "status": "active",
    "title": "YooMoney wallet 410011758831136",
    "account_number": "410011758831136",
}


def _masked(value: Any) -> Any:
    kept = wire.masked(value)
    assert [secret for secret in SECRETS if secret in kept.decode()] == []
    return orjson.loads(kept) if kept else None


def test_a_payment_keeps_what_tells_its_story() -> None:
    assert _masked(PAYMENT) == {
        "id": ID,
        "status": "succeeded",
        "paid": True,
        "test": False,
        "amount": {"value": "650.00", "currency": "RUB"},
        "income_amount": {"value": "627.25", "currency": "RUB"},
        "created_at": "2026-11-22T10:15:30.123Z",
        "captured_at": "2026-11-22T10:16:02.004Z",
        "recipient": {"account_id": "100500", "gateway_id": "2000001"},
        "confirmation": {"type": "redirect"},
        "payment_method": {
            "type": "bank_card",
            "saved": True,
            "title": "Bank card *4477",
            "card": {"last4": "4477", "card_type": "Visa"},
        },
        "receipt_registration": "pending",
        "cancellation_details": {"party": "yoo_money", "reason": "fraud_suspected"},
        "metadata": {"payment_id": str(OURS), "contract": "100245"},
    }


def test_a_notification_keeps_its_event_and_its_object() -> None:
    about = {"type": "notification", "event": "payment.succeeded", "object": PAYMENT, "x": EMAIL}
    assert _masked(about) == {
        "type": "notification",
        "event": "payment.succeeded",
        "object": _masked(PAYMENT),
    }


def test_the_id_of_a_saved_method_is_nowhere_kept() -> None:
    kept = {
        "type": "yoo_money",
        "saved": True,
        "status": "active",
        "title": "YooMoney wallet ***********1136",
    }
    assert _masked(METHOD) == kept
    notice = {"type": "notification", "event": "payment_method.active", "object": METHOD}
    assert _masked(notice)["object"] == kept
    assert _masked({"type": "bank_card", "id": TOKEN, "status": "pending"}) == {
        "type": "bank_card",
        "status": "pending",
    }


def test_a_charge_keeps_neither_token_nor_receipt() -> None:
    sent = {
        "amount": {"value": "650.00", "currency": "RUB"},
        "payment_method_id": TOKEN,
        "capture": True,
        "receipt": {"customer": {"phone": PHONE}, "items": [{"description": EMAIL}]},
        "metadata": {"payment_id": str(OURS)},
    }
    assert _masked(sent) == {
        "amount": {"value": "650.00", "currency": "RUB"},
        "capture": True,
        "metadata": {"payment_id": str(OURS)},
        "id": None,
    }


def test_an_error_is_kept_without_what_it_quotes() -> None:
    error = {
        "type": "error",
        "id": "ab5a11cd-13cc-4e33-af8b-75a74e18dd09",
        "code": "invalid_request",
        "description": f"Payment method {TOKEN} of {EMAIL} is not found",
        "parameter": "payment_method_id",
        "retry_after": 1800,
    }
    assert _masked(error) == {
        **error,
        "description": "Payment method … of <email> is not found",
    }


def test_an_address_in_a_harmless_field_is_masked() -> None:
    odd = {**PAYMENT, "status": EMAIL, "recipient": {"account_id": PHONE}}
    kept = _masked(odd)
    assert (kept["status"], kept["recipient"]) == ("<email>", {"account_id": "<phone>"})
    assert kept["amount"] == {"value": "650.00", "currency": "RUB"}


def test_a_list_is_counted() -> None:
    assert _masked({"type": "list", "items": [PAYMENT, PAYMENT], "next_cursor": "c"}) == {
        "type": "list",
        "items": 2,
    }


@pytest.mark.parametrize("body", [b"", b"{", b"<html>", b"[1]", b'"text"', b"null", b"\xff"])
def test_nothing_is_kept_of_what_is_no_object(body: bytes) -> None:
    assert wire.masked_body(body) == b""


_NEEDLE = "needle-in-a-haystack"
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=20,
)
_names = st.sampled_from(
    ["object", "payment_method", "payment_method_data", "card", "metadata", "amount", "items"]
)


@given(
    value=st.recursive(
        st.dictionaries(st.text(min_size=1, max_size=8), st.just(_NEEDLE), min_size=1),
        lambda inner: st.dictionaries(_names, inner, min_size=1, max_size=3),
        max_leaves=12,
    )
)
def test_a_field_nobody_named_is_never_kept(value: dict[str, Any]) -> None:
    kept = wire.masked(_renamed(value))
    assert _NEEDLE not in kept.decode()


def _renamed(value: Any) -> Any:
    """Give each leaf a name that is certainly on no list."""
    if not isinstance(value, dict):
        return value
    return {
        f"x_{name}" if inner == _NEEDLE else name: _renamed(inner) for name, inner in value.items()
    }


@given(value=_json)
def test_any_json_at_all_can_be_masked(value: Any) -> None:
    wire.masked(value)
    for path in ("/payments", f"/payments/{ID}", "/payment_methods", "/refunds"):
        wire.subject(path, value, value)


@pytest.mark.parametrize(
    ("path", "sent", "said", "subject"),
    [
        ("/payments", {"metadata": {"payment_id": str(OURS)}}, PAYMENT, (ID, ID, OURS)),
        ("/payments", {"metadata": {"payment_id": str(OURS)}}, None, (None, None, OURS)),
        (f"/payments/{ID}", None, None, (ID, ID, None)),
        (f"/payments/{ID}/capture", None, PAYMENT, (ID, ID, OURS)),
        ("/payments", None, {"type": "list", "items": [PAYMENT]}, (None, None, None)),
        (
            "/refunds",
            {"payment_id": ID},
            {"id": "r-1", "payment_id": ID, "amount": {}},
            ("r-1", ID, None),
        ),
        ("/refunds/r-1", None, None, ("r-1", None, None)),
        ("/payment_methods", {"type": "bank_card"}, METHOD, (None, None, None)),
        (f"/payment_methods/{TOKEN}", None, METHOD, (None, None, None)),
    ],
)
def test_what_an_exchange_is_about(path: str, sent: Any, said: Any, subject: Any) -> None:
    assert wire.subject(path, sent, said) == subject
