"""Receipts of Raiffeisen's cash register: after the payment, by themselves, once."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from shared.db import transaction
from shared.gateway import receipts, unprinted

pytestmark = pytest.mark.timeout(90)

EMAIL = "user@example.com"
PRINTED = {
    "SBP_RECEIPTS": '{"vat": "base"}',
    "GATEWAY_SBP_RECEIPT_DELAYS": "100ms",
    "SBP_ACQUIRERS": "raiffeisen",
}


@pytest.fixture
async def place(start: Any) -> Any:
    return await start(**PRINTED)


async def _paid(place: Any) -> dict[str, Any]:
    paid: dict[str, Any] = await place.paid(contact={"email": EMAIL})
    return paid


async def _registered(place: Any, count: int) -> list[Any]:
    async def done() -> Any:
        rows = await place.rows(receipts.receipt)
        ended = [row for row in rows if row.status in ("succeeded", "failed")]
        return ended if len(ended) >= count else None

    found: list[Any] = await place.until(done)
    return sorted(found, key=lambda row: row.created_at)


async def _faults(place: Any, kind: str, *calls: str) -> None:
    faults = [{"kind": kind, "calls": [call], "times": 1} for call in calls]
    answer = await place.sandbox.call("POST", "/raiffeisen/control/faults", {"faults": faults})
    assert answer.status in (200, 201, 204), answer


async def test_a_payment_prints_a_receipt_and_its_refund_another(place: Any) -> None:
    paid = await _paid(place)
    (slip,) = await _registered(place, 1)
    assert (slip.kind, slip.status, slip.amount_kopecks) == ("payment", "succeeded", 65_000)
    assert str(slip.payment_id) == paid["id"]
    _, asked = await place.call("POST", f"/v1/payments/{paid['id']}/refunds", {"amount": "100.00"})
    _, back = await _registered(place, 2)
    assert (back.kind, back.status, back.amount_kopecks) == ("refund", "succeeded", 10_000)
    assert asked["amount"] == "100.00"


@pytest.mark.parametrize(
    "calls", [("draft_receipt",), ("register_receipt",), ("draft_receipt", "register_receipt")]
)
@pytest.mark.parametrize("kind", ["error_after", "error_before"])
async def test_what_is_lost_on_the_way_is_printed_once(
    place: Any, kind: str, calls: tuple[str, ...]
) -> None:
    await _faults(place, kind, *calls)
    await _paid(place)
    (slip,) = await _registered(place, 1)
    assert (slip.status, slip.provider_receipt_id) == ("succeeded", slip.key)
    answer = await place.sandbox.call("GET", "/raiffeisen/control/faults")
    assert [fault["hits"] for fault in answer.body["faults"]] == [1] * len(calls)


async def test_without_a_contact_nothing_is_paid(place: Any) -> None:
    status, said = await place.make()
    assert (status, said["errors"][0]["field"]) == (422, "contact.email")
    long = {"email": "x" * 60 + "@example.com"}
    status, said = await place.make(contact=long)
    assert (status, said["errors"][0]["field"]) == (422, "contact.email")


async def test_a_cash_register_that_is_away_holds_no_payment_up(place: Any) -> None:
    fault = {"kind": "error_before", "calls": ["draft_receipt"], "times": 3}
    await place.sandbox.call("POST", "/raiffeisen/control/faults", {"faults": [fault]})
    paid = await _paid(place)
    assert paid["status"] == "succeeded"
    assert len(await place.said()) == 1
    (slip,) = await _registered(place, 1)
    assert slip.status == "succeeded"


async def test_what_the_cash_register_gives_up_is_printed_anew_once_it_is_mended(
    place: Any,
) -> None:
    script = {"outcomes": ["FAILED", "DONE"]}
    await place.sandbox.call("PUT", "/raiffeisen/control/scripts/receipt", script)
    await _paid(place)
    (failed,) = await _registered(place, 1)
    assert (failed.status, failed.reason) == ("failed", "canceled")
    async with transaction(place.gateway.db) as tx:
        assert await unprinted.again(tx, [failed.id], place.gateway.clock()) == 1

    async def printed() -> Any:
        (row,) = await place.rows(receipts.receipt)
        return row if row.status == "succeeded" else None

    slip = await place.until(printed)
    assert (slip.id, slip.reason) == (failed.id, "")
    assert slip.key != failed.key


async def test_no_address_is_kept_in_clear(place: Any) -> None:
    await _paid(place)
    await _registered(place, 1)
    for row in await place.rows(receipts.receipt):
        assert EMAIL not in repr(row)
    _, journal = await place.call("GET", "/v1/journal?limit=100")
    assert EMAIL.encode() not in orjson.dumps(journal)
