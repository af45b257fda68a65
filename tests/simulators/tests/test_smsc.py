"""SMSC.ru: what it accepts, what it answers, what is parked."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from yarl import URL

from simulators.harness import Sandbox, running
from simulators.smsc import parts, phone

FORM = {
    "login": "demo",
    "psw": "demo",
    "phones": "+79161234567",
    "mes": "Привет",
    "sender": "SALDO",
    "fmt": "3",
    "charset": "utf-8",
}


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with running() as each:
        yield each


async def send(sandbox: Sandbox, **changes: str) -> Any:
    return (await sandbox.call("POST", "/smsc/sys/send.php", data=FORM | changes)).body


async def received(sandbox: Sandbox, query: str = "") -> list[dict[str, Any]]:
    answer = await sandbox.call("GET", f"/messages.json{query}")
    items: list[dict[str, Any]] = answer.body["items"]
    return items


async def test_a_message_arrives(sandbox: Sandbox) -> None:
    assert await send(sandbox, id="m-1") == {"id": "m-1", "cnt": 1}
    (message,) = await received(sandbox)
    assert (message["channel"], message["from"], message["to"]) == ("sms", "SALDO", "79161234567")
    assert (message["text"], message["id"], message["parts"]) == ("Привет", "m-1", 1)


@pytest.mark.parametrize(
    "text", ["%CF%F0%E8%E2%E5%F2", "%D0%9F%D1%80%D0%B8%D0%B2%D0%B5%D1%82&charset=utf-8"]
)
async def test_by_get_in_two_charsets_with_a_hashed_password(sandbox: Sandbox, text: str) -> None:
    digest = hashlib.md5(b"demo", usedforsecurity=False).hexdigest()
    query = f"login=demo&psw={digest}&phones=89161234567&mes={text}&fmt=3"
    address = URL(f"{sandbox.url}/smsc/sys/send.php?{query}", encoded=True)
    async with sandbox.session.get(address) as response:
        assert response.status == 200
    (message,) = await received(sandbox)
    assert (message["text"], message["to"]) == ("Привет", "79161234567")


async def test_by_key_instead_of_a_password(sandbox: Sandbox) -> None:
    form = {"apikey": "demo-apikey", "phones": "79161234567", "mes": "Hi", "fmt": "3"}
    answer = await sandbox.call("POST", "/smsc/sys/send.php", data=form)
    assert answer.body == {"id": 1, "cnt": 1}


@pytest.mark.parametrize(
    ("changes", "code", "text"),
    [
        ({"psw": "wrong"}, 2, "authorise error"),
        ({"login": "wrong"}, 2, "authorise error"),
        ({"mes": ""}, 1, "parameters error"),
        ({"mes": "я" * 1001}, 1, "parameters error"),
        ({"phones": ""}, 1, "parameters error"),
        ({"id": "a b"}, 1, "parameters error"),
        ({"id": "2147483648"}, 1, "parameters error"),
        ({"id": "x" * 41}, 1, "parameters error"),
        ({"charset": "latin-9"}, 1, "parameters error"),
        ({"time": "tomorrow"}, 5, "date format error"),
        ({"sender": "A name that is too long"}, 6, "message is denied"),
        ({"phones": "12345"}, 7, "invalid number"),
        ({"phones": "+7916123456"}, 7, "invalid number"),
        ({"phones": "+79161234567,abc"}, 7, "invalid number"),
    ],
)
async def test_errors(sandbox: Sandbox, changes: dict[str, str], code: int, text: str) -> None:
    answer = await send(sandbox, **({"id": "7"} | changes))
    assert (answer["error_code"], answer["error"]) == (code, text)
    assert ("id" in answer) == (code in {3, 6, 7, 8})
    assert await received(sandbox) == []


@pytest.mark.parametrize(
    ("code", "text"), [(3, "no money"), (4, "ip is blocked"), (8, "can't to deliver")]
)
async def test_scripted_errors(sandbox: Sandbox, code: int, text: str) -> None:
    await sandbox.call("PUT", "/smsc/control/state", {"script": [code, 0]})
    answer = await send(sandbox)
    assert (answer["error_code"], answer["error"]) == (code, text)
    assert (await send(sandbox))["cnt"] == 1
    assert (await sandbox.call("PUT", "/smsc/control/state", {"script": [99]})).status == 400


async def test_money_runs_out(sandbox: Sandbox) -> None:
    await sandbox.call("PUT", "/smsc/control/state", {"balance_kopecks": 800})
    assert (await send(sandbox, cost="3"))["balance"] == "4.50"
    assert await send(sandbox, cost="1") == {"cost": "3.50", "cnt": 1}
    assert (await send(sandbox, mes="Ещё"))["cnt"] == 1
    assert (await send(sandbox, mes="И ещё"))["error_code"] == 3
    answer = await sandbox.call("POST", "/smsc/sys/balance.php", data=FORM)
    assert answer.body == {"balance": "1.00"}


async def test_a_second_message_of_an_id_is_parked(sandbox: Sandbox) -> None:
    assert await send(sandbox, id="m-1") == {"id": "m-1", "cnt": 1}
    again = await send(sandbox, id="m-1")
    assert again == {"error": "duplicate request, wait a minute", "error_code": 9}
    await sandbox.control("POST", "/clock", {"advance_seconds": 61})
    # Ids need not be unique at SMSC.ru: it takes and charges this one.
    assert await send(sandbox, id="m-1") == {"id": "m-1", "cnt": 1}
    assert len(await received(sandbox)) == 1
    kept = await received(sandbox, "?parked=1")
    assert [each["parked"] for each in kept] == [True, True, False]
    assert (await send(sandbox, id="m-1", phones="79160000000"))["cnt"] == 1


async def test_status(sandbox: Sandbox) -> None:
    await send(sandbox, id="m-1")
    form = FORM | {"id": "m-1", "phone": "+79161234567"}
    known = (await sandbox.call("POST", "/smsc/sys/status.php", data=form)).body
    assert known["status"] == 1
    assert known["last_timestamp"] > 0
    unknown = (await sandbox.call("POST", "/smsc/sys/status.php", data=form | {"id": "9"})).body
    assert unknown == {"status": -3, "id": 9, "phone": "+79161234567"}
    nothing = (await sandbox.call("POST", "/smsc/sys/status.php", data=FORM)).body
    assert nothing["error_code"] == 1


async def test_without_json_it_answers_in_lines(sandbox: Sandbox) -> None:
    assert await send(sandbox, fmt="0", id="5") == "OK - 1 SMS, ID - 5"
    assert await send(sandbox, fmt="0", phones="1", id="6") == "ERROR = 7 (invalid number), ID - 6"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("{" * 80, 1),
        ("{" * 81, 2),
        ("я" * 70, 1),
        ("я" * 71, 2),
        ("я" * 134, 2),
        ("я" * 135, 3),
        ("🙂" * 35, 1),
        ("🙂" * 36, 2),
    ],
)
def test_parts(text: str, count: int) -> None:
    assert parts.count(text) == count


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("8 (916) 123-45-67", "79161234567"),
        ("9161234567", "79161234567"),
        ("+7 916 123-45-67", "79161234567"),
        ("+375291234567", "375291234567"),
        ("+89161234567", "89161234567"),
        ("7٩161234567", None),
        ("1234567890123456", None),
    ],
)
def test_numbers(given: str, normal: str | None) -> None:
    assert phone.normal(given) == normal
