"""Refunds between the gateway and YooKassa's simulator, over HTTP, by the real clock."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from shared.gateway import callbacks, refunds


async def _ended(place: Any, payment_id: str, *statuses: str) -> list[dict[str, Any]]:
    """Wait until the refunds of a payment stand like this, in any order."""

    async def reached() -> Any:
        items = (await place.refunds(payment_id))["items"]
        return items if sorted(item["status"] for item in items) == sorted(statuses) else None

    found: list[dict[str, Any]] = await place.until(reached)
    return found


async def _truth(place: Any) -> list[dict[str, Any]]:
    """Return YooKassa's own refunds."""
    listed = await place.sandbox.api("GET", "/refunds")
    found: list[dict[str, Any]] = listed.body["items"]
    return found


async def _deafen(place: Any) -> None:
    """Lose every notification: what is known then, is known by asking."""
    await place.sandbox.control("PUT", "/mischief", {"loss": 1.0})


async def _script(place: Any, *outcomes: Any) -> None:
    await place.sandbox.control("PUT", "/scripts/refund", {"outcomes": list(outcomes)})


async def test_a_refund_is_made_and_said(place: Any) -> None:
    paid = await place.paid()
    status, made = await place.send_back(paid["id"], "150.00")
    assert (status, made["status"], made["amount"]) == (201, "succeeded", "150.00")
    (truth,) = await _truth(place)
    assert truth["id"] == made["provider_refund_id"]
    assert truth["metadata"]["refund_id"] == made["id"]
    assert truth["description"] == "Ошибочное пополнение"
    (event,) = await place.said("refund.succeeded")
    assert event.subject == truth["id"]
    assert event.data["amount_kopecks"] == 15_000
    assert event.data["occurred_at"] == truth["created_at"].replace("Z", "000Z")


async def test_its_callback_changes_nothing_more(place: Any) -> None:
    paid = await place.paid()
    await place.send_back(paid["id"], "150.00")

    async def worked() -> bool:
        rows = [row for row in await place.rows(callbacks.callback) if row.kind == "refund"]
        return [row.outcome for row in rows] == ["succeeded"]

    await place.until(worked)
    assert len(await place.said("refund.succeeded")) == 1
    assert (await place.refunds(paid["id"]))["left"] == "500.00"


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
async def test_an_unclear_refund_is_made_once(place: Any, fault: str) -> None:
    paid = await place.paid()
    await _deafen(place)
    faults = {"faults": [{"kind": fault, "calls": ["create_refund"], "times": 2}]}
    await place.sandbox.control("POST", "/faults", faults)
    status, made = await place.send_back(paid["id"], "150.00")
    assert (status, made["status"]) == (202, "creating")
    (done,) = await _ended(place, paid["id"], "succeeded")
    assert [truth["id"] for truth in await _truth(place)] == [done["provider_refund_id"]]
    assert len(await place.said("refund.succeeded")) == 1


async def test_a_slow_refund_is_unclear_and_made_once(place: Any) -> None:
    paid = await place.paid()
    await _deafen(place)
    slow = {"kind": "latency_after", "calls": ["create_refund"], "times": 1, "delay": 2500}
    await place.sandbox.control("POST", "/faults", {"faults": [slow]})
    assert (await place.send_back(paid["id"], "150.00"))[0] == 202
    await _ended(place, paid["id"], "succeeded")
    assert len(await _truth(place)) == 1


async def test_after_the_key_has_expired_the_list_decides(start: Any) -> None:
    place = await start(YOOKASSA_LIST_AFTER="1s")
    one, other = await place.paid(), await place.paid()
    await _deafen(place)
    lost = {"kind": "drop_after", "calls": ["create_refund"], "times": 1}
    refused = {"kind": "error_before", "calls": ["create_refund"], "probability": 1.0}
    await place.sandbox.control("POST", "/faults", {"faults": [lost, refused]})
    for paid in (one, other):
        assert (await place.send_back(paid["id"], "150.00"))[0] == 202
    await _ended(place, one["id"], "succeeded")
    (gone,) = await _ended(place, other["id"], "canceled")
    assert gone["failure"] == "unmade"
    assert (await place.refunds(other["id"]))["left"] == "650.00"
    assert len(await _truth(place)) == 1


async def test_a_canceled_refund_is_found_without_a_callback(place: Any) -> None:
    paid = await place.paid()
    later = {"status": "pending", "delay": 10, "then": "canceled", "reason": "insufficient_funds"}
    await _script(place, later)
    _, made = await place.send_back(paid["id"], "650.00")
    assert made["status"] == "pending"
    assert (await place.refunds(paid["id"]))["left"] == "0.00"
    (gone,) = await _ended(place, paid["id"], "canceled")
    assert gone["failure"] == "insufficient_funds"
    assert (await place.refunds(paid["id"]))["left"] == "650.00"
    (event,) = await place.said("refund.failed")
    assert event.data["reason"] == "insufficient_funds"
    assert (await place.send_back(paid["id"], "650.00"))[0] == 201


async def test_a_pending_refund_succeeds_even_if_its_callback_is_lost(place: Any) -> None:
    paid = await place.paid()
    await _deafen(place)
    await _script(place, {"status": "pending", "delay": 10})
    await place.send_back(paid["id"], "150.00")
    await _ended(place, paid["id"], "succeeded")
    assert len(await place.said("refund.succeeded")) == 1


async def test_what_yookassa_refuses_is_free_again(place: Any) -> None:
    paid = await place.paid()
    status, made = await place.send_back(paid["id"], "649.50")
    assert (status, made["status"], made["failure"]) == (201, "canceled", "invalid_request")
    assert "change the amount" in made["explanation"]
    assert (await place.refunds(paid["id"]))["left"] == "650.00"
    assert len(await place.said("refund.failed")) == 1


async def test_a_refund_in_the_profile_is_booked(place: Any) -> None:
    paid = await place.paid()
    await place.sandbox.control(
        "POST", f"/payments/{paid['provider_payment_id']}/refund", {"amount": "150.00"}
    )
    (found,) = await _ended(place, paid["id"], "succeeded")
    assert (await place.refunds(paid["id"]))["left"] == "500.00"
    (event,) = await place.said("refund.succeeded")
    assert event.subject == found["provider_refund_id"]
    (row,) = await place.rows(refunds.refund)
    assert row.asked_by is None


async def test_a_payment_and_its_refund_unknown_here_come_together(place: Any) -> None:
    metadata = {"payment_id": str(uuid4()), "contract": "100245"}
    lost = await place.sandbox.create(metadata=metadata)
    await _deafen(place)
    await place.sandbox.pay(lost["id"])
    await place.sandbox.control("PUT", "/mischief", {})
    await place.sandbox.control("POST", f"/payments/{lost['id']}/refund", {"amount": "1.00"})

    async def told() -> Any:
        return await place.said("refund.succeeded")

    assert len(await place.until(told)) == 1
    assert [event.subject for event in await place.said()] == [lost["id"]]
    assert (await place.refunds(metadata["payment_id"]))["left"] == "649.00"


async def test_a_payment_that_was_paid_and_sent_back_before_we_heard_of_it(place: Any) -> None:
    _, made = await place.make()
    provider_id = made["provider_payment_id"]
    await _deafen(place)
    await place.sandbox.pay(provider_id)
    await place.sandbox.control("POST", f"/payments/{provider_id}/refund", {"amount": "150.00"})
    await _ended(place, made["id"], "succeeded")
    assert await place.rows(callbacks.callback) == []
    assert len(await place.said()) == 1
    assert len(await place.said("refund.succeeded")) == 1


async def test_two_replicas_share_the_refunds(start: Any) -> None:
    one, other = await start(), await start()
    paid = await one.paid()
    noise = [
        {"kind": kind, "calls": ["create_refund", "get_refund"], "probability": 0.2}
        for kind in ("drop_after", "error_after", "too_many", "drop_before")
    ]
    await one.sandbox.control("POST", "/faults", {"faults": noise})
    asked = [place.send_back(paid["id"], "100.00") for place in (one, other) * 5]
    answers = [status for status, _ in await asyncio.gather(*asked)]
    assert sorted(status == 422 for status in answers) == [False] * 6 + [True] * 4
    await one.sandbox.control("DELETE", "/faults")
    done = await _ended(one, paid["id"], *["succeeded"] * 6)
    assert {item["provider_refund_id"] for item in done} == {t["id"] for t in await _truth(one)}
    assert (await one.refunds(paid["id"]))["left"] == "50.00"
    assert len(await one.said("refund.succeeded")) == 6
