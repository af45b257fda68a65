"""A payment by a code on the screen, from the first click to the event, at either bank."""

from __future__ import annotations

from typing import Any

import pytest

from shared.gateway import payments
from shared.gateway.live import LEFT_MIN

pytestmark = pytest.mark.timeout(90)


async def test_a_code_is_made_paid_and_said_once(place: Any) -> None:
    status, made = await place.make()
    assert status == 201, made
    assert made["status"] == "pending"
    assert made["qr_payload"].startswith("https://qr.nspk.ru/")
    assert made["qr_image_url"] == f"{place.url}/sbp/qr/{made['id']}.svg"
    assert made["expires_at"] is not None
    assert made["confirmation_url"] is None
    await place.pay(made)
    done = await place.becomes(made["id"], "succeeded")
    assert done["provider_payment_id"] == made["provider_payment_id"]
    (event,) = await place.said()
    assert event.data["amount_kopecks"] == 65_000
    assert [one["contract"] for one in event.data["allocations"]] == ["100245"]


async def test_a_lost_callback_costs_a_question(place: Any) -> None:
    for bank in ("raiffeisen", "tbank"):
        await place.sandbox.call("PUT", f"/{bank}/control/mischief", {"loss": 1.0})
    made = await place.pending()
    await place.pay(made)
    await place.becomes(made["id"], "succeeded")
    assert len(await place.said()) == 1


async def test_a_doubled_callback_is_one_payment(place: Any) -> None:
    for bank in ("raiffeisen", "tbank"):
        await place.sandbox.call("PUT", f"/{bank}/control/mischief", {"duplicate": 1.0})
    made = await place.paid()
    assert len(await place.said()) == 1
    assert (await place.look(made["id"]))["status"] == "succeeded"


async def test_a_live_code_of_the_same_sum_is_shown_again(place: Any) -> None:
    first = await place.pending(headers={"Idempotency-Key": "one"})
    second = await place.pending(headers={"Idempotency-Key": "two"})
    assert second["id"] == first["id"]
    again = await place.make(headers={"Idempotency-Key": "two"})
    assert again[1]["id"] == first["id"]
    status, said = await place.make("651.00", headers={"Idempotency-Key": "two"})
    assert status == 409, said


async def test_another_sum_ends_the_code_before_it(place: Any) -> None:
    first = await place.pending("650.00")
    second = await place.pending("700.00")
    assert second["id"] != first["id"]
    assert (await place.look(first["id"]))["status"] == "canceled"
    assert (await place.look(second["id"]))["status"] == "pending"


async def test_a_code_of_another_contract_is_left_alone(place: Any) -> None:
    first = await place.pending("650.00")
    await place.pending("700.00", contract="100246")
    assert (await place.look(first["id"]))["status"] == "pending"


async def test_a_code_that_ends_soon_is_not_handed_out_again(start: Any) -> None:
    seconds = int(LEFT_MIN.total_seconds()) - 1
    place = await start(GATEWAY_SBP_CODE_TERM=f"{seconds}s")
    first = await place.pending()
    second = await place.pending()
    assert second["id"] != first["id"]


async def test_two_codes_that_are_both_paid_are_both_credited(place: Any) -> None:
    bank = place.bank_of(await place.pending("650.00"))
    first = await place.pending("650.00")
    # The bank does not answer to the end of the first code, so that both live.
    calls = ["cancel_qr"] if bank == "raiffeisen" else ["Cancel"]
    fault = {"kind": "error_before", "calls": calls, "times": 5}
    answer = await place.sandbox.call("POST", f"/{bank}/control/faults", {"faults": [fault]})
    assert answer.status == 200, answer
    second = await place.pending("700.00")
    await place.pay(first)
    await place.pay(second)
    await place.becomes(first["id"], "succeeded")
    await place.becomes(second["id"], "succeeded")
    sums = sorted(event.data["amount_kopecks"] for event in await place.said())
    assert sums == [65_000, 70_000]


async def test_whoever_pays_the_old_code_first_is_credited(place: Any) -> None:
    first = await place.pending("650.00")
    for bank in ("raiffeisen", "tbank"):
        await place.sandbox.call("PUT", f"/{bank}/control/mischief", {"loss": 1.0})
    await place.pay(first)
    second = await place.pending("700.00")
    assert (await place.look(first["id"]))["status"] == "succeeded"
    assert second["status"] == "pending"


async def test_the_second_bank_goes_on_settling(start: Any) -> None:
    before = await start(SBP_ACQUIRERS="tbank,raiffeisen")
    old = await before.pending("650.00")
    after = await start(SBP_ACQUIRERS="raiffeisen,tbank")
    new = await after.pending("700.00", contract="100246")
    assert (after.bank_of(old), after.bank_of(new)) == ("tbank", "raiffeisen")
    await after.pay(old)
    await after.becomes(old["id"], "succeeded")


async def test_the_page_shows_the_code_and_leads_back_once_paid(place: Any) -> None:
    query = {"order": place.order("order-1")}
    async with place.http.get(f"{place.url}/sbp/pay", params=query) as answer:
        page = await answer.text()
        assert answer.status == 200
    assert 'class="code"' in page
    assert "bank100000000111://qr.nspk.ru/" in page
    watch = page.split('data-poll="')[1].split('"')[0].replace("&amp;", "&")
    async with place.http.get(f"{place.url}{watch}") as answer:
        assert (await answer.json())["state"] == "waiting"
    (made,) = await _payments(place)
    await place.pay(made)
    await place.becomes(made["id"], "succeeded")
    async with place.http.get(f"{place.url}{watch}") as answer:
        assert (await answer.json())["location"] == f"{place.url}/cabinet/"


async def test_an_order_opened_twice_is_one_code(place: Any) -> None:
    query = {"order": place.order("order-1")}
    for _ in range(2):
        async with place.http.get(f"{place.url}/sbp/pay", params=query) as answer:
            assert answer.status == 200
    assert len(await _payments(place)) == 1


async def test_the_picture_of_a_code_is_open_to_whoever_has_its_address(place: Any) -> None:
    made = await place.pending()
    for kind, start in (("svg", b"<?xml"), ("png", b"\x89PNG")):
        address = f"{place.url}/sbp/qr/{made['id']}.{kind}"
        async with place.http.get(address) as answer:
            assert answer.status == 200
            assert (await answer.read()).startswith(start)


async def _payments(place: Any) -> list[dict[str, Any]]:
    rows = await place.rows(payments.payment)
    return [await place.look(str(row.id)) for row in rows]
