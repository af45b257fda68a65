"""E-mail where the server hangs, answers by halves, closes, or wants TLS: what is known then."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from aiosmtpd.smtp import SMTP

from notifier.channels.port import Accepted, Outcome, Outgoing, Permanent, Temporary
from notifier.channels.smtp import Smtp, parse_url

if TYPE_CHECKING:
    from conftest import MailServer

SENDER = "Saldo <billing@provider.example>"
Make = Callable[..., Outgoing]


@dataclass
class Scripted:
    """A mail server that says what a test wants; nothing for an answer is a hang."""

    port: int = 0
    answers: dict[str, bytes] = field(default_factory=dict)
    sessions: int = 0
    close_after: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak one session."""
        self.sessions += 1
        writer.write(self.answers.get("GREETING", b"220 mail.test\r\n"))
        body = False
        try:
            while line := await reader.readline():
                command = line[:4].strip().upper().decode("ascii", "replace")
                if body and line != b".\r\n":
                    continue
                command = "BODY" if body else command
                body = command == "DATA"
                ok = b"354 go on\r\n" if body else b"250 ok\r\n"
                writer.write(self.answers.get(command, ok))
                await writer.drain()
                if command == self.close_after:
                    break
        except OSError:
            pass
        finally:
            writer.close()


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    """The server, listening."""
    server = Scripted()
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listening:
        server.port = listening.sockets[0].getsockname()[1]
        yield server


@asynccontextmanager
async def channel(port: int, timeout: float = 5.0, connections: int = 4) -> AsyncIterator[Smtp]:
    """Yield a channel to the server."""
    smtp = Smtp(parse_url(f"smtp://127.0.0.1:{port}"), SENDER, timeout, connections)
    async with smtp.opened():
        yield smtp


@pytest.mark.parametrize(
    ("command", "said", "unknown"),
    [
        ("GREETING", b"", False),
        ("MAIL", b"", False),
        ("RCPT", b"", False),
        ("RCPT", b"250-half", False),
        ("DATA", b"", True),
        ("BODY", b"", True),
        ("BODY", b"250-half an answer\r\n", True),
        ("BODY", b"good bye\r\n", True),
        ("BODY", b"421 closing\r\n", False),
        ("MAIL", b"421 closing\r\n", False),
        ("GREETING", b"421 too busy\r\n", False),
        ("GREETING", b"554 go away\r\n", False),
    ],
)
async def test_what_is_known_after_trouble(
    scripted: Scripted, outgoing: Make, command: str, said: bytes, unknown: bool
) -> None:
    scripted.answers = {command: said}
    async with channel(scripted.port, timeout=0.15) as smtp:
        failed = await smtp.send(outgoing())
        assert isinstance(failed, Temporary)
        assert (failed.unknown, failed.channel) == (unknown, True)
        assert failed.ours == (said[:1] == b"5")
        scripted.answers = {}
        assert isinstance(await smtp.send(outgoing()), Accepted), "nothing of it lingers"
    assert scripted.sessions == 2


@pytest.mark.parametrize(("command", "unknown"), [("MAIL", False), ("RCPT", False), ("DATA", True)])
async def test_closed_in_the_middle(
    scripted: Scripted, outgoing: Make, command: str, unknown: bool
) -> None:
    scripted.answers, scripted.close_after = {command: b""}, command
    async with channel(scripted.port) as smtp:
        failed = await smtp.send(outgoing())
    assert isinstance(failed, Temporary)
    assert failed.unknown is unknown
    assert scripted.sessions == 1


async def test_a_kept_connection_that_died_is_no_failure(
    scripted: Scripted, outgoing: Make
) -> None:
    scripted.close_after = "BODY"
    async with channel(scripted.port) as smtp:
        for _ in range(3):
            assert isinstance(await smtp.send(outgoing()), Accepted)
    assert scripted.sessions == 3


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("550 5.1.1 <anna@example.org>: Recipient address rejected", (Permanent, True)),
        ("550 5.2.1 mailbox disabled", (Permanent, True)),
        ("556 5.1.10 no mail here", (Permanent, True)),
        ("550 no such user here", (Permanent, True)),
        ("550 User unknown", (Permanent, True)),
        ("550 5.7.1 blocked by policy, user unknown to us", (Permanent, False)),
        ("552 5.2.2 mailbox full", (Permanent, False)),
        ("550 relaying denied", (Permanent, False)),
        ("450 4.1.1 user unknown in our cache", (Temporary, False)),
        ("452 4.2.2 mailbox full", (Temporary, False)),
    ],
)
async def test_dead_addresses(
    mail_server: MailServer, outgoing: Make, said: str, expected: tuple[type[Outcome], bool]
) -> None:
    mail_server.refuse = {"RCPT": said}
    async with channel(mail_server.port) as smtp:
        refused = await smtp.send(outgoing())
    assert (type(refused), getattr(refused, "dead", False)) == expected
    assert not isinstance(refused, Temporary) or not refused.channel, "the server is there"


@pytest.mark.parametrize(
    ("command", "said", "whole"),
    [
        ("MAIL", "550 5.7.1 sender not allowed", True),
        ("DATA", "452 4.3.1 disk full", True),
        ("DATA", "451 4.7.0 not this letter now", False),
    ],
)
async def test_refusals_of_the_channel_itself(
    mail_server: MailServer, outgoing: Make, command: str, said: str, whole: bool
) -> None:
    mail_server.refuse = {command: said}
    async with channel(mail_server.port) as smtp:
        refused = await smtp.send(outgoing())
    assert isinstance(refused, Temporary)
    assert refused.channel is whole


async def test_many_at_once_over_few_connections(mail_server: MailServer, outgoing: Make) -> None:
    async with channel(mail_server.port, connections=3) as smtp:
        gate = asyncio.Semaphore(smtp.parallel)

        async def send() -> Outcome:
            async with gate:
                return await smtp.send(outgoing())

        outcomes = await asyncio.gather(*(send() for _ in range(30)))
    assert all(isinstance(each, Accepted) for each in outcomes)
    assert (len(mail_server.mails), mail_server.sessions) == (30, 3)


@pytest.fixture
async def tls_port(mail_server: MailServer, certificate: ssl.SSLContext) -> AsyncIterator[int]:
    """The port of a server that takes a login after STARTTLS alone; its certificate is known."""

    def session() -> SMTP:
        return SMTP(
            mail_server,
            hostname="mail.test",
            authenticator=mail_server.authenticate,
            tls_context=certificate,
            require_starttls=True,
            auth_required=True,
        )

    listening = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0)
    yield listening.sockets[0].getsockname()[1]
    listening.close()
    await listening.wait_closed()


async def test_login_after_starttls_once_for_many_letters(
    mail_server: MailServer, tls_port: int, outgoing: Make
) -> None:
    server = parse_url(f"smtp://robot:right@127.0.0.1:{tls_port}?starttls=1")
    smtp = Smtp(server, SENDER, 5.0, connections=2)
    async with smtp.opened():
        for _ in range(5):
            pair = await asyncio.gather(smtp.send(outgoing()), smtp.send(outgoing()))
            assert all(isinstance(each, Accepted) for each in pair)
    assert len(mail_server.mails) == 10
    assert mail_server.logins == [b"robot", b"robot"], "a login for each connection"


async def test_a_certificate_nobody_vouches_for(
    tls_port: int, outgoing: Make, monkeypatch: pytest.MonkeyPatch, mail_server: MailServer
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    smtp = Smtp(parse_url(f"smtp://robot:right@127.0.0.1:{tls_port}"), SENDER, 5.0)
    async with smtp.opened():
        refused = await smtp.send(outgoing())
    assert isinstance(refused, Temporary)
    assert (refused.channel, refused.unknown) == (True, False)
    assert mail_server.mails == []
