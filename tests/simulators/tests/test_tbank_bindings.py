"""Accounts bound at T-Bank, and charges of them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from simulators.tbank.harness import Terminal, terminal
from simulators.tbank.words import token

BINDS = {"Recurrent": "Y", "CustomerKey": "100245", "DATA": {"QR": "true"}, "Description": "Связь"}


@pytest.fixture
async def shop() -> AsyncIterator[Terminal]:
    async with terminal() as each:
        yield each


async def state(shop: Terminal, key: str) -> dict[str, Any]:
    return await shop.call("GetAddAccountQrState", RequestKey=key)


async def fresh(shop: Terminal, order: str = "a-0001") -> str:
    """Make a payment that waits for a charge."""
    return str((await shop.call("Init", OrderId=order, Amount=35050))["PaymentId"])


async def charge(shop: Terminal, payment: str, bound: dict[str, Any], **more: Any) -> Any:
    fields = {"AccountToken": bound["AccountToken"], "BankMemberId": bound["BankMemberId"]}
    return await shop.ask("ChargeQr", PaymentId=payment, **{**fields, **more})


async def test_a_binding_waits_for_its_payer(shop: Terminal) -> None:
    made = await shop.call("AddAccountQr", Description="Автоплатёж")
    assert made["Data"].startswith("https://sub.nspk.ru/AS10")
    assert "?type=03&bank=100000000004&crc=" in made["Data"]
    found = await state(shop, made["RequestKey"])
    assert (found["Status"], "AccountToken" in found) == ("NEW", False)
    assert (await shop.ask("AddAccountQr"))["ErrorCode"] == "308"
    unknown = await shop.ask("GetAddAccountQrState", RequestKey="9f0c")
    assert unknown["ErrorCode"] == "3012"


async def test_an_agreed_one_is_told_at_the_terminals_address(shop: Terminal) -> None:
    key, code = await shop.binding()
    assert (await shop.pay(code))["status"] == "ACTIVE"
    found = await state(shop, key)
    assert found["AccountToken"].startswith("tok_sim_")
    assert (found["BankMemberId"], found["BankMemberName"]) == ("100000000111", "Сбербанк")
    (sent,) = await shop.settled()
    assert sent["url"] is None
    (told,) = shop.heard()
    given = told.pop("Token")
    assert given == token(told, "SimPassw0rd")
    assert told == {
        "TerminalKey": "1700000000001DEMO",
        "RequestKey": key,
        "Success": True,
        "Status": "ACTIVE",
        "ErrorCode": "0",
        "NotificationType": "LINKACCOUNT",
        "AccountToken": found["AccountToken"],
        "BankMemberId": "100000000111",
        "BankMemberName": "Сбербанк",
    }
    assert (await shop.press(code)).status == 409


async def test_the_older_kind_of_notification(shop: Terminal) -> None:
    await shop.knobs(binding_type="QR", success_as_text=True)
    await shop.bound()
    await shop.settled()
    (told,) = shop.heard()
    assert (told["NotificationType"], told["Success"]) == ("QR", "true")


async def test_refused_and_revoked(shop: Terminal) -> None:
    key, code = await shop.binding()
    await shop.press(code, "refuse")
    assert (await state(shop, key))["Status"] == "REJECTED"
    assert (await shop.press(code, "refuse")).status == 409
    key, _ = await shop.binding()
    path = f"/bindings/{key}"
    assert (await shop.sandbox.call("POST", f"/tbank/control{path}/revoke")).status == 409
    await shop.control("POST", f"{path}/accept")
    assert (await shop.control("POST", f"{path}/revoke")) == {"status": "INACTIVE"}
    found = await state(shop, key)
    assert (found["Status"], "AccountToken" in found) == ("INACTIVE", False)
    await shop.settled()
    assert sorted(one["Status"] for one in shop.heard()) == ["ACTIVE", "INACTIVE", "REJECTED"]


async def test_a_bank_that_works_on_it_and_misspells_it(shop: Terminal) -> None:
    await shop.knobs(binding_seconds=60, typos=True)
    key, code = await shop.binding()
    await shop.pay(code)
    assert (await state(shop, key))["Status"] == "PROCCESING"
    await shop.later(61)
    assert (await state(shop, key))["Status"] == "ACTIVE"
    await shop.press(code, "refuse")
    assert (await state(shop, key))["Status"] == "INACITVE"


async def test_a_bindings_code_has_a_term(shop: Terminal) -> None:
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="seconds")
    key, code = await shop.binding(RedirectDueDate=until)
    await shop.later(3601)
    assert (await shop.press(code)).status == 409
    assert (await state(shop, key))["Status"] == "NEW"
    wrong = await shop.ask("AddAccountQr", Description="d", RedirectDueDate="soon")
    assert wrong["ErrorCode"] == "12"


async def test_the_list_of_bindings(shop: Terminal) -> None:
    bound = await shop.bound()
    waiting, _ = await shop.binding()
    listed = (await shop.call("GetAccountQrList"))["AccountTokens"]
    found = {one["RequestKey"]: one for one in listed}
    assert found.keys() == {bound["RequestKey"], waiting}
    assert found[waiting]["Status"] == "NEW"
    assert found[bound["RequestKey"]]["AccountToken"] == bound["AccountToken"]


async def test_a_charge_begins_as_shown_and_ends_as_money(shop: Terminal) -> None:
    bound, payment = await shop.bound(), await fresh(shop)
    begun = await charge(shop, payment, bound)
    assert (begun["Success"], begun["Status"]) == (True, "FORM_SHOWED")
    assert (begun["PaymentId"], begun["Amount"], begun["OrderId"]) == (payment, 35050, "a-0001")
    assert await shop.status(payment) == "CONFIRMED"
    assert (await charge(shop, payment, bound))["ErrorCode"] == "8"
    assert (await shop.control("GET", "/state"))["payments"] == [
        {"status": "CONFIRMED", "number": 1, "kopecks": 35050, "returned": 0}
    ]


async def test_a_charge_needs_the_account_and_its_bank(shop: Terminal) -> None:
    bound, payment = await shop.bound(), await fresh(shop)
    assert (await charge(shop, payment, bound, BankMemberId=None))["ErrorCode"] == "5031"
    assert (await charge(shop, payment, bound, AccountToken="tok"))["ErrorCode"] == "3012"
    assert await shop.status(payment) == "NEW"
    await shop.knobs(member_needed=False)
    assert (await charge(shop, payment, bound, BankMemberId=None))["Success"] is True


async def test_a_revoked_account_is_not_charged(shop: Terminal) -> None:
    bound, payment = await shop.bound(), await fresh(shop)
    await shop.control("POST", f"/bindings/{bound['RequestKey']}/revoke")
    assert (await charge(shop, payment, bound))["ErrorCode"] == "3015"
    assert await shop.status(payment) == "NEW"


async def test_a_terminal_without_charges(shop: Terminal) -> None:
    bound, payment = await shop.bound(), await fresh(shop)
    await shop.knobs(charges_off=True)
    assert (await charge(shop, payment, bound))["ErrorCode"] == "3013"
    assert (await shop.ask("AddAccountQr", Description="d"))["ErrorCode"] == "3013"


@pytest.mark.parametrize("code", ["103", "116", "1051"])
async def test_no_money_in_the_answer(shop: Terminal, code: str) -> None:
    bound, payment = await shop.bound(), await fresh(shop)
    await shop.script("charge", code)
    said = await charge(shop, payment, bound)
    assert (said["Success"], said["ErrorCode"]) == (False, code)
    assert await shop.status(payment) == "REJECTED"
    await shop.settled()
    assert shop.heard()[-1]["ErrorCode"] == code
    assert (await shop.press(payment)).status == 409


async def test_no_money_later(shop: Terminal) -> None:
    bound, payment = await shop.bound(), await fresh(shop)
    await shop.script("charge", {"status": "AUTHORIZING", "then": "REJECTED", "code": "1051"})
    assert (await charge(shop, payment, bound))["Status"] == "FORM_SHOWED"
    assert await shop.status(payment) == "AUTHORIZING"
    await shop.later(61)
    assert await shop.status(payment) == "REJECTED"
    await shop.settled()
    assert shop.heard()[-1]["ErrorCode"] == "1051"


async def test_a_charge_that_stays_where_it_began(shop: Terminal) -> None:
    bound, payment = await shop.bound(), await fresh(shop)
    await shop.script("charge", "FORM_SHOWED")
    await charge(shop, payment, bound)
    assert await shop.status(payment) == "FORM_SHOWED"
    assert (await charge(shop, payment, bound))["ErrorCode"] == "8"
    await shop.pay(payment)
    assert await shop.status(payment) == "CONFIRMED"


@pytest.mark.parametrize(("binds", "status"), [(True, "ACTIVE"), (False, "NEW")])
async def test_paying_may_bind_as_well(shop: Terminal, binds: bool, status: str) -> None:
    await shop.knobs(pay_also_binds=binds)
    made = await shop.call("Init", OrderId="top-0001", Amount=35050, **BINDS)
    code = await shop.call("GetQr", PaymentId=made["PaymentId"])
    again = await shop.call("GetQr", PaymentId=made["PaymentId"])
    assert code["RequestKey"] == again["RequestKey"]
    assert code["Data"].startswith("https://qr.nspk.ru/AD10")
    await shop.pay(made["PaymentId"])
    assert await shop.status(made["PaymentId"]) == "CONFIRMED"
    assert (await state(shop, code["RequestKey"]))["Status"] == status
    await shop.settled()
    assert len([one for one in shop.heard() if "RequestKey" in one]) == int(binds)


async def test_a_code_that_binds_needs_a_description(shop: Terminal) -> None:
    wanted = {**BINDS, "Description": None}
    made = await shop.call("Init", OrderId="top-0001", Amount=35050, **wanted)
    assert (await shop.ask("GetQr", PaymentId=made["PaymentId"]))["ErrorCode"] == "308"
