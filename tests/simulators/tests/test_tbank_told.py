"""What T-Bank tells where no money came, what its payers see, and what is told in its name."""

from collections.abc import AsyncIterator
from random import Random
from typing import Any

import orjson
import pytest

from simulators.banks.bank import Told
from simulators.tbank.app import lie
from simulators.tbank.harness import Terminal, terminal


@pytest.fixture
async def till() -> AsyncIterator[Terminal]:
    async with terminal() as each:
        yield each


@pytest.mark.parametrize(
    ("end", "status", "success", "code"),
    [
        ("refuse", "REJECTED", False, "99"),
        ("SbpPayTest", "DEADLINE_EXPIRED", False, "99"),
        ("Cancel", "CANCELED", True, "0"),
    ],
)
async def test_ends_without_money_are_told(
    till: Terminal, end: str, status: str, success: bool, code: str
) -> None:
    payment_id = await till.made()
    if end == "refuse":
        await till.press(payment_id, end)
    else:
        await till.call(end, PaymentId=payment_id, IsDeadlineExpired=True)
    await till.settled()
    (said,) = till.heard()
    assert (said["Status"], said["Success"], said["ErrorCode"]) == (status, success, code)
    assert (said["PaymentId"], said["Amount"]) == (int(payment_id), 35050)


@pytest.mark.parametrize(
    ("script", "status", "shown", "state"),
    [
        ("CONFIRMED", 200, "Оплачено", "CONFIRMED"),
        ("AUTHORIZING", 200, "Банк проводит платёж", "AUTHORIZING"),
        ("AUTH_FAIL", 402, "the payer&#39;s bank refuses", "AUTH_FAIL"),
    ],
)
async def test_what_the_payer_is_told(
    till: Terminal, script: str, status: int, shown: str, state: str
) -> None:
    await till.script("pay", script, script)
    answer = await till.sandbox.call("POST", f"/tbank/qr/{await till.made()}/pay", data={})
    assert (answer.status, shown in answer.body) == (status, True)
    assert ("Оплачено" in answer.body) is (script == "CONFIRMED")
    payment_id = await till.made("top-0002")
    answer = await till.press(payment_id)
    assert (answer.status, await till.status(payment_id)) == (status, state)


async def test_what_the_payer_is_told_of_a_binding(till: Terminal) -> None:
    await till.knobs(binding_seconds=60)
    _, code = await till.binding()
    answer = await till.sandbox.call("POST", f"/tbank/qr/{code}/pay", data={})
    assert "Банк привязывает счёт" in answer.body
    await till.later(60)
    answer = await till.sandbox.call("GET", f"/tbank/app?qr={code}&done=pay")
    assert ("Банк привязывает счёт" in answer.body, "Счёт привязан" in answer.body) == (False, True)


def test_lies_raise_the_sum_or_the_word() -> None:
    said: dict[str, Any] = {"Amount": 35050, "Status": "AUTHORIZED", "Token": "0" * 64}
    true = Told("1", orjson.dumps(said).decode(), {})
    made = [orjson.loads(lie(true, Random(seed)).body) for seed in range(16)]
    assert {(each["Amount"], each["Status"]) for each in made} == {
        (99999900, "AUTHORIZED"),
        (35050, "CONFIRMED"),
    }
    assert orjson.loads(true.body) == said
