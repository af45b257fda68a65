"""Refunds over HTTP: what is taken, what is answered, and a sentence for each mistake."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.gateway.provider import Refused, Status, Unclear

ASK = {"amount": "150.00", "reason": "Ошибочное пополнение"}


@pytest.fixture
async def paid(stand: Any) -> Any:
    return await stand.paid()


async def test_a_refund_is_asked_for_listed_and_looked_at(
    stand: Any, caller: Any, paid: Any
) -> None:
    status, made = await caller.ask_refund(paid.id, ASK)
    (truth,) = stand.provider.refunds.values()
    assert status == 201
    assert made == {
        "id": made["id"],
        "payment_id": str(paid.id),
        "provider_refund_id": truth.id,
        "status": "succeeded",
        "amount": "150.00",
        "currency": "RUB",
        "reason": "Ошибочное пополнение",
        "created_at": "2026-11-22T09:00:00Z",
    }
    assert await caller.look(f"/v1/refunds/{made['id']}") == (200, made)
    listed = await caller.look(f"/v1/payments/{paid.id}/refunds")
    assert listed == (200, {"items": [made], "left": "500.00"})


async def test_while_the_provider_is_silent_the_answer_is_202(
    stand: Any, caller: Any, paid: Any
) -> None:
    stand.provider.refund_creates = [Unclear("timeout")]
    status, made = await caller.ask_refund(paid.id, ASK)
    assert (status, made["status"], made["provider_refund_id"]) == (202, "creating", None)


async def test_why_it_came_to_nothing_is_shown(stand: Any, caller: Any, paid: Any) -> None:
    stand.provider.refund_ends = [Status.PENDING]
    _, made = await caller.ask_refund(paid.id, ASK)
    told = made["provider_refund_id"]
    stand.provider.end_refund(told, Status.CANCELED, "insufficient_funds")
    await stand.refund_callback(told, paid.provider_payment_id)
    _, found = await caller.look(f"/v1/refunds/{made['id']}")
    assert (found["status"], found["failure"]) == ("canceled", "insufficient_funds")
    assert found["explanation"] == "come later"
    russian = {"Accept-Language": "ru"}
    _, found = await caller.look(f"/v1/refunds/{made['id']}", russian)
    assert found["explanation"] == "приходите позже"
    _, listed = await caller.look(f"/v1/payments/{paid.id}/refunds")
    assert listed["left"] == "650.00"


async def test_what_nobody_knows_stays_unexplained(stand: Any, caller: Any, paid: Any) -> None:
    stand.provider.refund_creates = [Refused("new_word"), Unclear("timeout")]
    _, made = await caller.ask_refund(paid.id, ASK)
    assert made["failure"] == "new_word"
    assert "explanation" not in made
    _, unclear = await caller.ask_refund(paid.id, ASK)
    stand.provider.refund_creates = [Unclear("timeout")] * 1000
    await stand.pass_time(timedelta(hours=23))
    _, found = await caller.look(f"/v1/refunds/{unclear['id']}")
    assert (found["failure"], found["explanation"][:29]) == (
        "unmade",
        "the provider knows nothing of",
    )


async def test_a_repeated_key_is_answered_alike(stand: Any, caller: Any, paid: Any) -> None:
    key = {"Idempotency-Key": "refund-1"}
    first = await caller.ask_refund(paid.id, ASK, key)
    assert await caller.ask_refund(paid.id, ASK, key) == first
    status, said = await caller.ask_refund(paid.id, {**ASK, "amount": "150.01"}, key)
    assert status == 409
    assert "another request" in said["detail"]
    assert len(stand.provider.refunds_sent) == 1


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({"amount": "0.00"}, "amount", "must be above zero"),
        ({"amount": "-1.00"}, "amount", "must be above zero"),
        ({"amount": "650.01"}, "amount", "at most 650.00 is left to return"),
        ({"amount": "1.005"}, "amount", "at most two decimals"),
        ({"amount": 1.5}, "amount", "an amount as text"),
        ({"amount": "1.00", "currency": "USD"}, "currency", "only RUB is taken"),
        ({"reason": "x"}, "amount", "required"),
        ({"amount": "1.00", "reason": "x" * 251}, "reason", "250"),
        ({"amount": "1.00", "reason": "a\nb"}, "reason", "control characters"),
        ({"amount": "1.00", "to": "card"}, "to", "not permitted"),
    ],
)
async def test_each_mistake_has_its_sentence(
    stand: Any, caller: Any, paid: Any, body: dict[str, Any], field: str, words: str
) -> None:
    status, said = await caller.ask_refund(paid.id, body)
    assert status == 422
    (wrong,) = said["errors"]
    assert wrong["field"] == field
    assert words in wrong["message"]
    assert stand.provider.refunds_sent == []


@pytest.mark.parametrize("end", ["pending", "canceled", "returned"])
async def test_a_payment_with_nothing_to_return(stand: Any, caller: Any, end: str) -> None:
    words = {"pending": "not complete", "canceled": "canceled", "returned": "in full"}
    payment = (await stand.wish()).payment
    if end == "canceled":
        stand.provider.cancel(payment.provider_payment_id)
        await stand.callback(payment.provider_payment_id, claims=Status.CANCELED)
    if end == "returned":
        payment = await stand.paid()
        assert (await caller.ask_refund(payment.id, {"amount": "650.00"}))[0] == 201
    status, said = await caller.ask_refund(payment.id, ASK)
    assert status == 422
    assert said["errors"][0]["field"] == "payment"
    assert words[end] in said["errors"][0]["message"]


async def test_the_sentence_is_russian_for_those_who_read_russian(caller: Any, paid: Any) -> None:
    body = {"amount": "700.00"}
    _, said = await caller.ask_refund(paid.id, body, {"Accept-Language": "ru"})
    assert said["errors"][0]["message"] == "можно вернуть не больше 650.00"


@pytest.mark.parametrize("unknown", ["6ba7b810-9dad-41d1-80b4-00c04fd430c8", "7", "..%2Frefunds"])
async def test_what_is_not_there_is_not_found(caller: Any, unknown: str) -> None:
    assert (await caller.ask_refund(unknown, ASK))[0] == 404
    assert (await caller.look(f"/v1/payments/{unknown}/refunds"))[0] == 404
    assert (await caller.look(f"/v1/refunds/{unknown}"))[0] == 404


async def test_who_may_only_read_returns_nothing(stand: Any, caller: Any, paid: Any) -> None:
    reader = {"Authorization": "Bearer reader"}
    assert (await caller.ask_refund(paid.id, ASK, reader))[0] == 403
    assert (await caller.look(f"/v1/payments/{paid.id}/refunds", reader))[0] == 200
    assert (await caller.ask_refund(paid.id, ASK, {"Authorization": "Bearer x"}))[0] == 401
    assert stand.provider.refunds_sent == []
