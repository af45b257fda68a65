"""Two legal entities' shops in one gateway, beside YooKassa's simulator."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson
import pytest

from shared.db import transaction
from shared.events import ContractChanged
from shared.gateway import callbacks, directory, payments

SHOPS = {
    "100500": {"secret_key": "test_demo", "test_mode": True},
    "100501": {
        "secret_key": "live_demo",
        "test_mode": False,
        "operators": ["ООО Связь"],
        "amount_max": "1000.00",
    },
}


@pytest.fixture
async def place(start: Any) -> Any:
    made = await start(YOOKASSA_SHOPS=orjson.dumps(SHOPS).decode())
    said = ContractChanged(
        contract="200245",
        occurred_at=datetime(2026, 11, 22, tzinfo=UTC),
        revision=1,
        operator="ООО Связь",
        status="open",
        subscriber_id="2",
    )
    event = said.event("core-billing", subject="200245", revision=1, correlation_id="c")
    async with transaction(made.gateway.db) as tx:
        await directory.keep(tx, [event])
    return made


async def test_each_legal_entity_is_paid_in_its_own_shop(place: Any) -> None:
    made = [(await place.make(contract=number))[1] for number in ("100245", "200245")]
    for one in made:
        await place.sandbox.pay(one["provider_payment_id"])
        await place.becomes(one["id"], "succeeded")
    said = {event.data["contract"]: event.data["provider"] for event in await place.said()}
    assert said == {"100245": "yookassa:100500", "200245": "yookassa:100501"}

    async def both() -> bool:
        return {row.shop for row in await place.rows(callbacks.callback)} == set(said.values())

    await place.until(both)


async def test_each_shop_keeps_its_own_limits(place: Any) -> None:
    assert (await place.make("1000.01"))[0] == 201
    status, said = await place.make("1000.01", contract="200245")
    assert (status, [error["field"] for error in said["errors"]]) == (422, ["amount"])


async def test_one_payment_never_spans_two_shops(place: Any) -> None:
    parts = [{"contract": number, "amount": "325.00"} for number in ("100245", "200245")]
    status, said = await place.make(contract=None, allocations=parts)
    assert (status, [error["field"] for error in said["errors"]]) == (422, ["allocations"])
    assert await place.rows(payments.payment) == []


async def test_a_callback_that_names_no_shop_finds_its_payment(place: Any) -> None:
    _, made = await place.make(contract="200245")
    await place.sandbox.control("PUT", "/mischief", {"loss": 1.0})
    provider_id = made["provider_payment_id"]
    await place.sandbox.pay(provider_id)
    bare = {"id": provider_id, "status": "succeeded", "metadata": {"payment_id": str(uuid4())}}
    body = {"type": "notification", "event": "payment.succeeded", "object": bare}
    forged = {"body": body, "outside": False}
    await place.sandbox.control("POST", "/deliveries/forge", forged)

    async def settled() -> bool:
        rows = await place.rows(callbacks.callback)
        return [row.outcome for row in rows] == ["succeeded"]

    await place.until(settled)
    assert (await place.look(made["id"]))["status"] == "succeeded"


async def test_a_refund_in_the_profile_is_found_in_its_shop(place: Any) -> None:
    _, made = await place.make(contract="200245")
    await place.sandbox.pay(made["provider_payment_id"])
    await place.becomes(made["id"], "succeeded")
    path = f"/payments/{made['provider_payment_id']}/refund"
    await place.sandbox.control("POST", path, {"amount": "150.00"})

    async def booked() -> Any:
        return await place.said("refund.succeeded")

    (event,) = await place.until(booked)
    assert event.data["provider"] == "yookassa:100501"
    assert event.data["amount_kopecks"] == 15_000
