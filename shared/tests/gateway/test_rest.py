"""The JSON API: what is asked, what is answered, and what is refused by name."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from shared.gateway import callbacks, payments
from shared.gateway.provider import Refused, Unclear

BODY = {
    "contract": "100245",
    "amount": "650.00",
    "return_url": "https://pay.example.org/cabinet/topups/7",
}
KEY = {"Idempotency-Key": "k-1"}


@pytest.fixture(autouse=True)
async def contracts(stand: Any) -> None:
    for number in ("100245", "100246"):
        await stand.know(number)
    await stand.know("closed", "closed")


async def test_a_new_payment_is_answered_with_its_address(stand: Any, caller: Any) -> None:
    status, said = await caller.post(BODY)
    assert status == 201
    assert set(said) == {
        *("id", "provider", "provider_payment_id", "status", "confirmation_url"),
        *("contract", "amount", "currency", "created_at"),
    }
    assert said["confirmation_url"] == f"https://pay.example/{said['provider_payment_id']}"
    assert (said["status"], said["contract"]) == ("pending", "100245")
    assert (said["amount"], said["currency"]) == ("650.00", "RUB")
    assert said["created_at"] == "2026-11-22T09:00:00Z"
    assert await caller.get(said["id"]) == (200, said)
    row = await stand.row(UUID(said["id"]))
    assert row.correlation_id == caller.correlation


async def test_several_contracts_share_one_payment(stand: Any, caller: Any) -> None:
    parts = [{"contract": "100245", "amount": "600.00"}, {"contract": "100246", "amount": "50.00"}]
    body = {**BODY, "allocations": parts}
    del body["contract"]
    status, said = await caller.post(body)
    assert (status, said["contract"], said["allocations"]) == (201, None, parts)
    (provider_id,) = stand.provider.made
    stand.provider.pay(provider_id)
    await stand.callback(provider_id)
    (event,) = await stand.said()
    assert event.data["allocations"] == [
        {"contract": "100245", "amount_kopecks": 60_000},
        {"contract": "100246", "amount_kopecks": 5_000},
    ]


async def test_a_slow_provider_is_answered_with_202_and_settled_later(
    stand: Any, caller: Any
) -> None:
    stand.provider.slow = asyncio.Event()
    status, said = await caller.post(BODY, KEY)
    assert (status, said["status"], said["confirmation_url"]) == (202, "creating", None)
    assert await caller.post(BODY, KEY) == (202, said)
    stand.provider.slow.set()
    await stand.gateway.creations.drain()
    status, done = await caller.post(BODY, KEY)
    assert (status, done["id"], done["status"]) == (201, said["id"], "pending")
    assert done["confirmation_url"] is not None


async def test_an_unclear_outcome_is_202(stand: Any, caller: Any) -> None:
    stand.provider.creates = [Unclear("timeout")]
    status, said = await caller.post(BODY)
    assert (status, said["status"], said["provider_payment_id"]) == (202, "creating", None)


async def test_a_refusal_is_a_canceled_payment_with_its_reason(stand: Any, caller: Any) -> None:
    stand.provider.creates = [Refused("invalid_request")]
    status, said = await caller.post(BODY)
    assert (status, said["status"], said["reason"]) == (201, "canceled", "invalid_request")
    assert said["confirmation_url"] is None


async def test_a_repeated_key_is_answered_as_the_first_time(stand: Any, caller: Any) -> None:
    first = await caller.post(BODY, KEY)
    stand.provider.pay(first[1]["provider_payment_id"])
    await stand.callback(first[1]["provider_payment_id"])
    await stand.know("100245", "closed", 2)
    assert await caller.post({**BODY, "currency": "RUB"}, KEY) == first
    assert (await caller.get(first[1]["id"]))[1]["status"] == "succeeded"


@pytest.mark.parametrize("change", [{"amount": "650.01"}, {"contract": "100246"}])
async def test_a_key_for_another_body_is_a_conflict(
    stand: Any, caller: Any, change: dict[str, str]
) -> None:
    await caller.post(BODY, KEY)
    status, problem = await caller.post({**BODY, **change}, KEY)
    assert (status, problem["status"]) == (409, 409)
    assert len(stand.provider.sent) == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"amount": "0"}, "amount"),
        ({"amount": "0.00"}, "amount"),
        ({"amount": "-1.00"}, "amount"),
        ({"amount": "0.99"}, "amount"),
        ({"amount": "350000.01"}, "amount"),
        ({"amount": "1.001"}, "amount"),
        ({"amount": "NaN"}, "amount"),
        ({"amount": "Infinity"}, "amount"),
        ({"amount": "1e3"}, "amount"),
        ({"amount": 650}, "amount"),
        ({"amount": 650.5}, "amount"),
        ({"amount": None}, "amount"),
        ({"amount": "650,00"}, "amount"),
        ({"amount": "9" * 400}, "amount"),
        ({"currency": "USD"}, "currency"),
        ({"currency": None}, "currency"),
        ({"contract": "unknown"}, "contract"),
        ({"contract": "closed"}, "contract"),
        ({"contract": ""}, "contract"),
        ({"contract": "1" * 65}, "contract"),
        ({"contract": "1\u0000"}, "contract"),
        ({"contract": 100245}, "contract"),
        ({"contract": None}, "contract"),
        ({"return_url": "https://evil.example/"}, "return_url"),
        ({"return_url": "https://pay.example.org@evil.example/"}, "return_url"),
        ({"return_url": "https://pay.example.org/\u0000"}, "return_url"),
        ({"return_url": "x" * 2049}, "return_url"),
        ({"contact": {"email": "no"}}, "contact.email"),
        ({"contact": {"phone": "8 916"}}, "contact.phone"),
        ({"contact": {"fax": "1"}}, "contact.fax"),
        ({"purpose": "x"}, "purpose"),
        ({"allocations": [{"contract": "100245", "amount": "650.00"}]}, "contract"),
        ({"contract": None, "allocations": []}, "allocations"),
        (
            {"contract": None, "allocations": [{"contract": "100245", "amount": "1.00"}]},
            "allocations",
        ),
        (
            {"contract": None, "allocations": [{"contract": "100245", "amount": "325.00"}] * 2},
            "allocations",
        ),
        (
            {
                "contract": None,
                "allocations": [
                    {"contract": "100245", "amount": "-1.00"},
                    {"contract": "100246", "amount": "651.00"},
                ],
            },
            "allocations.0.amount",
        ),
        (
            {"contract": None, "allocations": [{"contract": "nobody", "amount": "650.00"}]},
            "allocations.0.contract",
        ),
    ],
)
async def test_bad_input_is_refused_by_name(
    stand: Any, caller: Any, change: dict[str, Any], field: str
) -> None:
    body = {**BODY, **change}
    if body["contract"] is None:
        del body["contract"]
    status, problem = await caller.post(body)
    assert status == 422, problem
    assert field in [error["field"] for error in problem["errors"]]
    russian = (await caller.post(body, {"Accept-Language": "ru"}))[1]["errors"]
    assert all(any("а" <= letter <= "я" for letter in error["message"]) for error in russian)
    assert stand.provider.sent == []
    assert await stand.rows(payments.payment) == []


async def test_the_tokens_own_addresses_may_be_returned_to(caller: Any) -> None:
    status, _ = await caller.post({**BODY, "return_url": "https://shop.example/back?x=1"})
    assert status == 201


@pytest.mark.parametrize("key", ["", "x" * 65, "a b", "ключ"])
async def test_a_malformed_key_is_refused(caller: Any, key: str) -> None:
    status, problem = await caller.post(BODY, {"Idempotency-Key": key})
    assert status == 422
    assert [error["field"] for error in problem["errors"]] == ["Idempotency-Key"]


@pytest.mark.parametrize(
    ("raw", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"contract"', "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"[]", "application/json", 422),
        (b"null", "application/json", 422),
        (b"{}", "text/plain", 415),
        (b'"' + b"x" * 70_000 + b'"', "application/json", 413),
    ],
)
async def test_what_is_no_request_is_refused(
    caller: Any, raw: bytes, kind: str, status: int
) -> None:
    assert (await caller.post(raw, {"Content-Type": kind}))[0] == status


@pytest.mark.parametrize(("token", "status"), [("", 401), ("unknown", 401), ("reader", 403)])
async def test_only_a_known_token_with_the_right_makes_payments(
    stand: Any, caller: Any, token: str, status: int
) -> None:
    assert (await caller.post(BODY, {"Authorization": f"Bearer {token}"}))[0] == status
    assert stand.provider.sent == []


async def test_who_may_make_payments_may_look_at_them(caller: Any) -> None:
    made = await caller.post(BODY)
    looked = await caller.get(made[1]["id"], {"Authorization": "Bearer reader"})
    assert looked == (200, made[1])


@pytest.mark.parametrize("unknown", [str(UUID(int=7)), "7", "..", "%00", "x" * 300])
async def test_an_unknown_payment_is_not_found(caller: Any, unknown: str) -> None:
    assert (await caller.get(unknown))[0] == 404


async def test_a_held_payment_says_why(stand: Any, caller: Any) -> None:
    _, said = await caller.post(BODY)
    stand.provider.pay(said["provider_payment_id"], test=True)
    await stand.callback(said["provider_payment_id"])
    _, held = await caller.get(said["id"])
    assert (held["status"], held["reason"]) == ("pending", "test_mode")
    assert len(await stand.rows(callbacks.callback)) == 1
