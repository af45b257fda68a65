"""The mail server: a real session with a real client, and refusals on demand."""

import asyncio
from collections.abc import AsyncIterator
from email.message import EmailMessage

import aiosmtplib
import pytest

from simulators.harness import Sandbox, running


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with running() as each:
        yield each


def letter() -> EmailMessage:
    made = EmailMessage()
    made["From"] = "Сальдо <noreply@isp.example>"
    made["To"] = "ivan@example.org"
    made["Subject"] = "Платёж получен: 650,00 ₽"
    made["Message-ID"] = "<m-1@isp.example>"
    made.set_content("Не хватает 550,00 ₽.")
    made.add_alternative("<p>Не хватает <b>550,00 ₽</b>.</p>", subtype="html")
    return made


async def deliver(sandbox: Sandbox, message: EmailMessage | bytes) -> None:
    await aiosmtplib.send(
        message,
        sender="noreply@isp.example",
        recipients=["ivan@example.org"],
        hostname="127.0.0.1",
        port=sandbox.smtp_port,
        timeout=5,
    )


async def test_a_letter_is_decoded(sandbox: Sandbox) -> None:
    await deliver(sandbox, letter())
    answer = await sandbox.call("GET", "/messages.json")
    (kept,) = answer.body["items"]
    assert kept["channel"] == "email"
    assert (kept["from"], kept["to"]) == ("Сальдо <noreply@isp.example>", "ivan@example.org")
    assert kept["subject"] == "Платёж получен: 650,00 ₽"
    assert kept["text"] == "Не хватает 550,00 ₽."
    assert kept["html"] == "<p>Не хватает <b>550,00 ₽</b>.</p>"
    assert kept["id"] == "<m-1@isp.example>"


@pytest.mark.parametrize(
    ("stage", "code", "error"),
    [
        ("rcpt", 451, aiosmtplib.SMTPRecipientsRefused),
        ("rcpt", 550, aiosmtplib.SMTPRecipientsRefused),
        ("data", 451, aiosmtplib.SMTPDataError),
        ("data", 554, aiosmtplib.SMTPDataError),
    ],
)
async def test_scripted_refusals(
    sandbox: Sandbox, stage: str, code: int, error: type[Exception]
) -> None:
    script = {"script": [{"stage": stage, "code": code}]}
    await sandbox.call("PUT", "/mail/control/state", script)
    with pytest.raises(error, match=str(code)):
        await deliver(sandbox, letter())
    assert (await sandbox.call("GET", "/messages.json")).body["items"] == []
    await deliver(sandbox, letter())
    assert len((await sandbox.call("GET", "/messages.json")).body["items"]) == 1


async def test_an_impossible_script(sandbox: Sandbox) -> None:
    for wrong in ({"stage": "helo", "code": 451}, {"stage": "rcpt", "code": 250}):
        answer = await sandbox.call("PUT", "/mail/control/state", {"script": [wrong]})
        assert answer.status == 400


async def test_broken_mime_is_kept_as_far_as_it_can_be_read(sandbox: Sandbox) -> None:
    raw = (
        b"Subject: =?utf-8?q?broken\r\nContent-Type: text/plain; charset=unheard-of\r\n"
        b"Content-Transfer-Encoding: 8bit\r\n\r\n\xd0\x9f\xd1\x80\r\n"
    )
    await deliver(sandbox, raw)
    (kept,) = (await sandbox.call("GET", "/messages.json")).body["items"]
    assert kept["from"] == "noreply@isp.example"
    assert kept["text"].strip() == "Пр"


async def test_an_open_session_does_not_hold_up_the_end() -> None:
    async with running() as sandbox:
        reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.smtp_port)
        assert (await reader.readline()).startswith(b"220")
    assert await reader.read() == b""
    writer.close()
