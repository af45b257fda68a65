"""Bound accounts: asked for, told, charged once."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from shared.events_gateway import FailureClass
from shared.gateway.method import MethodStatus
from shared.gateway.provider import Missing, ProviderPayment, Refused, Status, Unclear

TOKEN = "tok_sim_0001"
ACCOUNT = {
    "AccountToken": TOKEN,
    "BankMemberId": "100000000111",
    "BankMemberName": "Sim Bank",
}


async def bound(at: Any, status: str = "ACTIVE", **more: Any) -> str:
    """Return the token of a binding that the payer has confirmed."""
    made = await at.tbank.bind("key", at.tbank.binding("sbp", "https://pay.example/"))
    at.bank.bindings[made.token] = {"Status": status, **ACCOUNT, **more}
    return str(made.token)


def charges(at: Any) -> int:
    """Return how often the payer's account was really charged."""
    return sum(one.get("charges", 0) for one in at.bank.payments.values())


async def test_a_binding_is_asked_for(at: Any) -> None:
    assert at.tbank.kinds == {"sbp"}
    made = await at.tbank.bind("key", at.tbank.binding("sbp", "https://pay.example/"))

    assert (made.status, made.kind) == (MethodStatus.PENDING, "sbp")
    assert made.confirmation_url.startswith("https://sub.nspk.ru/")
    assert (await at.tbank.kept(made.token)).status is MethodStatus.PENDING
    assert at.bank.sent("AddAccountQr")["DataType"] == "PAYLOAD"


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("NEW", MethodStatus.PENDING),
        ("PROCESSING", MethodStatus.PENDING),
        ("PROCCESING", MethodStatus.PENDING),
        ("ACTIVE", MethodStatus.ACTIVE),
        ("INACTIVE", MethodStatus.INACTIVE),
        ("INACITVE", MethodStatus.INACTIVE),
        ("REJECTED", MethodStatus.INACTIVE),
        ("A_NEW_WORD", MethodStatus.PENDING),
    ],
)
async def test_how_a_binding_stands(at: Any, word: str, status: MethodStatus) -> None:
    token = await bound(at, word)

    method = await at.tbank.kept(token)
    assert (method.status, method.token, method.title) == (status, token, "СБП, Sim Bank")
    assert TOKEN not in repr(method)


async def test_a_rejected_binding_may_come_as_an_error(at: Any) -> None:
    token = await bound(at)
    at.bank.refuse("GetAddAccountQrState", "3050", Status="REJECTED", RequestKey=token)

    assert (await at.tbank.kept(token)).status is MethodStatus.INACTIVE


async def test_a_binding_that_the_bank_does_not_know(at: Any) -> None:
    assert await at.tbank.kept("unknown") == Missing()


async def test_a_binding_of_somebody_else_is_no_answer(at: Any) -> None:
    token = await bound(at)
    other = {"Success": True, "ErrorCode": "0", "Status": "ACTIVE", "RequestKey": "other"}
    at.bank.say("GetAddAccountQrState", other)

    assert isinstance(await at.tbank.kept(token), Unclear)


@pytest.mark.parametrize("comes_to", ["FORM_SHOWED", "AUTHORIZING", "CONFIRMED"])
async def test_an_account_is_charged(at: Any, comes_to: str) -> None:
    at.bank.charged = comes_to
    request = at.request(token=await bound(at))

    made = await at.tbank.create("key", request)
    done = comes_to == "CONFIRMED"
    assert made.status is (Status.SUCCEEDED if done else Status.PENDING)
    assert made.payment_id.hex == orjson.loads(request)["OrderId"][1:]
    sent = at.bank.sent("ChargeQr")
    assert (sent["AccountToken"], sent["BankMemberId"]) == (TOKEN, "100000000111")
    assert "RequestKey" not in at.bank.sent("Init")
    assert isinstance(await at.tbank.create("key", request), ProviderPayment)
    assert charges(at) == 1


@pytest.mark.parametrize("method", ["CheckOrder", "GetAddAccountQrState", "Init", "ChargeQr"])
@pytest.mark.parametrize("how", ["lost", "deaf"])
async def test_a_charge_without_an_answer_is_made_once(at: Any, method: str, how: str) -> None:
    request = at.request(token=await bound(at))
    getattr(at.bank, how).append(method)

    assert isinstance(await at.tbank.create("key", request), Unclear)
    made = await at.tbank.create("key", request)
    assert made.status is Status.PENDING
    assert await at.tbank.create("key", request) == made
    assert (charges(at), len(at.bank.payments)) == (1, 1)
    at.bank.become(made.id, "CONFIRMED")
    assert (await at.tbank.find(request)).status is Status.SUCCEEDED


async def test_a_charge_that_was_never_begun_is_not_found(at: Any) -> None:
    assert await at.tbank.find(at.request(token=await bound(at))) == Missing()


async def test_a_bank_that_has_no_such_order_may_say_so_by_an_error(at: Any) -> None:
    at.bank.refuse("CheckOrder", "7777")

    made = await at.tbank.create("key", at.request(token=await bound(at)))
    assert made.status is Status.PENDING


@pytest.mark.parametrize("word", ["INACTIVE", "INACITVE", "REJECTED"])
async def test_a_binding_that_is_gone_is_not_charged(at: Any, word: str) -> None:
    refused = await at.tbank.create("key", at.request(token=await bound(at, word)))

    assert isinstance(refused, Refused)
    assert (refused.failure, refused.ours) == (FailureClass.HARD, False)
    assert at.bank.times("Init") == at.bank.times("ChargeQr") == 0


async def test_a_binding_that_nobody_knows_is_not_charged(at: Any) -> None:
    refused = await at.tbank.create("key", at.request(token="unknown"))

    assert (type(refused), refused.failure) == (Refused, FailureClass.HARD)


async def test_a_binding_that_is_not_ready_may_be_later(at: Any) -> None:
    refused = await at.tbank.create("key", at.request(token=await bound(at, "PROCCESING")))

    assert (type(refused), refused.failure) == (Refused, FailureClass.SOFT)


@pytest.mark.parametrize(
    ("code", "failure", "ours"),
    [
        *((code, FailureClass.SOFT, False) for code in ("1051", "116", "103", "5060")),
        *((code, FailureClass.HARD, False) for code in ("3012", "3015", "5031")),
        *((code, FailureClass.SHOP, True) for code in ("3013", "3001", "204")),
    ],
)
@pytest.mark.parametrize("rejected", [True, False])
async def test_a_charge_that_is_refused(
    at: Any, code: str, failure: FailureClass, ours: bool, rejected: bool
) -> None:
    at.bank.refuse("ChargeQr", code)
    if rejected:
        at.bank.before["ChargeQr"] = lambda asked: at.bank.become(asked["PaymentId"], "REJECTED")

    told = await at.tbank.create("key", at.request(token=await bound(at)))
    if rejected and not ours:
        assert (told.status, told.failure, told.reason) == (Status.CANCELED, failure, code)
    else:
        assert isinstance(told, Refused)
        assert (told.code, told.failure, told.ours) == (code, failure, ours)


async def test_a_refusal_of_what_is_charged_already_is_none(at: Any) -> None:
    at.bank.refuse("ChargeQr", "8")
    at.bank.before["ChargeQr"] = lambda asked: at.bank.become(asked["PaymentId"], "AUTHORIZING")

    told = await at.tbank.create("key", at.request(token=await bound(at)))
    assert told.status is Status.PENDING


async def test_a_charge_that_the_payers_bank_refuses_is_over_at_once(at: Any) -> None:
    made = await at.tbank.create("key", at.request(token=await bound(at)))
    await at.remember(made)
    at.bank.become(made.id, "REJECTED")

    told = await at.tbank.fetch(made.id)
    assert (told.status, told.failure) == (Status.CANCELED, FailureClass.SOFT)


async def test_a_charge_that_nobody_has_confirmed_is_over_in_its_time(at: Any) -> None:
    request = at.request(token=await bound(at))
    at.bank.deaf.append("ChargeQr")
    await at.tbank.create("key", request)
    assert (await at.tbank.find(request)).status is Status.PENDING
    at.pass_by(minutes=41)

    assert (await at.tbank.find(request)).status is Status.CANCELED
