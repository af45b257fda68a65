"""Codes for one payment: made once, asked about, ended."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from shared.gateway.provider import Missing, Refused, Status, Throttled, Unclear


async def test_a_code_is_made_and_paid(at: Any) -> None:
    request = at.request()
    made = await at.tbank.create("key", request)

    assert (made.status, made.shop, made.amount_kopecks) == (Status.PENDING, at.tbank.shop, 35_050)
    assert made.qr_payload.startswith("https://qr.nspk.ru/")
    assert made.expires_at == at.clock() + at.tbank._terminal.account.lifetime
    assert made.payment_id.hex == orjson.loads(request)["OrderId"]
    at.bank.become(made.id, "CONFIRMED")
    paid = await at.tbank.fetch(made.id)
    assert (paid.status, paid.amount_kopecks) == (Status.SUCCEEDED, 35_050)
    assert paid.payment_id == made.payment_id


@pytest.mark.parametrize("method", ["Init", "GetQr"])
@pytest.mark.parametrize("how", ["lost", "deaf"])
async def test_a_code_without_an_answer_is_gone_on_with(at: Any, method: str, how: str) -> None:
    request = at.request()
    getattr(at.bank, how).append(method)

    assert isinstance(await at.tbank.create("key", request), Unclear)
    made = await at.tbank.create("key", request)
    assert made.qr_payload
    assert len(at.bank.payments) == 1


async def test_an_order_that_was_paid_meanwhile_is_told_as_paid(at: Any) -> None:
    request = at.request()
    made = await at.tbank.create("key", request)
    at.bank.become(made.id, "CONFIRMED")

    again = await at.tbank.create("key", request)
    assert (again.id, again.status) == (made.id, Status.SUCCEEDED)


async def test_a_code_that_is_paid_between_two_questions(at: Any) -> None:
    at.bank.before["GetQr"] = lambda asked: at.bank.become(asked["PaymentId"], "CONFIRMED")

    made = await at.tbank.create("key", at.request())
    assert made.status is Status.SUCCEEDED


@pytest.mark.parametrize("change", [{"Amount": 1}, {"OrderId": "x"}, {"TerminalKey": "x"}])
async def test_an_answer_about_another_payment_is_no_answer(at: Any, change: Any) -> None:
    request = at.request()
    asked = orjson.loads(request)
    told = {name: asked[name] for name in ("Amount", "OrderId", "TerminalKey")}
    yes = {"Success": True, "ErrorCode": "0", "PaymentId": "1", "Status": "NEW"}
    at.bank.say("Init", {**yes, **told, **change})

    assert isinstance(await at.tbank.create("key", request), Unclear)
    assert at.bank.times("GetQr") == 0


async def test_the_states_of_another_payment_are_no_answer(at: Any) -> None:
    made = await at.code()
    at.bank.say("GetState", {"Success": True, "ErrorCode": "0", "Status": "NEW", "PaymentId": "9"})

    assert isinstance(await at.tbank.fetch(made.id), Unclear)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, b"", Throttled),
        (500, b"<html>", Unclear),
        (502, b'{"Success":false,"ErrorCode":"308"}', Unclear),
        (200, b"<html>", Unclear),
        (200, b"", Unclear),
        (200, b"[]", Unclear),
        (200, b'{"Success":true}', Unclear),
        (200, b'{"Success":false,"ErrorCode":"0"}', Unclear),
        (200, b'{"Success":false,"ErrorCode":"9999"}', Unclear),
        (302, b"", Unclear),
        (404, b"<html>", Unclear),
        (200, b'{"Success":false,"ErrorCode":"308","Message":"No"}', Refused),
        (400, b'{"Success":false,"ErrorCode":"308","Message":"No"}', Refused),
        (401, b"", Refused),
        (403, b"<html>", Refused),
    ],
)
async def test_what_is_no_code(at: Any, status: int, body: bytes, kind: type) -> None:
    at.bank.say("Init", body, status)

    assert type(await at.tbank.create("key", at.request())) is kind


@pytest.mark.parametrize(
    ("code", "ours", "locked_out"),
    [("204", True, True), ("3001", True, False), ("308", False, False)],
)
async def test_whose_fault_an_error_is(at: Any, code: str, ours: bool, locked_out: bool) -> None:
    at.bank.refuse("Init", code)

    refused = await at.tbank.create("key", at.request())
    assert (refused.code, refused.ours, refused.locked_out) == (code, ours, locked_out)


async def test_a_request_is_found_by_its_order(at: Any) -> None:
    request = at.request()
    assert await at.tbank.find(request) == Missing()
    made = await at.tbank.create("key", request)
    at.bank.become(made.id, "CONFIRMED")

    found = await at.tbank.find(request)
    assert (found.id, found.status) == (made.id, Status.SUCCEEDED)


async def test_a_found_code_that_nobody_paid_is_over_in_its_time(at: Any) -> None:
    request = at.request()
    await at.tbank.create("key", request)
    assert (await at.tbank.find(request)).status is Status.PENDING
    at.pass_by(minutes=41)

    assert (await at.tbank.find(request)).status is Status.CANCELED


async def test_a_refusal_is_no_end_of_a_code_before_its_time(at: Any) -> None:
    made = await at.code()
    at.bank.become(made.id, "REJECTED")
    assert (await at.tbank.fetch(made.id)).status is Status.PENDING
    at.pass_by(minutes=41)
    assert (await at.tbank.fetch(made.id)).status is Status.CANCELED

    at.bank.become(made.id, "CONFIRMED")
    assert (await at.tbank.fetch(made.id)).status is Status.SUCCEEDED


async def test_a_payment_that_the_bank_does_not_know(at: Any) -> None:
    assert await at.tbank.fetch("9") == Missing()


@pytest.mark.parametrize("word", ["NEW", "FORM_SHOWED"])
async def test_a_code_is_ended(at: Any, word: str) -> None:
    made = await at.code()
    at.bank.become(made.id, word)

    ended = await at.tbank.cancel(made.id)
    assert (ended.status, ended.reason) == (Status.CANCELED, "canceled")


@pytest.mark.parametrize(
    "word",
    [
        *("AUTHORIZING", "AUTHORIZED", "CONFIRMING", "CONFIRMED", "CONFIRM_CHECKING"),
        *("PARTIAL_REFUNDED", "REJECTED", "A_NEW_WORD"),
    ],
)
async def test_what_may_be_paid_is_never_ended(at: Any, word: str) -> None:
    """`Cancel` of a paid code sends the money back."""
    made = await at.code()
    at.bank.become(made.id, word)

    stands = await at.tbank.cancel(made.id)
    assert stands.status is not Status.CANCELED
    assert at.bank.times("Cancel") == 0


async def test_a_code_whose_state_is_not_told_is_not_ended(at: Any) -> None:
    made = await at.code()
    at.bank.say("GetState", b"", 500)

    assert isinstance(await at.tbank.cancel(made.id), Unclear)
    assert at.bank.times("Cancel") == 0


async def test_a_code_that_is_paid_while_it_is_ended(at: Any) -> None:
    """Nobody can keep the bank from sending that money back, so it is told as it is."""
    made = await at.code()
    at.bank.before["Cancel"] = lambda _: at.bank.become(made.id, "CONFIRMED")

    stands = await at.tbank.cancel(made.id)
    assert (stands.status, stands.refunded_kopecks) == (Status.SUCCEEDED, 35_050)
    assert at.alarms == ["code_ended_as_paid"]
    page = await at.listed(made.id)
    assert [one.amount_kopecks for one in page.refunds] == [35_050]


async def test_an_end_without_an_answer_is_told_as_the_code_stands(at: Any) -> None:
    first, second = await at.code(), await at.code()
    at.bank.lost.append("Cancel")
    assert (await at.tbank.cancel(first.id)).status is Status.CANCELED
    at.bank.deaf.append("Cancel")
    assert (await at.tbank.cancel(second.id)).status is Status.PENDING


async def test_what_sbp_has_not_got(at: Any) -> None:
    tbank = at.tbank
    assert isinstance(await tbank.capture("1", "key", tbank.capture_request(1)), Refused)
    assert (await tbank.listed(at.clock(), at.clock(), None)).payments == ()
    assert (await tbank.captured(at.clock(), at.clock(), None)).payments == ()
    assert (await tbank.refunds_listed(at.clock(), at.clock(), None)).refunds == ()
    assert (await tbank.register(None), tbank.till, tbank.answer) == (None, None, b"OK")
