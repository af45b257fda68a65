"""Payments at T-Bank: how they are paid, refused, and how they end."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from simulators.tbank.harness import Terminal, signed, terminal

DAY = 86_400


@pytest.fixture
async def shop() -> AsyncIterator[Terminal]:
    async with terminal() as each:
        yield each


def soon(seconds: int = 1800) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="seconds")


@pytest.mark.parametrize("by_code", [False, True])
async def test_paid_by_its_number_or_by_its_code(shop: Terminal, by_code: bool) -> None:
    payment = await shop.made()
    data = (await shop.call("GetQr", PaymentId=payment))["Data"]
    code = data.partition("?")[0].rpartition("/")[2]
    done = await shop.pay(code if by_code else payment, amount="350.50")
    assert (done["PaymentId"], done["amount_kopecks"], done["status"]) == (
        payment,
        35050,
        "CONFIRMED",
    )
    state = await shop.state(payment)
    assert (state["Status"], state["Amount"]) == ("CONFIRMED", 35050)


async def test_a_code_is_paid_once_and_with_its_own_sum(shop: Terminal) -> None:
    payment = await shop.made()
    assert (await shop.press(payment, amount="350.51")).status == 400
    assert (await shop.press(payment, amount="a lot")).status == 400
    await shop.pay(payment)
    assert (await shop.press(payment)).status == 409
    assert (await shop.press("4999999999")).status == 404
    assert (await shop.press("9" * 40)).status == 404
    assert (await shop.ask("GetQr", PaymentId=payment))["ErrorCode"] == "4"
    assert (await shop.ask("GetState", PaymentId="9" * 15))["ErrorCode"] == "255"


async def test_money_that_takes_its_time(shop: Terminal) -> None:
    await shop.script("pay", "AUTHORIZING")
    payment = await shop.paid()
    assert await shop.status(payment) == "AUTHORIZING"
    assert (await shop.control("GET", f"/payments/{payment}"))["paid"] == 0
    assert (await shop.press(payment)).status == 409
    assert (await shop.ask("Cancel", PaymentId=payment))["ErrorCode"] == "4"
    assert await shop.log() == []
    await shop.later(61)
    assert await shop.status(payment) == "CONFIRMED"
    assert (await shop.control("GET", f"/payments/{payment}"))["paid"] == 1


async def test_money_that_was_on_its_way_and_does_not_come(shop: Terminal) -> None:
    await shop.script("pay", {"status": "CONFIRMING", "then": "AUTH_FAIL", "code": "1051"})
    payment = await shop.paid()
    assert await shop.status(payment) == "CONFIRMING"
    await shop.later(61)
    assert await shop.status(payment) == "AUTH_FAIL"
    await shop.settled()
    (told,) = shop.heard()
    assert (told["Success"], told["ErrorCode"]) == (False, "1051")


async def test_whoever_was_refused_may_try_again(shop: Terminal) -> None:
    payment = await shop.made()
    assert (await shop.press(payment, "refuse")).body["status"] == "REJECTED"
    assert (await shop.state(payment))["Success"] is True
    await shop.pay(payment)
    assert await shop.status(payment) == "CONFIRMED"


async def test_a_refusal_that_is_final_and_an_error(shop: Terminal) -> None:
    await shop.knobs(refusal_is_final=True, state_is_error=True)
    await shop.script("refuse", {"status": "AUTH_FAIL", "code": "116"})
    payment = await shop.made()
    await shop.press(payment, "refuse")
    assert (await shop.press(payment)).status == 409
    said = await shop.ask("GetState", PaymentId=payment)
    assert (said["Success"], said["ErrorCode"], said["Status"]) == (False, "116", "AUTH_FAIL")


async def test_a_term_ends_by_the_banks_clock(shop: Terminal) -> None:
    payment = await shop.made(RedirectDueDate=soon(600))
    await shop.later(500)
    assert await shop.status(payment) == "FORM_SHOWED"
    await shop.later(101)
    assert await shop.status(payment) == "DEADLINE_EXPIRED"
    assert (await shop.press(payment)).status == 409
    assert (await shop.ask("GetQr", PaymentId=payment))["ErrorCode"] == "4"
    await shop.settled()
    assert [one["Status"] for one in shop.heard()] == ["DEADLINE_EXPIRED"]


async def test_three_days_where_no_term_is_said(shop: Terminal) -> None:
    payment = await shop.made()
    await shop.later(3 * DAY - 60)
    assert await shop.status(payment) == "FORM_SHOWED"
    await shop.later(61)
    assert await shop.status(payment) == "DEADLINE_EXPIRED"


async def test_money_that_comes_after_the_end(shop: Terminal) -> None:
    await shop.knobs(pays_late=True)
    payment = await shop.made(RedirectDueDate=soon(600))
    await shop.later(601)
    assert await shop.status(payment) == "DEADLINE_EXPIRED"
    await shop.pay(payment)
    assert await shop.status(payment) == "CONFIRMED"


@pytest.mark.parametrize(
    ("flags", "status"),
    [
        ({}, "CONFIRMED"),
        ({"IsDeadlineExpired": True}, "DEADLINE_EXPIRED"),
        ({"IsRejected": True}, "REJECTED"),
        ({"IsRejected": False, "IsDeadlineExpired": False}, "CONFIRMED"),
    ],
)
async def test_a_demo_terminal_pays_itself(
    shop: Terminal, flags: dict[str, bool], status: str
) -> None:
    payment = await shop.made()
    await shop.call("SbpPayTest", PaymentId=payment, **flags)
    assert await shop.status(payment) == status
    again = await shop.ask("SbpPayTest", PaymentId=payment, IsDeadlineExpired=True)
    assert (again["ErrorCode"], await shop.status(payment)) == ("4", status)


async def test_a_live_terminal_does_not_pay_itself(shop: Terminal) -> None:
    await shop.knobs(terminal="1700000000001")
    answer = await shop.send("Init", signed({"OrderId": "top-0001", "Amount": 35050}))
    assert answer.body["ErrorCode"] == "501"
    live = {"TerminalKey": "1700000000001"}
    made = await shop.call("Init", OrderId="top-0001", Amount=35050, **live)
    tried = await shop.ask("SbpPayTest", PaymentId=made["PaymentId"], **live)
    assert tried["ErrorCode"] == "3001"


async def test_the_payers_app(shop: Terminal) -> None:
    payment = await shop.made(Description="Пополнение договора 100245")
    page = await shop.sandbox.call("GET", f"/tbank/app?qr={payment}")
    assert "Пополнение договора 100245" in page.body
    assert payment in (await shop.sandbox.call("GET", "/tbank/")).body
    await shop.pay(payment)
    assert payment not in (await shop.sandbox.call("GET", "/tbank/")).body
    assert (await shop.sandbox.call("GET", "/tbank/app?qr=none")).status == 404
