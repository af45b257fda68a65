"""Journeys between the gateway and YooKassa's simulator, over HTTP, by the real clock."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from shared.gateway import callbacks, payments

ALL = {"calls": ["create_payment"]}


async def test_a_payment_is_made_paid_and_said(place: Any) -> None:
    status, made = await place.make()
    assert (status, made["status"]) == (201, "pending")
    assert made["confirmation_url"].startswith(place.sandbox.url)
    await place.sandbox.pay(made["provider_payment_id"], card="5555555555554444")
    await place.becomes(made["id"], "succeeded")
    (event,) = await place.said()
    assert event.subject == made["provider_payment_id"]
    assert event.data["amount_kopecks"] == 65_000
    assert event.data["provider"] == "yookassa:100500"
    assert event.data["method"] == "bank_card"


async def test_a_payer_comes_with_a_signed_order(place: Any) -> None:
    status, where = await place.open("order-1")
    assert (status, where.startswith(place.sandbox.url)) == (303, True)
    assert await place.open("order-1") == (303, where)
    (row,) = await place.rows(payments.payment)
    await place.sandbox.pay(row.provider_payment_id)
    await place.becomes(str(row.id), "succeeded")
    assert (await place.said())[0].data["order_id"] == "order-1"
    assert (await place.open("order-1"))[0] == 200


async def test_a_refused_card_cancels_with_the_banks_reason(place: Any) -> None:
    _, made = await place.make()
    await place.sandbox.pay(made["provider_payment_id"], card="5555555555554600")
    canceled = await place.becomes(made["id"], "canceled")
    assert canceled["reason"] == "insufficient_funds"
    assert len(await place.said("payment.canceled")) == 1


@pytest.mark.parametrize(
    "fault",
    [
        "drop_before",
        "drop_after",
        "error_before",
        "error_after",
        "too_many",
        "processing",
        "bad_gateway_before",
        "bad_gateway_after",
        "truncated",
    ],
)
async def test_an_unclear_creation_is_made_once(place: Any, fault: str) -> None:
    faults = {"faults": [{"kind": fault, "calls": ["create_payment"], "times": 2}]}
    await place.sandbox.control("POST", "/faults", faults)
    status, made = await place.make()
    assert (status, made["status"], made["confirmation_url"]) == (202, "creating", None)
    done = await place.becomes(made["id"], "pending")
    assert done["confirmation_url"]
    listed = await place.sandbox.api("GET", "/payments")
    assert [item["id"] for item in listed.body["items"]] == [done["provider_payment_id"]]


async def test_a_slow_creation_is_unclear_and_made_once(place: Any) -> None:
    slow = {"kind": "latency_after", "calls": ["create_payment"], "times": 1, "delay": 2500}
    await place.sandbox.control("POST", "/faults", {"faults": [slow]})
    status, made = await place.make()
    assert status == 202
    done = await place.becomes(made["id"], "pending")
    listed = await place.sandbox.api("GET", "/payments")
    assert [item["id"] for item in listed.body["items"]] == [done["provider_payment_id"]]


async def test_a_callback_comes_before_the_creation_is_answered(place: Any) -> None:
    early = {"kind": "webhook_first", "calls": ["create_payment"], "times": 1}
    await place.sandbox.control("POST", "/faults", {"faults": [early]})
    _, made = await place.make()
    await place.becomes(made["id"], "succeeded")
    assert len(await place.said()) == 1


async def test_a_lost_callback_costs_a_poll(place: Any) -> None:
    await place.sandbox.control("PUT", "/mischief", {"loss": 1.0})
    _, made = await place.make()
    await place.sandbox.pay(made["provider_payment_id"])
    await place.becomes(made["id"], "succeeded")
    assert await place.rows(callbacks.callback) == []
    assert len(await place.said()) == 1


async def test_a_stale_answer_is_asked_again(start: Any) -> None:
    place = await start(YOOKASSA_POLL_DELAYS="1h")
    _, made = await place.make()
    stale = {"kind": "stale", "calls": ["get_payment"], "times": 2}
    await place.sandbox.control("POST", "/faults", {"faults": [stale]})
    await place.sandbox.pay(made["provider_payment_id"])
    await place.becomes(made["id"], "succeeded")


async def test_a_lie_costs_a_question_and_credits_nobody(start: Any) -> None:
    place = await start(YOOKASSA_CALLBACK_NETWORKS="any")
    _, made = await place.make()
    about = {"id": str(uuid4()), "status": "succeeded", "metadata": {"payment_id": made["id"]}}
    lie = {"type": "notification", "event": "payment.succeeded", "object": about}
    await place.sandbox.control("POST", "/deliveries/forge", {"body": lie})

    async def settled() -> bool:
        return [row.outcome for row in await place.rows(callbacks.callback)] == ["forged"]

    await place.until(settled)
    assert (await place.look(made["id"]))["status"] == "pending"
    assert await place.said() == []


async def test_a_lie_from_outside_is_not_even_stored(place: Any) -> None:
    about = {"id": str(uuid4()), "status": "succeeded"}
    lie = {"type": "notification", "event": "payment.succeeded", "object": about}
    await place.sandbox.control("POST", "/deliveries/forge", {"body": lie})

    async def answered() -> list[int]:
        log = await place.sandbox.control("GET", "/deliveries?kind=forged")
        return [attempt["status"] for item in log["items"] for attempt in item["tries"]]

    assert set(await place.until(answered)) == {403}
    assert await place.rows(callbacks.callback) == []


@pytest.mark.parametrize(
    ("bent", "held"),
    [
        ({"test": False}, "test_mode"),
        ({"account_id": "100501"}, "foreign_shop"),
        ({"currency": "USD"}, "foreign_currency"),
    ],
)
async def test_what_is_not_ours_is_held(place: Any, bent: dict[str, Any], held: str) -> None:
    _, made = await place.make()
    await place.sandbox.control("PATCH", f"/payments/{made['provider_payment_id']}", bent)
    await place.sandbox.pay(made["provider_payment_id"])

    async def noticed() -> bool:
        return (await place.look(made["id"])).get("reason") == held

    await place.until(noticed)
    assert await place.said() == []


async def test_another_amount_goes_to_suspense(place: Any) -> None:
    _, made = await place.make()
    await place.sandbox.control(
        "PATCH", f"/payments/{made['provider_payment_id']}", {"amount": "649.00"}
    )
    await place.sandbox.pay(made["provider_payment_id"])
    await place.becomes(made["id"], "succeeded")
    (event,) = await place.said()
    assert (event.data["amount_kopecks"], event.data["suspense"]) == (64_900, "amount")


async def test_a_restored_backup_adopts_what_it_has_lost(place: Any) -> None:
    metadata = {"payment_id": str(uuid4()), "contract": "100245"}
    lost = await place.sandbox.create(metadata=metadata)
    foreign = await place.sandbox.create(metadata={"order": "of another system"})
    for one in (lost, foreign):
        await place.sandbox.pay(one["id"])

    async def both() -> bool:
        return len(await place.said()) == 2

    await place.until(both)
    said = {event.subject: event.data for event in await place.said()}
    assert said[lost["id"]]["contract"] == "100245"
    assert said[lost["id"]]["suspense"] is None
    assert said[foreign["id"]]["suspense"] == "unknown_order"
    assert (await place.look(metadata["payment_id"]))["status"] == "succeeded"


async def test_after_the_key_has_expired_the_list_decides(start: Any) -> None:
    place = await start(YOOKASSA_LIST_AFTER="1s")
    lost = {"kind": "drop_after", "calls": ["create_payment"], "times": 1}
    refused = {"kind": "error_before", "calls": ["create_payment"], "probability": 1.0}
    await place.sandbox.control("POST", "/faults", {"faults": [lost, refused]})
    _, made = await place.make()
    other = await place.make()
    assert other[0] == 202
    done = await place.becomes(made["id"], "pending")
    gone = await place.becomes(other[1]["id"], "canceled")
    assert done["provider_payment_id"]
    assert gone["reason"] == "unmade"


async def test_wrong_credentials_end_a_payment_with_its_reason(start: Any) -> None:
    place = await start(YOOKASSA_SECRET_KEY="test_wrong")
    status, made = await place.make()
    assert (status, made["status"], made["reason"]) == (201, "canceled", "invalid_credentials")


async def test_two_replicas_share_the_work(start: Any) -> None:
    one = await start()
    other = await start()
    noise = [
        {"kind": kind, "calls": ["create_payment", "get_payment"], "probability": 0.1}
        for kind in ("drop_after", "error_after", "too_many")
    ]
    await one.sandbox.control("POST", "/faults", {"faults": noise})
    made = [said for _, said in await asyncio.gather(*(one.make() for _ in range(20)))]
    made += [
        said
        for _, said in await asyncio.gather(
            *(other.make(return_url=f"{other.url}/cabinet/") for _ in range(20))
        )
    ]
    for said in made:
        await one.becomes(said["id"], "pending")
    keys = await one.sandbox.control("GET", "/keys")
    assert len(keys["items"]) == 40, "one key a payment, however often it was sent"
    listed = await one.sandbox.control("GET", "/state")
    assert [entry["number"] for entry in listed["payments"]] == [40]
    await one.sandbox.control("DELETE", "/faults")
    for said in made[::2]:
        found = await one.look(said["id"])
        await one.sandbox.pay(found["provider_payment_id"])
    for said in made[::2]:
        await one.becomes(said["id"], "succeeded")
    assert len(await one.said()) == 20
