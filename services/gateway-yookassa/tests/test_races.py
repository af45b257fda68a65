"""The races and failures that merchants of YooKassa met, each as a test of its own.

The rows are those of the known cases: what came early, twice, late, changed or never. Each is
played against the simulator over HTTP; in all of them the provider's truth and what the gateway
says of it must be the same money.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from shared import inbox, outbox
from shared.events_gateway import ChargeRequested
from shared.gateway import callbacks, payments, receipts, work
from shared.metrics import ALARMS, CALLBACKS, CHARGING_PAUSED
from shared.topology import GATEWAY_YOOKASSA

CREATE = ["create_payment"]
CHARGING = {
    "SALDO_SERVICES": "core-billing,gateway-yookassa,autopay",
    "GATEWAY_YOOKASSA_SAVE_METHODS": "true",
}


async def faults(place: Any, *kinds: dict[str, Any]) -> None:
    await place.sandbox.control("POST", "/faults", {"faults": list(kinds)})


async def repeat(place: Any, provider_id: str, **more: Any) -> None:
    """Have the simulator tell a payment once more."""
    await place.sandbox.control("POST", "/deliveries/repeat", {"payment_id": provider_id, **more})


async def quiet(place: Any) -> None:
    """Wait until every notification was delivered and every stored callback was worked on."""

    async def done() -> bool:
        told = await place.sandbox.control("GET", "/deliveries?state=waiting")
        rows = await place.rows(callbacks.callback)
        return not told["items"] and all(row.due_at is None for row in rows)

    await place.until(done)


async def keys(place: Any) -> list[dict[str, Any]]:
    """Return the Idempotence-Keys the simulator has seen."""
    found: list[dict[str, Any]] = (await place.sandbox.control("GET", "/keys"))["items"]
    return found


async def credited(place: Any) -> list[int]:
    """Return the kopecks of every success that was said."""
    return [event.data["amount_kopecks"] for event in await place.said()]


async def saved(place: Any) -> tuple[str, dict[str, Any]]:
    """Pay and save the card with consent; return the payment's id at the provider, the method."""
    consent = {"consent": {"version": "2026-11"}}
    _, made = await place.make(save_method=consent)
    await place.sandbox.pay(made["provider_payment_id"])
    await place.until(lambda: place.said("payment_method.saved"))
    _, listed = await method_call(place, "GET", "?contract=100245")
    (method,) = listed["items"]
    return made["provider_payment_id"], method


async def method_call(place: Any, how: str, path: str) -> tuple[int, dict[str, Any]]:
    address = f"{place.url}/yookassa/v1/methods{path if path[0] == '?' else '/' + path}"
    headers = {"Authorization": "Bearer demo"}
    async with place.http.request(how, address, json={}, headers=headers) as answer:
        found: dict[str, Any] = await answer.json(content_type=None)
        return answer.status, found


async def charge(place: Any, method: str, charge_id: str) -> None:
    """Have autopay ask for a charge over the bus."""
    at = place.gateway.clock()
    body = ChargeRequested(
        contract="100245",
        occurred_at=at,
        charge_id=charge_id,
        provider="yookassa:100500",
        method_ref=method,
        amount_kopecks=65_000,
        not_after=at + timedelta(minutes=10),
    )
    event = body.event("autopay", subject=charge_id, revision=charge_id, correlation_id="c")
    consumer = work.consumer(place.gateway, GATEWAY_YOOKASSA)
    (result,) = await inbox.apply(consumer, [event], place.gateway.clock)
    assert result.outcome is inbox.Outcome.DONE


async def test_row_01_a_callback_before_the_creation_has_answered(place: Any) -> None:
    await faults(place, {"kind": "webhook_first", "calls": CREATE, "times": 1})
    _, made = await place.make()
    await place.becomes(made["id"], "succeeded")
    await quiet(place)
    (row,) = await place.rows(payments.payment)
    assert str(row.id) == made["id"], "no second row for one payment"
    assert await credited(place) == [65_000]


async def test_row_02_parallel_duplicates(place: Any) -> None:
    await place.sandbox.control("PUT", "/mischief", {"duplicate": 1.0})
    _, made = await place.make()
    await place.sandbox.pay(made["provider_payment_id"])
    await asyncio.gather(*(repeat(place, made["provider_payment_id"], times=25) for _ in range(4)))
    await quiet(place)
    assert await credited(place) == [65_000]
    assert len(await place.rows(callbacks.callback)) == 1


async def test_row_03_the_row_and_its_event_are_one_commit(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure between the two leaves neither; the next attempt writes both."""
    _, made = await place.make()
    added, seen = outbox.add, []

    async def break_once(*arguments: Any) -> None:
        if not seen:
            (row,) = await place.rows(payments.payment)
            seen.append((row.status, await credited(place)))
            raise RuntimeError("the process dies between row and event")
        await added(*arguments)

    monkeypatch.setattr(outbox, "add", break_once)
    await place.sandbox.pay(made["provider_payment_id"])
    await place.becomes(made["id"], "succeeded")
    assert seen == [("pending", [])]
    assert await credited(place) == [65_000]


@pytest.mark.parametrize("fault", ["error_after", "error_before", "drop_after", "latency_after"])
async def test_row_04_an_unknown_outcome_is_one_payment(place: Any, fault: str) -> None:
    await faults(place, {"kind": fault, "calls": CREATE, "times": 1, "delay": 2500})
    _, made = await place.make()
    done = await place.becomes(made["id"], "pending")
    listed = await place.sandbox.api("GET", "/payments")
    assert [item["id"] for item in listed.body["items"]] == [done["provider_payment_id"]]


async def test_row_05_the_bytes_behind_a_key_never_change(place: Any) -> None:
    await faults(place, {"kind": "drop_after", "calls": CREATE, "times": 3})
    _, made = await place.make()
    done = await place.becomes(made["id"], "pending")
    (key,) = await keys(place)
    other = {"amount": {"value": "1.00", "currency": "RUB"}}
    refused = await place.sandbox.api("POST", "/payments", other, key["key"])
    assert (refused.status, refused.body["parameter"]) == (400, "Idempotence-Key")
    assert (await place.look(made["id"]))["provider_payment_id"] == done["provider_payment_id"]


async def test_row_06_two_equal_top_ups_are_two_payments(place: Any) -> None:
    made = [(await place.make())[1] for _ in range(2)]
    for one in made:
        await place.sandbox.pay(one["provider_payment_id"])
        await place.becomes(one["id"], "succeeded")
    assert len({key["key"] for key in await keys(place)}) == 2
    assert await credited(place) == [65_000, 65_000]


async def test_row_07_one_call_that_hangs_holds_nobody_up(place: Any) -> None:
    _, hanging = await place.make()
    _, other = await place.make()
    await faults(
        place, {"kind": "latency_before", "calls": ["get_payment"], "times": 1, "delay": 60_000}
    )
    for one in (hanging, other):
        await place.sandbox.pay(one["provider_payment_id"])
    async with asyncio.timeout(15):
        for one in (hanging, other):
            await place.becomes(one["id"], "succeeded")


async def test_row_08_waiting_for_capture_after_the_success(place: Any) -> None:
    _, made = await place.make()
    await place.sandbox.pay(made["provider_payment_id"])
    await place.becomes(made["id"], "succeeded")
    late = "payment.waiting_for_capture"
    await repeat(place, made["provider_payment_id"], event=late, times=3)

    async def heard() -> bool:
        return late in {row.event for row in await place.rows(callbacks.callback)}

    await place.until(heard)
    await quiet(place)
    assert (await place.look(made["id"]))["status"] == "succeeded"
    assert await credited(place) == [65_000]


async def test_row_09_two_links_both_paid_are_two_credits(place: Any) -> None:
    made = [(await place.make(amount))[1] for amount in ("650.00", "650.00")]
    await asyncio.gather(*(place.sandbox.pay(one["provider_payment_id"]) for one in made))
    for one in made:
        await place.becomes(one["id"], "succeeded")
    assert await credited(place) == [65_000, 65_000]


async def test_row_10_a_success_after_the_local_end_wins(place: Any) -> None:
    _, made = await place.make()
    provider_id = made["provider_payment_id"]
    await place.sandbox.control("POST", f"/payments/{provider_id}/cancel")
    await place.becomes(made["id"], "canceled")
    taken = {"status": "succeeded", "paid": True}
    await place.sandbox.control("PATCH", f"/payments/{provider_id}", taken)
    await repeat(place, provider_id)
    await place.becomes(made["id"], "succeeded")
    assert await credited(place) == [65_000]


async def test_row_11_a_refund_in_the_profile(place: Any) -> None:
    paid = await place.paid()
    provider_id = paid["provider_payment_id"]
    told = await place.sandbox.control(
        "POST", f"/payments/{provider_id}/refund", {"amount": "150.00"}
    )
    await place.until(lambda: place.said("refund.succeeded"))
    await quiet(place)
    (event,) = await place.said("refund.succeeded")
    assert event.subject == told["id"]
    assert (event.data["amount_kopecks"], event.data["refund_id"]) == (15_000, None)
    assert (await place.refunds(paid["id"]))["left"] == "500.00"


async def test_row_12_a_refund_canceled_without_a_word(place: Any) -> None:
    paid = await place.paid()
    later = {"status": "pending", "delay": 10, "then": "canceled", "reason": "rejected_by_payee"}
    await place.sandbox.control("PUT", "/scripts/refund", {"outcomes": [later]})
    _, made = await place.send_back(paid["id"], "650.00")
    assert (made["status"], (await place.refunds(paid["id"]))["left"]) == ("pending", "0.00")
    (event,) = await place.until(lambda: place.said("refund.failed"))
    assert event.data["reason"] == "rejected_by_payee"
    assert (await place.refunds(paid["id"]))["left"] == "650.00"
    assert await place.said("refund.succeeded") == []


async def test_row_13_receipts_fail_after_the_payment(start: Any) -> None:
    """A state of its own and an alarm; the credit stands."""
    place = await start(
        YOOKASSA_RECEIPTS='{"vat": "base"}', GATEWAY_YOOKASSA_RECEIPT_DELAYS="100ms,200ms"
    )
    await place.sandbox.control("PUT", "/scripts/receipt", {"outcomes": ["canceled"]})
    raised = ALARMS.labels("receipt_failed")
    before = raised._value.get()
    _, made = await place.make(contact={"email": "user@example.com"})
    await place.sandbox.pay(made["provider_payment_id"])
    await place.until(lambda: _counted(raised, before))
    (slip,) = await place.rows(receipts.receipt)
    assert (slip.status, slip.reason) == ("failed", "canceled")
    assert (await place.look(made["id"]))["status"] == "succeeded"
    assert await credited(place) == [65_000]
    assert await place.said("payment.canceled") == []


async def test_row_14_no_callback_ever_arrives(place: Any) -> None:
    """The provider's notifications are refused, as behind a proxy that hides their address."""
    refused = CALLBACKS.labels("gateway-yookassa", "refused")
    before = refused._value.get()
    lie = {"type": "notification", "event": "payment.succeeded", "object": {"id": "x"}}
    await place.sandbox.control("POST", "/deliveries/forge", {"body": lie})
    await place.sandbox.control("PUT", "/mischief", {"loss": 1.0})
    _, made = await place.make()
    await place.sandbox.pay(made["provider_payment_id"])
    await place.becomes(made["id"], "succeeded")
    await place.until(lambda: _counted(refused, before))
    assert await place.rows(callbacks.callback) == []
    assert await credited(place) == [65_000]


async def test_row_15_a_test_payment_in_a_live_shop(start: Any) -> None:
    live = {"SHOP_ID": "100501", "SECRET_KEY": "live_demo", "TEST_MODE": "false"}
    place = await start(**{f"YOOKASSA_{name}": value for name, value in live.items()})
    _, made = await place.make()
    provider_id = made["provider_payment_id"]
    await place.sandbox.control("PATCH", f"/payments/{provider_id}", {"test": True})
    raised = ALARMS.labels("test_mode")
    before = raised._value.get()
    await place.sandbox.pay(provider_id)
    await place.until(lambda: _counted(raised, before))
    assert await credited(place) == []


async def test_row_16_an_id_the_provider_does_not_know(start: Any) -> None:
    place = await start(YOOKASSA_CALLBACK_NETWORKS="any")
    about = {"id": str(uuid4()), "status": "succeeded", "amount": {"value": "650.00"}}
    lie = {"type": "notification", "event": "payment.succeeded", "object": about}
    await place.sandbox.control("POST", "/deliveries/forge", {"body": lie, "times": 5})
    await place.until(lambda: _rows(place))
    await quiet(place)
    (row,) = await place.rows(callbacks.callback)
    assert (row.outcome, row.attempts) == ("forged", 1)
    assert await place.rows(payments.payment) == []


async def test_row_17_a_removed_method_never_comes_back(start: Any) -> None:
    place = await start(**CHARGING)
    provider_id, method = await saved(place)
    status, gone = await method_call(place, "POST", f"{method['id']}/remove")
    assert (status, gone["status"]) == (200, "removed")
    await repeat(place, provider_id, times=5)
    await quiet(place)
    assert (await method_call(place, "GET", method["id"]))[1]["status"] == "removed"
    assert len(await place.said("payment_method.saved")) == 1
    assert len(await place.said("payment_method.revoked")) == 1
    await charge(place, method["id"], "charge-1")
    (failed,) = await place.until(lambda: place.said("charge.failed"))
    assert (failed.data["reason"], failed.data["class"]) == ("method_removed", "hard")
    assert [key["object_id"] for key in await keys(place)] == [provider_id], "nothing was charged"


async def test_row_18_a_shop_without_the_right_to_charge(start: Any) -> None:
    """Its charging is paused as a whole; no subscriber's charge is failed for it."""
    place = await start(**CHARGING)
    _, method = await saved(place)
    await faults(place, {"kind": "forbidden", "calls": CREATE, "probability": 1.0})
    paused = CHARGING_PAUSED.labels("yookassa:100500")
    await charge(place, method["id"], "charge-0")
    await place.until(lambda: _counted(paused, 0))
    for number in (1, 2):
        await charge(place, method["id"], f"charge-{number}")

    async def looked_at() -> bool:
        rows = await place.rows(payments.payment)
        return all(row.attempts > 0 for row in rows if row.charge_id is not None)

    await place.until(looked_at)
    asked = await place.sandbox.control("GET", "/faults")
    assert [fault["hits"] for fault in asked["faults"]] == [1], "the others were not even tried"
    assert await place.said("charge.failed") == []
    assert (await method_call(place, "GET", method["id"]))[1]["status"] == "active"


@pytest.mark.parametrize("word", ["checking_by_bank", "waiting_for_customs"])
async def test_row_19_a_status_nobody_has_heard_of(place: Any, word: str) -> None:
    _, made = await place.make()
    provider_id = made["provider_payment_id"]
    await place.sandbox.control("PATCH", f"/payments/{provider_id}", {"status": word})
    await repeat(place, provider_id, event="payment.succeeded")

    async def kept() -> bool:
        return {row.said for row in await place.rows(payments.payment)} == {word}

    await place.until(kept)
    assert (await place.look(made["id"]))["status"] == "pending"
    await place.sandbox.control("PATCH", f"/payments/{provider_id}", {"status": "pending"})
    await place.sandbox.pay(provider_id)
    await place.becomes(made["id"], "succeeded")
    assert await credited(place) == [65_000]


@pytest.mark.parametrize("amount", ["8.29", "1.15", "290.29", "1234.56", "349999.99"])
async def test_row_20_no_kopeck_is_lost_to_a_float(place: Any, amount: str) -> None:
    _, made = await place.make(amount)
    assert made["amount"] == amount
    paid = await place.sandbox.pay(made["provider_payment_id"])
    assert paid["amount"]["value"] == amount
    await place.becomes(made["id"], "succeeded")
    assert await credited(place) == [int(amount.replace(".", ""))]


async def _counted(counter: Any, before: float) -> bool:
    return bool(counter._value.get() > before)


async def _rows(place: Any) -> bool:
    return bool(await place.rows(callbacks.callback))
