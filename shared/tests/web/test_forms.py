"""What people type into a form, and what they are told where it is wrong."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient

from shared.errors import Invalid, SaldoError
from shared.web import forms

Client = TestClient[web.Request, web.Application]

AMOUNTS = {
    "650": 65000,
    "650,00": 65000,
    "650.00": 65000,
    "650,5": 65050,
    "650,": 65000,
    " 650 ": 65000,
    "1 200": 120000,
    "1\u00a0200,50": 120050,
    "1\u202f200\u202f000": 120000000,
    "1,200.00": 120000,
    "1 200,00 ₽": 120000,
    "650 руб.": 65000,
    "0,01": 1,
    "007": 700,
}

REFUSED = {
    "": "Введите сумму",
    "   ": "Введите сумму",
    "₽": "Введите сумму",
    "0": "больше нуля",
    "0,00": "больше нуля",
    "-650": "больше нуля",
    "−650,00": "больше нуля",
    "650,005": "двух знаков",
    "650.000": "двух знаков",
    "1,200": "двух знаков",
    "NaN": "цифрами",
    "Infinity": "цифрами",
    "1e3": "цифрами",
    "0x10": "цифрами",
    "--5": "цифрами",
    "6 50": "цифрами",
    "1 2000": "цифрами",
    "650,00,00": "цифрами",
    ",50": "цифрами",
    "٦٥٠": "цифрами",
    "12345678901234": "цифрами",
    "шестьсот": "цифрами",
}


@pytest.mark.parametrize(("text", "kopecks"), AMOUNTS.items())
def test_people_write_amounts_in_many_ways(text: str, kopecks: int) -> None:
    assert forms.amount(text).kopecks == kopecks


@pytest.mark.parametrize(("text", "reason"), REFUSED.items())
def test_a_wrong_amount_names_the_field_and_what_to_do(text: str, reason: str) -> None:
    with pytest.raises(Invalid) as caught:
        forms.amount(text)
    (wrong,) = caught.value.fields
    assert wrong.field == "amount"
    assert reason in wrong.text.ru


async def _echo(request: web.Request) -> web.Response:
    try:
        return web.json_response(dict(await forms.read(request, bytes_max=64)))
    except SaldoError as error:
        return web.Response(status=error.status)


@pytest.fixture
async def client(aiohttp_client: AiohttpClient) -> Client:
    app = web.Application()
    app.router.add_post("/", _echo)
    return await aiohttp_client(app)


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def test_a_form_is_read_as_it_was_typed(
    client: Client,
) -> None:
    answer = await client.post("/", data={"contract": " 100245 ", "amount": ""})
    assert await answer.json() == {"contract": " 100245 ", "amount": ""}


async def test_the_first_of_repeated_fields_counts(
    client: Client,
) -> None:
    answer = await client.post("/", data="a=1&a=2", headers=FORM)
    assert await answer.json() == {"a": "1"}


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        ("a" * 65, FORM, 413),
        ("a=%FF", FORM, 400),
        (b"a=\xff", FORM, 400),
        ("a=%00", FORM, 400),
        ('{"a":1}', {"Content-Type": "application/json"}, 415),
        ("--x", {"Content-Type": "multipart/form-data; boundary=x"}, 415),
    ],
)
async def test_an_unreadable_form_is_refused(
    client: Client,
    body: str | bytes,
    headers: dict[str, str],
    status: int,
) -> None:
    assert (await client.post("/", data=body, headers=headers)).status == status


async def test_a_form_of_unknown_length_is_bounded_too(
    client: Client,
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"a" * 1000

    assert (await client.post("/", data=endless(), headers=FORM)).status == 413
