"""SMS.ru, the messenger and the message centre: what they take, what they refuse, what they say."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from simulators.bot.app import TOKEN
from simulators.harness import Sandbox, running
from simulators.smpp import pdu
from simulators.smsru.app import API_ID

FORM = {"api_id": API_ID, "to": "79161234567", "msg": "Привет", "json": "1"}


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with running() as each:
        yield each


async def sms(sandbox: Sandbox, **changes: str) -> Any:
    return (await sandbox.call("POST", "/smsru/sms/send", data=FORM | changes)).body


async def write(sandbox: Sandbox, body: Any, token: str = TOKEN) -> Any:
    return await sandbox.call("POST", f"/bot/bot{token}/sendMessage", body)


async def test_smsru_takes_several_numbers_and_knows_them(sandbox: Sandbox) -> None:
    said = await sms(sandbox, to="79161234567,12,+7 (916) 123-45-68")
    assert said["status_code"] == 100
    codes = {number: entry["status_code"] for number, entry in said["sms"].items()}
    assert codes == {"79161234567": 100, "12": 202, "+7 (916) 123-45-68": 100}
    this = said["sms"]["79161234567"]["sms_id"]
    asked = {"api_id": API_ID, "sms_id": f"{this},000000-1"}
    known = (await sandbox.call("POST", "/smsru/sms/status", data=asked)).body["sms"]
    assert (known[this]["status_code"], known["000000-1"]["status_code"]) == (103, -1)


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"api_id": "x"}, 200), ({"msg": ""}, 203), ({"to": ""}, 202), ({"msg": "ы" * 600}, 205)],
)
async def test_what_smsru_refuses(sandbox: Sandbox, changes: dict[str, str], code: int) -> None:
    said = await sms(sandbox, **changes)
    entries = list(said.get("sms", {}).values())
    assert (entries[0] if entries else said)["status_code"] == code


async def test_smsru_out_of_money_or_tired_of_repeats(sandbox: Sandbox) -> None:
    await sandbox.control("PUT", "/state", {"limit_same": True}, of="smsru")
    codes = [(await sms(sandbox))["sms"]["79161234567"]["status_code"] for _ in range(2)]
    assert codes == [100, 231]
    await sandbox.control("PUT", "/state", {"balance_kopecks": 0}, of="smsru")
    assert (await sms(sandbox))["status_code"] == 201


async def test_reports_stay_on_this_machine(sandbox: Sandbox) -> None:
    for of in ("smsru", "smsc"):
        body = {"url": "http://192.0.2.1/", "reports": [], "id": "1", "status": 1}
        answer = await sandbox.call("POST", f"/{of}/control/report", body)
        assert answer.status == 400


async def test_a_bot_and_its_chats(sandbox: Sandbox) -> None:
    taken = await write(sandbox, {"chat_id": 5001, "text": "Привет"})
    assert (taken.status, taken.body["ok"], taken.body["result"]["message_id"]) == (200, True, 1)
    await sandbox.control("PUT", "/state", {"blocked": ["5002"]}, of="bot")
    refused = [
        await write(sandbox, {"chat_id": "5002", "text": "x"}),
        await write(sandbox, {"chat_id": "1", "text": "x"}),
        await write(sandbox, {"chat_id": "5001", "text": "x" * 4097}),
        await write(sandbox, []),
        await write(sandbox, {"chat_id": "5001", "text": "x"}, token="1:x"),
    ]
    assert [each.status for each in refused] == [403, 400, 400, 400, 401]
    assert all(each.body["error_code"] == each.status for each in refused)


def test_the_alphabet_of_the_message_centre() -> None:
    assert pdu.readable(b"\x00\x02\x1b\x65 \x1b\x3c", 0) == "@$€ ["
    assert pdu.readable("Привет".encode("utf-16-be"), 8) == "Привет"
