"""The servers that messages leave to, on loopback."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class MailServer:
    """A mail server on loopback; `refuse` maps a command to the answer it gets."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    logins: list[bytes] = field(default_factory=list)
    sessions: int = 0
    refuse: dict[str, str] = field(default_factory=dict)
    on_data: Callable[[SMTP], Awaitable[None]] | None = None
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def authenticate(
        self, _server: SMTP, _session: Any, _envelope: Any, _mechanism: str, data: Any
    ) -> AuthResult:
        """Take the one password there is; `handled=False` makes the server answer a refusal."""
        self.logins.append(data.login)
        return AuthResult(success=data.password == b"right", handled=False)

    async def handle_EHLO(
        self, _server: SMTP, session: Any, _envelope: Any, hostname: str, answers: list[str]
    ) -> list[str]:
        """Greet."""
        self.sessions += 1
        session.host_name = hostname
        return answers

    async def handle_MAIL(
        self, _server: SMTP, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        """Take the sender."""
        envelope.mail_from = address
        return self.refuse.get("MAIL", "250 OK")

    async def handle_RCPT(
        self, _server: SMTP, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        """Take the recipient."""
        if "RCPT" not in self.refuse:
            envelope.rcpt_tos.append(address)
        return self.refuse.get("RCPT", "250 OK")

    async def handle_DATA(self, server: SMTP, _session: Any, envelope: Any) -> str:
        """Take the message."""
        if "DATA" in self.refuse:
            return self.refuse["DATA"]
        parsed = message_from_bytes(envelope.content, policy=policy.default)
        self.mails.append(parsed)
        self.recipients.append(list(envelope.rcpt_tos))
        self.arrived.set()
        if self.on_data is not None:
            await self.on_data(server)
        return "250 OK: queued as 4F1A"


@pytest.fixture
async def mail_server() -> AsyncIterator[MailServer]:
    """A mail server that keeps what it is given; the only right password is `right`."""
    handler = MailServer()

    def session() -> SMTP:
        return SMTP(
            handler,
            hostname="mail.test",
            authenticator=handler.authenticate,
            auth_require_tls=False,
            enable_SMTPUTF8=True,
        )

    listening = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0)
    handler.port = listening.sockets[0].getsockname()[1]
    yield handler
    listening.close()
    await listening.wait_closed()


@dataclass
class SmsServer:
    """SMSC.ru in small: it does not recognise a repeated id, so a second send is a second SMS."""

    url: str = ""
    sent: list[dict[str, str]] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    refuse_with: int | None = None
    lose_answer: bool = False
    broken: web.Response | None = None
    wait: asyncio.Event | None = None
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, request: web.Request) -> web.StreamResponse:
        """Answer `/sys/send.php`."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        if self.wait is not None:
            await self.wait.wait()
        if self.broken is not None:
            return self.broken
        if (form.get("login"), form.get("psw")) != ("demo", "secret"):
            return web.json_response({"error": "authorise error", "error_code": 2})
        if self.refuse_with is not None:
            return web.json_response({"error": "refused", "error_code": self.refuse_with})
        self.sent.append(form)
        self.arrived.set()
        if self.lose_answer and request.transport is not None:
            request.transport.abort()
        return web.json_response({"id": form["id"], "cnt": 2})

    async def status(self, request: web.Request) -> web.StreamResponse:
        """Answer `/sys/status.php`."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.asked.append(form)
        if self.broken is not None:
            return self.broken
        mine = [s for s in self.sent if (s["id"], s["phones"]) == (form["id"], form["phone"])]
        if not mine:
            return web.json_response({"error": "message not found", "error_code": 3})
        return web.json_response({"status": 0, "last_date": "22.11.2026 12:00:01", "err": 0})


@pytest.fixture
async def sms_server() -> AsyncIterator[SmsServer]:
    """An SMS provider on loopback: login `demo`, password `secret`."""
    server = SmsServer()
    app = web.Application()
    app.router.add_post("/sys/send.php", server.send)
    app.router.add_post("/sys/status.php", server.status)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


def _certificate(folder: Path) -> ssl.SSLContext:
    """Write a certificate of 127.0.0.1 to ca.pem; return what a server needs."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "key.pem").write_bytes(private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return context


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """What a server on loopback needs for TLS; clients believe it."""
    context = _certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return context
