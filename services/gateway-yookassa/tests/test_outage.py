"""YooKassa is away: callbacks are accepted, payments wait, and afterwards everything settles."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shared.gateway import callbacks, payments
from shared.metrics import ALARMS, BREAKER_STATE

SHOP = "yookassa:100500"
BREAKER = {
    "GATEWAY_YOOKASSA_BREAKER_FAILURES": "3",
    "GATEWAY_YOOKASSA_BREAKER_PAUSES": "100ms,300ms",
}


def _state() -> float:
    return BREAKER_STATE.labels(SHOP)._value.get()


@pytest.mark.parametrize("kind", ["drop_before", "error_before", "bad_gateway_before", "truncated"])
async def test_an_outage_delays_and_loses_nothing(start: Any, kind: str) -> None:
    """Section 12, rows 7 and 14, as seen from a provider that hangs up, fails or sends HTML."""
    place = await start(**BREAKER)
    alarms = ALARMS.labels("provider_breaker_open")._value.get()
    asked = [(await place.make())[1]["id"] for _ in range(4)]
    made = [await place.becomes(each, "pending") for each in asked]
    down = {"faults": [{"kind": kind, "probability": 1.0}]}
    await place.sandbox.control("POST", "/faults", down)
    for one in made[:3]:
        await place.sandbox.pay(one["provider_payment_id"])

    async def open_() -> bool:
        return _state() == 2

    await place.until(open_)
    assert ALARMS.labels("provider_breaker_open")._value.get() > alarms

    async def told() -> bool:
        return len(await place.rows(callbacks.callback)) == 3

    await place.until(told)
    status, late = await place.make()
    assert (status, late["status"], late["confirmation_url"]) == (202, "creating", None)
    (row,) = [r for r in await place.rows(payments.payment) if str(r.id) == late["id"]]
    assert row.status == "creating"
    assert await place.said() == []

    await place.sandbox.control("DELETE", "/faults")
    for one in made[:3]:
        await place.becomes(one["id"], "succeeded")
    done = await place.becomes(late["id"], "pending")
    assert done["confirmation_url"]
    assert len(await place.said()) == 3
    assert _state() == 0
    listed = await place.sandbox.api("GET", "/payments")
    assert len(listed.body["items"]) == 5, "what was repeated was made once"


async def test_callbacks_during_an_outage_are_answered_at_once(start: Any) -> None:
    place = await start(**BREAKER)
    _, made = await place.make()
    await place.sandbox.pay(made["provider_payment_id"])
    await place.becomes(made["id"], "succeeded")
    down = {"faults": [{"kind": "latency_before", "probability": 1.0, "delay": 5000}]}
    await place.sandbox.control("POST", "/faults", down)
    _, waiting = await place.make()
    body = {
        "type": "notification",
        "event": "payment.canceled",
        "object": {"id": made["provider_payment_id"], "status": "canceled"},
    }
    began = asyncio.get_running_loop().time()
    async with place.http.post(f"{place.url}/yookassa/callbacks", json=body) as answer:
        assert answer.status == 200
    assert asyncio.get_running_loop().time() - began < 2
    assert waiting["status"] == "creating"
