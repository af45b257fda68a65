"""T-Bank's notifications on their way: `OK`, repeats for a month, addresses, and mischief."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from simulators.tbank.app import OFFSETS
from simulators.tbank.harness import PATIENCE, Log, Terminal, terminal
from simulators.tbank.words import Body, genuine

PASSWORD = "SimPassw0rd"
HOUR, DAY = 3_600, 86_400


@pytest.fixture
async def till() -> AsyncIterator[Terminal]:
    async with terminal() as each:
        await each.knobs(authorized_too=False)
        yield each


def attempts(log: Log, number: int = 0) -> int:
    return int(log[number]["attempts"])


async def heard(till: Terminal, number: int) -> list[Body]:
    """Wait until so many notifications have arrived, and return them."""
    async with asyncio.timeout(PATIENCE):
        while len(till.sandbox.heard) < number:
            till.sandbox.bell.clear()
            await till.sandbox.bell.wait()
    return till.heard()


def test_the_schedule_is_hourly_for_a_day_and_then_daily_for_a_month() -> None:
    gaps = [later - sooner for sooner, later in pairwise(OFFSETS)]
    assert OFFSETS[0] == 0
    assert gaps == [HOUR] * 24 + [DAY] * 30


async def test_ok_ends_the_repeats(till: Terminal) -> None:
    await till.paid()
    log = await till.settled()
    assert [(one["state"], one["attempts"]) for one in log] == [("done", 1)]
    await till.later(31 * DAY)
    assert len(till.sandbox.heard) == 1


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (200, b"ok"),
        (200, b"OK\n"),
        (200, b'"OK"'),
        (200, b""),
        (201, b"OK"),
        (301, b"OK"),
        (403, b"OK"),
        (500, b"OK"),
    ],
)
async def test_whatever_else_is_said_it_is_told_again(
    till: Terminal, status: int, says: bytes
) -> None:
    till.sandbox.answers, till.sandbox.says = [status], says
    payment_id = await till.paid()
    log = await till.until(lambda log: attempts(log) == 1)
    assert (log[0]["state"], log[0]["status"]) == ("waiting", status)
    till.sandbox.says = b"OK"
    await till.later(HOUR)
    assert (await till.settled())[0]["attempts"] == 2
    first, second = till.heard()
    assert first == second
    assert first["PaymentId"] == int(payment_id)


async def test_not_before_an_hour_is_over(till: Terminal) -> None:
    till.sandbox.answers = [500]
    await till.paid()
    await till.until(lambda log: attempts(log) == 1)
    await till.later(HOUR - 60)
    # The other payment's notification shows that the courier has looked meanwhile.
    await till.paid("top-0002")
    log = await till.until(lambda log: len(log) == 2 and log[1]["state"] == "done")
    assert attempts(log) == 1
    await till.later(60)
    assert attempts(await till.settled()) == 2


async def test_after_a_month_the_bank_gives_up(till: Terminal) -> None:
    till.sandbox.says = b"thanks"
    await till.paid()
    for number, gap in enumerate([0, *(b - a for a, b in pairwise(OFFSETS))], start=1):
        await till.later(gap)
        log = await till.until(lambda log, wanted=number: attempts(log) == wanted)
    assert (log[0]["state"], log[0]["attempts"]) == ("given_up", 55)
    await till.later(400 * DAY)
    assert len(till.sandbox.heard) == 55


async def test_who_answers_too_late_is_told_again() -> None:
    late = asyncio.Event()

    async def slow(_: web.Request) -> web.Response:
        await late.wait()
        return web.Response(text="OK")

    merchant = web.Application()
    merchant.router.add_post("/slow", slow)
    async with TestServer(merchant) as server, terminal(webhook_timeout=0.05) as till:
        try:
            await till.knobs(authorized_too=False)
            await till.paid(NotificationURL=str(server.make_url("/slow")))
            log = await till.until(lambda log: attempts(log) == 1)
        finally:
            late.set()
        assert log[0]["state"] == "waiting"
        assert "Timeout" in log[0]["tried"][0]["error"]


async def test_the_address_of_the_payment_goes_before_the_terminals(till: Terminal) -> None:
    url = till.sandbox.url.removesuffix("/sandbox") + "/heard"
    await till.control("PUT", "/callback", {"url": None})
    await till.paid("top-0001", NotificationURL=f"{url}?of=payment")
    await till.paid("top-0002")
    log = await till.until(lambda log: len(log) == 2 and all(one["attempts"] for one in log))
    assert [one["state"] for one in log] == ["done", "waiting"]
    assert [each["OrderId"] for each in till.heard()] == ["top-0001"]


async def test_bindings_are_told_at_the_terminals_address_alone(till: Terminal) -> None:
    url = till.sandbox.url.removesuffix("/sandbox") + "/heard"
    await till.control("PUT", "/callback", {"url": None})
    fields = {"Recurrent": "Y", "DATA": {"QR": "true"}, "Description": "Автоплатёж"}
    await till.paid(NotificationURL=url, CustomerKey="100245", **fields)
    log = await till.until(lambda log: len(log) == 2 and all(one["attempts"] for one in log))
    assert sorted(one["state"] for one in log) == ["done", "waiting"]
    assert [each.get("OrderId") for each in till.heard()] == ["top-0001"]
    await till.control("PUT", "/callback", {"url": url})
    await till.control("POST", "/deliveries/hasten", {})
    await till.settled()
    assert till.heard()[1]["NotificationType"] == "LINKACCOUNT"


@pytest.mark.parametrize("url", ["https://example.org/x", "http://10.0.0.1/", "nowhere", ""])
async def test_nothing_leaves_the_machine(till: Terminal, url: str) -> None:
    wanted: dict[str, Any] = {"OrderId": "top-0001", "Amount": 35050, "NotificationURL": url}
    assert (await till.ask("Init", **wanted))["ErrorCode"] == "308"
    answer = await till.sandbox.call("PUT", "/tbank/control/callback", {"url": url})
    assert answer.status == 400


async def test_a_duplicate(till: Terminal) -> None:
    await till.control("PUT", "/mischief", {"duplicate": 1})
    await till.paid()
    log = await till.settled()
    assert [one["kind"] for one in log] == ["true", "duplicate"]
    first, second = till.heard()
    assert first == second


async def test_a_loss(till: Terminal) -> None:
    await till.control("PUT", "/mischief", {"loss": 1})
    payment_id = await till.paid()
    assert [one["state"] for one in await till.settled()] == ["lost"]
    assert till.heard() == []
    assert await till.status(payment_id) == "CONFIRMED"
    await till.control("POST", "/deliveries/hasten", {"all": True})
    assert [each["Status"] for each in await heard(till, 1)] == ["CONFIRMED"]


async def test_a_lost_attempt_is_made_up_for_in_an_hour(till: Terminal) -> None:
    await till.control("PUT", "/mischief", {"attempt_loss": 1})
    await till.paid()
    await till.until(lambda log: attempts(log) == 1)
    assert till.heard() == []
    await till.control("PUT", "/mischief", {})
    await till.later(HOUR)
    await till.settled()
    assert [each["Status"] for each in till.heard()] == ["CONFIRMED"]


async def test_lies_are_not_genuine(till: Terminal) -> None:
    await till.control("PUT", "/mischief", {"forge": 1})
    for number in range(8):
        await till.paid(f"top-{number}")
    log = await till.settled()
    assert sorted(one["kind"] for one in log) == ["forged"] * 8 + ["true"] * 8
    said = till.heard()
    lies = [each for each in said if not genuine(_as_texts(each), PASSWORD)]
    assert len(lies) == 8
    assert all(each["Amount"] == 99999900 or each["Token"] == "0" for each in lies)
    assert {each["Amount"] for each in said if each not in lies} == {35050}


async def test_a_lie_is_told_once(till: Terminal) -> None:
    till.sandbox.says = b"no"
    await till.control("POST", "/deliveries/forge", {"body": '{"Token":"0"}'})
    assert [one["state"] for one in await till.settled()] == ["given_up"]
    assert till.heard() == [{"Token": "0"}]


async def test_the_last_word_again(till: Terminal) -> None:
    payment_id = await till.paid()
    await till.settled()
    await till.control("POST", "/deliveries/repeat", {"object_id": payment_id, "times": 2})
    first, *others = await heard(till, 3)
    assert others == [first, first]


@pytest.mark.parametrize("method", ["Init", "GetQr"])
async def test_a_notification_before_the_answer(till: Terminal, method: str) -> None:
    fault = {"kind": "callback_first", "calls": [method], "times": 1}
    await till.control("POST", "/faults", {"faults": [fault]})
    answered = await till.call("Init", OrderId="top-0001", Amount=35050)
    if method == "GetQr":
        assert till.heard() == []
        await till.call("GetQr", PaymentId=answered["PaymentId"])
    # Already here, without a wait.
    (said,) = till.heard()
    assert (answered["Status"], said["Status"]) == ("NEW", "CONFIRMED")
    assert said["PaymentId"] == int(answered["PaymentId"])


def _as_texts(said: Body) -> Body:
    return {name: str(value) if type(value) is int else value for name, value in said.items()}
