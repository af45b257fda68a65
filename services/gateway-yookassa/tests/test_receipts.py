"""Receipts between the gateway and YooKassa's simulator: printed, returned, used up, failed."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import orjson
import pytest

from gateway_yookassa.app import TOOLS
from gateway_yookassa.settings import Settings
from shared.clock import system_clock
from shared.events_gateway import FeeCharged, SettledBy
from shared.gateway import payments, receipts, refunds, work
from shared.gateway.commands.all import common
from shared.gateway.provider import Refused
from shared.inbox import apply

EMAIL = "user@example.com"
CONTACT = {"email": EMAIL, "phone": "+79161234567"}
PRINTING = {
    "YOOKASSA_RECEIPTS": orjson.dumps({"vat": "base", "tax_system": "osn"}).decode(),
    "GATEWAY_YOOKASSA_RECEIPT_DELAYS": "100ms,200ms",
}


@pytest.fixture
async def place(start: Callable[..., Any]) -> Any:
    return await start(**PRINTING)


async def _paid(place: Any, amount: str = "650.00") -> dict[str, Any]:
    status, made = await place.make(amount, contact=CONTACT)
    assert status == 201
    await place.sandbox.pay(made["provider_payment_id"])
    done: dict[str, Any] = await place.becomes(made["id"], "succeeded")
    return done


async def _slip(place: Any, kind: str, status: str = "succeeded") -> Any:
    """Wait until the one receipt of this kind has come so far."""

    async def reached() -> Any:
        rows = [row for row in await place.rows(receipts.receipt) if row.kind == kind]
        return rows[0] if len(rows) == 1 and rows[0].status == status else None

    return await place.until(reached)


async def _charge_fee(place: Any, paid: str, kopecks: int) -> None:
    part = SettledBy(provider="yookassa:100500", provider_payment_id=paid, amount_kopecks=kopecks)
    fee = FeeCharged(
        contract="100245",
        occurred_at=system_clock(),
        fee_id="fee-1",
        service="Интернет",
        period="2026-11",
        amount_kopecks=kopecks,
        settled_by=(part,),
    )
    event = fee.event("core-billing", subject="100245", revision="fee-1", correlation_id="c")
    consumer = work.consumer(place.gateway, "gateway-yookassa")
    (result,) = await apply(consumer, [event], system_clock)
    assert result.error is None


async def test_a_payment_is_printed_and_registered(place: Any) -> None:
    made = await _paid(place)
    slip = await _slip(place, "payment")
    listed = await place.sandbox.api("GET", f"/receipts?payment_id={made['provider_payment_id']}")
    (printed,) = listed.body["items"]
    assert (slip.provider_receipt_id, slip.document) == (
        printed["id"],
        printed["fiscal_document_number"],
    )
    assert slip.storage == printed["fiscal_storage_number"]
    assert slip.attribute == printed["fiscal_attribute"]
    (line,) = printed["items"]
    assert (line["vat_code"], line["payment_mode"]) == (12, "advance")
    assert (line["amount"]["value"], line["payment_subject"]) == ("650.00", "payment")
    assert (printed["tax_system_code"], printed["internet"]) == (1, True)


async def test_without_a_contact_it_is_not_made(place: Any) -> None:
    status, said = await place.make()
    assert status == 422
    assert [error["field"] for error in said["errors"]] == ["contact.email"]


async def test_a_part_is_returned_with_its_own_receipt(place: Any) -> None:
    made = await _paid(place)
    status, _ = await place.send_back(made["id"], "150.01")
    assert status in (201, 202)
    slip = await _slip(place, "refund")
    assert (slip.amount_kopecks, bool(slip.document)) == (15_001, True)
    (back,) = await place.rows(refunds.refund)
    sent = orjson.loads(place.gateway.unsealed(back.request))
    (line,) = sent["receipt"]["items"]
    assert (line["amount"]["value"], line["vat_code"]) == ("150.01", 12)
    assert sent["receipt"]["customer"] == {"email": EMAIL, "phone": "79161234567"}


async def test_all_of_it_is_returned_by_the_receipt_there_is(place: Any) -> None:
    made = await _paid(place)
    await place.send_back(made["id"], "650.00")
    slip = await _slip(place, "refund")
    assert slip.amount_kopecks == 65_000
    (back,) = await place.rows(refunds.refund)
    assert "receipt" not in orjson.loads(place.gateway.unsealed(back.request))


@pytest.mark.parametrize("fault", [None, "drop_before", "drop_after", "error_after", "truncated"])
async def test_a_fee_uses_the_advance_up_once(place: Any, fault: str | None) -> None:
    paid = (await _paid(place))["provider_payment_id"]
    await _slip(place, "payment")
    if fault is not None:
        struck = {"kind": fault, "calls": ["create_receipt"], "times": 2}
        await place.sandbox.control("POST", "/faults", {"faults": [struck]})
    await _charge_fee(place, paid, 30_050)
    slip = await _slip(place, "offset")
    listed = await place.sandbox.api("GET", f"/receipts?payment_id={paid}")
    assert len(listed.body["items"]) == 2
    (offset,) = (one for one in listed.body["items"] if one["id"] == slip.provider_receipt_id)
    (line,) = offset["items"]
    assert (line["vat_code"], line["payment_mode"]) == (11, "full_payment")
    assert line["amount"]["value"] == "300.50"
    assert offset["settlements"] == [
        {"type": "prepayment", "amount": {"value": "300.50", "currency": "RUB"}}
    ]


async def test_a_failed_offset_leaves_the_payments_receipt_alone(place: Any) -> None:
    paid = (await _paid(place))["provider_payment_id"]
    await _slip(place, "payment")
    await place.sandbox.control("PUT", f"/scripts/receipt:{paid}", {"outcomes": ["canceled"]})
    await _charge_fee(place, paid, 100)
    slip = await _slip(place, "offset", "failed")
    assert slip.reason == "canceled"
    assert (await _slip(place, "payment")).document


async def test_no_table_holds_the_contact_in_clear(place: Any) -> None:
    made = await _paid(place)
    await place.send_back(made["id"], "1.00")
    await _charge_fee(place, made["provider_payment_id"], 100)
    await _slip(place, "offset")
    for schema in work.SCHEMAS:
        for table in schema.sorted_tables:
            for row in await place.rows(table):
                for kept in (EMAIL, "79161234567"):
                    assert kept not in repr(row), table.name
    (row,) = await place.rows(payments.payment)
    assert row.contact


async def _run(*said: str) -> int:
    (command,) = (one for one in common(TOOLS) if one.name == "receipts")
    parser = argparse.ArgumentParser()
    command.configure(parser)
    return await command.run(Settings(), parser.parse_args(said))


async def test_the_command_lists_what_failed_and_tries_it_again(
    place: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await _run() == 0
    assert capsys.readouterr().out == ""
    await place.sandbox.control("PUT", "/scripts/receipt", {"outcomes": ["canceled"]})
    made = await _paid(place)
    slip = await _slip(place, "payment", "failed")
    assert await _run() == 1
    out = capsys.readouterr().out
    assert f"{made['provider_payment_id']} payment 650.00 failed canceled" in out
    assert EMAIL not in out
    listed = await place.sandbox.api("GET", f"/receipts?payment_id={made['provider_payment_id']}")
    assert listed.body["items"][0]["status"] == "canceled"
    assert await _run("--again", str(slip.id), str(uuid4())) == 0
    assert "1 will be tried again" in capsys.readouterr().out


async def test_a_refused_offset_is_sent_again_under_a_new_key(
    place: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    paid = (await _paid(place))["provider_payment_id"]
    await _slip(place, "payment")
    till = place.gateway.tills["yookassa:100500"]
    refusing = Refused("invalid_request", "Receipt is malformed")

    async def refuse(_key: str, _request: bytes) -> Refused:
        return refusing

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(till, "create_receipt", refuse)
        await _charge_fee(place, paid, 100)
        failed = await _slip(place, "offset", "failed")
    assert failed.reason == "invalid_request"
    await _run("--again", str(failed.id))
    sent = await _slip(place, "offset")
    assert (sent.id, sent.key != failed.key, sent.reason) == (failed.id, True, "")
    assert sent.request == failed.request
