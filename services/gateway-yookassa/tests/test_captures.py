"""Two-stage payments beside YooKassa's simulator: held first, taken by ourselves."""

from __future__ import annotations

from typing import Any

import pytest

from shared.gateway import callbacks
from shared.gateway.captures import capture
from shared.metrics import ALARMS

WEEK = 7 * 24 * 3600


@pytest.fixture
async def place(start: Any) -> Any:
    return await start(YOOKASSA_CAPTURE="false")


def _alarms(kind: str) -> float:
    return float(ALARMS.labels(kind)._value.get())


async def _hold(place: Any, **made: Any) -> dict[str, Any]:
    """Make a payment and have it paid; its money is held then."""
    _, payment = await place.make(**made)
    paid = await place.sandbox.pay(payment["provider_payment_id"])
    assert paid["status"] == "waiting_for_capture"
    answer: dict[str, Any] = payment
    return answer


async def _captured(place: Any, provider_id: str) -> list[str]:
    """Return the keys under which a payment's money was taken at the provider."""
    keys = (await place.sandbox.control("GET", "/keys"))["items"]
    return [each["key"] for each in keys if each["address"].endswith(f"{provider_id}/capture")]


async def test_held_money_is_taken_whole(place: Any) -> None:
    made = await _hold(place)
    await place.becomes(made["id"], "succeeded")
    (event,) = await place.said()
    assert event.data["amount_kopecks"] == 65_000
    assert len(await _captured(place, made["provider_payment_id"])) == 1


@pytest.mark.parametrize(
    "fault",
    [
        *("drop_before", "drop_after", "error_before", "error_after", "too_many", "processing"),
        *("bad_gateway_before", "bad_gateway_after", "truncated"),
    ],
)
async def test_an_unclear_capture_takes_it_once(place: Any, fault: str) -> None:
    faults = {"faults": [{"kind": fault, "calls": ["capture_payment"], "times": 2}]}
    await place.sandbox.control("POST", "/faults", faults)
    made = await _hold(place)
    await place.becomes(made["id"], "succeeded")
    assert len(await _captured(place, made["provider_payment_id"])) == 1
    assert len(await place.said()) == 1


async def test_a_lost_callback_costs_a_poll(place: Any) -> None:
    await place.sandbox.control("PUT", "/mischief", {"loss": 1.0})
    made = await _hold(place)
    await place.becomes(made["id"], "succeeded")


async def test_row_08_late_waiting_for_capture_after_succeeded(place: Any) -> None:
    await place.sandbox.control("PUT", "/mischief", {"loss": 1.0})
    made = await _hold(place)
    await place.becomes(made["id"], "succeeded")
    await place.sandbox.control("PUT", "/mischief", {})
    await place.sandbox.control("POST", "/deliveries/hasten", {"all": True})

    async def heard() -> bool:
        outcomes = {row.event: row.outcome for row in await place.rows(callbacks.callback)}
        late = ("payment.waiting_for_capture", "payment.succeeded")
        return outcomes == dict.fromkeys(late, "succeeded")

    await place.until(heard)
    assert (await place.look(made["id"]))["status"] == "succeeded"
    assert len(await place.said()) == 1
    assert len(await _captured(place, made["provider_payment_id"])) == 1


async def test_a_refused_capture_is_an_alarm_and_is_tried_anew(start: Any) -> None:
    place = await start(YOOKASSA_CAPTURE="false", GATEWAY_YOOKASSA_DOUBT="200ms")
    before = _alarms("capture_refused")
    refused = {"kind": "unauthorized", "calls": ["capture_payment"], "times": 1}
    await place.sandbox.control("POST", "/faults", {"faults": [refused]})
    made = await _hold(place)
    await place.becomes(made["id"], "succeeded")
    assert _alarms("capture_refused") == before + 1


async def test_a_hold_that_ran_out_is_an_alarm(place: Any) -> None:
    before = _alarms("hold_expired")
    never = {"kind": "error_before", "calls": ["capture_payment"], "probability": 1.0}
    await place.sandbox.control("POST", "/faults", {"faults": [never]})
    made = await _hold(place)

    async def tried() -> bool:
        return any(row.attempts > 0 for row in await place.rows(capture))

    await place.until(tried)
    await place.sandbox.control("POST", "/clock", {"advance_seconds": WEEK})
    canceled = await place.becomes(made["id"], "canceled")
    assert canceled["reason"] == "expired_on_capture"
    assert _alarms("hold_expired") == before + 1
    assert await place.said() == []


async def test_a_hold_about_to_expire_is_an_alarm(start: Any) -> None:
    place = await start(YOOKASSA_CAPTURE="false", GATEWAY_YOOKASSA_HOLD_WARNING="8d")
    before = _alarms("hold_expires")
    never = {"kind": "error_before", "calls": ["capture_payment"], "probability": 1.0}
    await place.sandbox.control("POST", "/faults", {"faults": [never]})
    made = await _hold(place)

    async def known() -> Any:
        return await place.rows(capture)

    (row,) = await place.until(known)
    assert row.warn_at < row.hold_until
    assert _alarms("hold_expires") == before, "not in the first half of the hold"
    await place.sandbox.control("DELETE", "/faults")
    await place.becomes(made["id"], "succeeded")


async def test_a_part_captured_by_hand_goes_to_suspense(start: Any) -> None:
    place = await start(YOOKASSA_CAPTURE="false", GATEWAY_YOOKASSA_UNCLEAR_DELAYS="4s")
    once = {"kind": "error_before", "calls": ["capture_payment"], "times": 1}
    await place.sandbox.control("POST", "/faults", {"faults": [once]})
    made = await _hold(place)

    async def tried() -> bool:
        faults = (await place.sandbox.control("GET", "/faults"))["faults"]
        return bool(faults[0]["hits"])

    await place.until(tried)
    part = {"amount": {"value": "600.00", "currency": "RUB"}}
    path = f"/payments/{made['provider_payment_id']}/capture"
    assert (await place.sandbox.api("POST", path, part)).status == 200
    await place.becomes(made["id"], "succeeded")
    (event,) = await place.said()
    assert (event.data["amount_kopecks"], event.data["suspense"]) == (60_000, "amount")
