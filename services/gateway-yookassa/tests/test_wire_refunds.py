"""Refunds between YooKassa's words and ours."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_yookassa import wire
from shared.gateway.provider import ProviderRefund, RefundOrder, Status

PAYMENT = "3294d482-000f-5000-8000-1a2b3c4d5e6f"
ID = "3294def0-0015-5000-8000-0a1b2c3d4e5f"
OURS = UUID("0f8fad5b-d9cb-469f-a165-70867728950e")
ORDER = RefundOrder(OURS, PAYMENT, 15_000, whole=False, reason="Ошибка", request_id="core-5")
SUCCEEDED: dict[str, Any] = {
    "id": ID,
    "payment_id": PAYMENT,
    "status": "succeeded",
    "created_at": "2026-11-22T11:00:00.000Z",
    "amount": {"value": "150.00", "currency": "RUB"},
    "description": "Ошибка",
    "metadata": {"refund_id": str(OURS), "request_id": "core-5"},
}
READ = ProviderRefund(
    id=ID,
    provider_payment_id=PAYMENT,
    status=Status.SUCCEEDED,
    said="succeeded",
    amount_kopecks=15_000,
    currency="RUB",
    created_at=datetime(2026, 11, 22, 11, tzinfo=UTC),
    refund_id=OURS,
    request_id="core-5",
)


def test_the_request_says_what_where_and_under_which_id() -> None:
    assert orjson.loads(wire.refund_request(ORDER)) == {
        "payment_id": PAYMENT,
        "amount": {"value": "150.00", "currency": "RUB"},
        "description": "Ошибка",
        "metadata": {"refund_id": str(OURS), "request_id": "core-5"},
    }


def test_what_is_not_known_is_not_said() -> None:
    said = orjson.loads(wire.refund_request(RefundOrder(OURS, PAYMENT, 1, whole=False)))
    assert "description" not in said
    assert said["metadata"] == {"refund_id": str(OURS)}


def test_a_refund_is_read_as_it_is_told() -> None:
    assert wire.refund(SUCCEEDED) == READ


def test_a_canceled_refund_says_why() -> None:
    canceled = {
        **SUCCEEDED,
        "status": "canceled",
        "cancellation_details": {"party": "yoo_money", "reason": "insufficient_funds"},
    }
    read = wire.refund(canceled)
    assert (read.status, read.reason) == (Status.CANCELED, "insufficient_funds")


@pytest.mark.parametrize("said", ["pending", "on_its_way"])
def test_a_word_we_do_not_know_ends_nothing(said: str) -> None:
    read = wire.refund({**SUCCEEDED, "status": said})
    assert (read.status, read.said) == (Status.PENDING, said)


@pytest.mark.parametrize("metadata", [None, [], "x", {}, {"refund_id": 7, "request_id": []}])
def test_a_refund_made_in_the_profile_has_no_id_of_ours(metadata: Any) -> None:
    read = wire.refund({**SUCCEEDED, "metadata": metadata})
    assert (read.refund_id, read.request_id) == (None, None)


@pytest.mark.parametrize(
    "changed",
    [
        {"id": None},
        {"id": "../payments"},
        {"payment_id": 7},
        {"status": 7},
        {"amount": None},
        {"amount": {"value": "0.00", "currency": "RUB"}},
        {"amount": {"value": "-1.00", "currency": "RUB"}},
        {"amount": {"value": "1.005", "currency": "RUB"}},
        {"amount": {"value": 150.0, "currency": "RUB"}},
        {"created_at": "yesterday"},
    ],
    ids=str,
)
def test_what_decides_must_be_readable(changed: dict[str, Any]) -> None:
    with pytest.raises(wire.Unreadable):
        wire.refund({**SUCCEEDED, **changed})


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*SUCCEEDED]), inner),
    )
)
def test_any_json_is_a_refund_or_unreadable(value: Any) -> None:
    for odd in (value, {**SUCCEEDED, "amount": value}, {**SUCCEEDED, "metadata": value}):
        with suppress(wire.Unreadable):
            wire.refund(json.loads(json.dumps(odd)))


def test_one_unreadable_refund_does_not_hide_the_others() -> None:
    page = wire.refund_page({"items": [SUCCEEDED, {}, SUCCEEDED], "next_cursor": "c"})
    assert (page.refunds, page.next_cursor, page.unreadable) == ([READ, READ], "c", 1)


@pytest.mark.parametrize("value", [None, [], {"items": 7}, {"items": [], "next_cursor": 7}])
def test_what_is_no_list_is_not_an_empty_one(value: Any) -> None:
    with pytest.raises(wire.Unreadable):
        wire.refund_page(value)


@pytest.mark.parametrize(
    ("told", "kopecks"),
    [({"value": "150.00"}, 15_000), ({"value": "x"}, 0), ({"value": "-5.00"}, 0), (None, 0)],
)
def test_a_payment_says_what_was_sent_back(told: Any, kopecks: int) -> None:
    paid = {
        "id": PAYMENT,
        "status": "succeeded",
        "paid": True,
        "amount": {"value": "650.00", "currency": "RUB"},
        "recipient": {"account_id": "1000001"},
        "created_at": "2026-11-22T10:15:30.123Z",
        "test": True,
        "refunded_amount": told,
    }
    assert wire.payment(paid).refunded_kopecks == kopecks
