"""E-mail against a real SMTP server on loopback: what arrives, and what each refusal means."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from notifier.channels.port import Accepted, Outgoing, Permanent, Temporary
from notifier.channels.smtp import Server, Smtp, parse_url

if TYPE_CHECKING:
    from conftest import MailServer

KEY = UUID("00000000-0000-5000-8000-000000000001")
SENDER = "Салдо <billing@provider.example>"


def channel(server: MailServer, credentials: str = "", query: str = "") -> Smtp:
    """Return a channel to the server."""
    url = f"smtp://{credentials}127.0.0.1:{server.port}{query}"
    return Smtp(parse_url(url), SENDER, timeout_seconds=5)


async def test_the_message_arrives_whole(
    mail_server: MailServer, outgoing: Callable[..., Outgoing]
) -> None:
    smtp = channel(mail_server)
    async with smtp.opened():
        outcome = await smtp.send(outgoing(KEY))
    (mail,) = mail_server.mails
    assert outcome == Accepted(f"<{KEY}@provider.example>")
    assert mail["Message-ID"] == f"<{KEY}@provider.example>"
    assert mail["X-Correlation-Id"] == "c-77"
    assert mail["Subject"] == "Зачислено 650,00 ₽ на договор 100245"
    assert mail["From"] == SENDER
    assert mail["To"] == "anna@example.org"
    assert mail["Date"] == "Sun, 22 Nov 2026 09:00:00 +0000"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content_type() == "multipart/alternative"
    text, html = mail.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert text.get_content().strip() == "Зачислено 650,00 ₽"
    assert html.get_content().strip() == "<p>Зачислено 650,00 ₽</p>"
    assert mail_server.recipients == [["anna@example.org"]]


async def test_a_letter_in_doubt_is_known_by_its_id_and_says_so(
    mail_server: MailServer, outgoing: Callable[..., Outgoing]
) -> None:
    smtp = channel(mail_server)
    async with smtp.opened():
        for doubtful in (False, True):
            outcome = await smtp.send(outgoing(KEY, doubtful=doubtful))
            assert outcome == Accepted(f"<{KEY}@provider.example>", perhaps_twice=doubtful)
    assert len({mail["Message-ID"] for mail in mail_server.mails}) == 1


async def test_one_connection_serves_many(
    mail_server: MailServer, outgoing: Callable[..., Outgoing]
) -> None:
    smtp = channel(mail_server)
    async with smtp.opened():
        for _ in range(3):
            assert isinstance(await smtp.send(outgoing()), Accepted)
    assert len(mail_server.mails) == 3
    assert mail_server.sessions == 1


async def test_a_connection_closed_by_the_server_is_made_anew(
    mail_server: MailServer, outgoing: Callable[..., Outgoing]
) -> None:
    open_sessions: list[Any] = []

    async def remember(server: Any) -> None:
        open_sessions.append(server)

    mail_server.on_data = remember
    smtp = channel(mail_server)
    async with smtp.opened():
        assert isinstance(await smtp.send(outgoing()), Accepted)
        open_sessions[0].transport.close()
        assert isinstance(await smtp.send(outgoing()), Accepted)
    assert mail_server.sessions == 2


@pytest.mark.parametrize(
    ("command", "said", "outcome", "ours"),
    [
        ("RCPT", "550 no such user", Permanent, False),
        ("RCPT", "451 greylisted, try later", Temporary, False),
        ("DATA", "554 looks like spam", Permanent, True),
        ("DATA", "452 disk full", Temporary, False),
        ("MAIL", "550 sender not allowed", Temporary, True),
        ("MAIL", "451 not now", Temporary, False),
    ],
)
async def test_refusals(
    mail_server: MailServer,
    outgoing: Callable[..., Outgoing],
    command: str,
    said: str,
    outcome: type[Any],
    ours: bool,
) -> None:
    mail_server.refuse = {command: said}
    smtp = channel(mail_server)
    async with smtp.opened():
        refused = await smtp.send(outgoing())
        assert type(refused) is outcome
        assert refused.ours is ours
        assert said in refused.reason
        mail_server.refuse = {}
        assert isinstance(await smtp.send(outgoing()), Accepted)
    assert mail_server.sessions == 1


async def test_reasons_repeat_no_address(
    mail_server: MailServer, outgoing: Callable[..., Outgoing]
) -> None:
    mail_server.refuse = {"RCPT": "550 <anna@example.org>: Recipient address rejected"}
    smtp = channel(mail_server)
    async with smtp.opened():
        refused = await smtp.send(outgoing())
    assert isinstance(refused, Permanent)
    assert "anna" not in refused.reason
    assert "Recipient address rejected" in refused.reason


async def test_login(mail_server: MailServer, outgoing: Callable[..., Outgoing]) -> None:
    smtp = channel(mail_server, "robot%40x:right@")
    async with smtp.opened():
        assert isinstance(await smtp.send(outgoing()), Accepted)
    assert mail_server.logins == [b"robot@x"]


async def test_a_wrong_password_is_ours_to_mend(
    mail_server: MailServer, outgoing: Callable[..., Outgoing]
) -> None:
    smtp = channel(mail_server, "robot:wrong@")
    async with smtp.opened():
        refused = await smtp.send(outgoing())
    assert isinstance(refused, Temporary)
    assert refused.ours
    assert "535" in refused.reason
    assert not refused.unknown
    assert mail_server.mails == []


async def test_demanded_starttls_is_not_done_without(
    mail_server: MailServer, outgoing: Callable[..., Outgoing]
) -> None:
    smtp = channel(mail_server, query="?starttls=1")
    async with smtp.opened():
        refused = await smtp.send(outgoing())
    assert isinstance(refused, Temporary)
    assert refused.ours
    assert mail_server.mails == []


async def test_a_lost_answer_leaves_the_outcome_unknown(
    mail_server: MailServer, outgoing: Callable[..., Outgoing]
) -> None:
    async def hang_up(server: Any) -> None:
        server.transport.abort()

    mail_server.on_data = hang_up
    smtp = channel(mail_server)
    async with smtp.opened():
        lost = await smtp.send(outgoing(KEY))
        assert isinstance(lost, Temporary)
        assert lost.unknown
        mail_server.on_data = None
        assert await smtp.send(outgoing(KEY)) == Accepted(f"<{KEY}@provider.example>")
    assert {mail["Message-ID"] for mail in mail_server.mails} == {f"<{KEY}@provider.example>"}


async def test_cut_off_in_the_middle_the_conversation_is_not_continued(
    mail_server: MailServer, outgoing: Callable[..., Outgoing]
) -> None:
    reached = asyncio.Event()

    async def wait(_server: Any) -> None:
        reached.set()
        await asyncio.sleep(30)

    mail_server.on_data = wait
    smtp = channel(mail_server)
    async with smtp.opened():
        sending = asyncio.create_task(smtp.send(outgoing()))
        await reached.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        mail_server.on_data = None
        async with asyncio.timeout(2):
            assert isinstance(await smtp.send(outgoing()), Accepted)
    assert mail_server.sessions == 2


async def test_nobody_listens(outgoing: Callable[..., Outgoing]) -> None:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    smtp = Smtp(parse_url(f"smtp://127.0.0.1:{port}"), SENDER, timeout_seconds=2)
    async with smtp.opened():
        refused = await smtp.send(outgoing())
    assert isinstance(refused, Temporary)
    assert not refused.unknown


@pytest.mark.parametrize("to", ["anna@exa\nmple.org", "anna@" + "x" * 70 + ".org", "a\r\nb@x.org"])
async def test_impossible_addresses_are_refused_for_good(
    mail_server: MailServer, outgoing: Callable[..., Outgoing], to: str
) -> None:
    smtp = channel(mail_server)
    async with smtp.opened():
        assert isinstance(await smtp.send(outgoing(to=to)), Permanent)
    assert mail_server.mails == []


async def test_russian_domains_travel_in_ascii(
    mail_server: MailServer, outgoing: Callable[..., Outgoing]
) -> None:
    smtp = channel(mail_server)
    async with smtp.opened():
        assert isinstance(await smtp.send(outgoing(to="anna@почта.рф")), Accepted)
    assert mail_server.recipients == [["anna@xn--80a1acny.xn--p1ai"]]


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail", Server("mail", 25, None, None, tls=False, starttls=None)),
        ("smtps://u:p%3A@mail", Server("mail", 465, "u", "p:", tls=True, starttls=None)),
        ("smtp://mail:587?starttls=1", Server("mail", 587, None, None, tls=False, starttls=True)),
        ("smtp://mail:25/?starttls=0", Server("mail", 25, None, None, tls=False, starttls=False)),
    ],
)
def test_urls(url: str, server: Server) -> None:
    assert parse_url(url) == server


@pytest.mark.parametrize(
    "url",
    [
        "http://mail",
        "smtp://",
        "mail:25",
        "smtp://u:secret@mail/path",
        "smtp://u:secret@mail?starttls=yes",
        "smtp://u:secret@mail?tls=1",
        "smtps://u:secret@mail?starttls=1",
        "smtp://u:secret@mail:x",
    ],
)
def test_wrong_urls_are_refused_without_repeating_the_password(url: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the text is checked below
        parse_url(url)
    assert "secret" not in str(refused.value)


def test_a_server_does_not_show_its_password() -> None:
    assert "hidden" not in repr(parse_url("smtp://u:hidden@mail"))
