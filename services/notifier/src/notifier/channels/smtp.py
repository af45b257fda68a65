"""E-mail over SMTP: one connection, kept between messages while the server likes it.

SMTP has no idempotence. An e-mail whose outcome is unknown is sent again under the same
Message-ID (RFC 5322, 3.6.4), by which mail systems and readers recognise the copy.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime, parseaddr
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib
from aiosmtplib import errors

from notifier.channels.port import Accepted, ChannelName, Outcome, Outgoing, Permanent, Temporary
from shared.log import CORRELATION_HEADER, redact

_DEFAULT_PORTS: Final = {"smtp": 25, "smtps": 465}
_REASON_LENGTH_MAX: Final = 200
_WITH_CODE: Final = errors.SMTPResponseException


@dataclass(frozen=True, slots=True)
class Server:
    """A mail server and how we speak to it."""

    host: str
    port: int
    username: str | None
    password: str | None = field(repr=False)
    tls: bool
    starttls: bool | None
    """True demands it, False forbids it, None takes it where it is offered."""


def parse_url(url: str) -> Server:
    """Read `smtp://user:password@host:port?starttls=1` or `smtps://...`.

    Raises ValueError that says what is wrong and repeats no password.
    """
    parts = urlsplit(url)
    options = parse_qs(parts.query, keep_blank_values=True)
    starttls = {"": None, "0": False, "1": True}.get(options.pop("starttls", [""])[0], "wrong")
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or parts.path not in ("", "/"):
        raise ValueError("expected smtp://user:password@host:port or smtps://..., or log://")
    if options or isinstance(starttls, str) or (parts.scheme == "smtps" and starttls):
        raise ValueError("the only option is starttls=1 or starttls=0, for smtp:// alone")
    return Server(
        host=parts.hostname,
        port=parts.port or _DEFAULT_PORTS[parts.scheme],
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        tls=parts.scheme == "smtps",
        starttls=starttls,
    )


class Smtp:
    """The e-mail channel; sends one message at a time."""

    name: ChannelName = "email"
    parallel = 1

    def __init__(self, server: Server, mail_from: str, timeout_seconds: float) -> None:
        self._server = server
        self._from = mail_from
        self._timeout_seconds = timeout_seconds
        self._client: aiosmtplib.SMTP | None = None

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Close the connection at the end; it is made when the first message needs it."""
        try:
            yield
        finally:
            self._drop()

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Hand one message to the server; answers are sorted by RFC 5321, 4.2.1."""
        try:
            to = _ascii_domain(outgoing.content.to)
            mail = compose(outgoing, self._from, to)
        except ValueError:
            return Permanent("no mail can be written to this address")
        try:
            client = await self._connected()
        except (OSError, errors.SMTPException) as error:
            self._drop()
            # Not reached is weather; reached and refused is a password, or TLS it does not have.
            return Temporary(_reason("cannot connect", error), ours=not isinstance(error, OSError))
        try:
            await client.send_message(mail, sender=parseaddr(self._from)[1], recipients=[to])
        except errors.SMTPException as error:
            return self._failed(error)
        except BaseException:
            # Cut off in the middle: the next message must not continue this conversation.
            self._drop()
            raise
        return Accepted(str(mail["Message-ID"]))

    def _failed(self, error: errors.SMTPException) -> Outcome:
        if isinstance(error, errors.SMTPRecipientsRefused):
            first = error.recipients[0]
            return _sorted(first.code, _reason("recipient refused", first), ours=False)
        if isinstance(error, errors.SMTPSenderRefused | errors.SMTPHeloError):
            return Temporary(_reason("we are refused", error), ours=error.code >= 500)
        if isinstance(error, errors.SMTPResponseException):
            return _sorted(error.code, _reason("message refused", error), ours=True)
        if isinstance(error, errors.SMTPNotSupported):
            return Permanent(_reason("the server lacks what the address needs", error))
        self._drop()
        return Temporary(_reason("connection lost", error), unknown=True)

    async def _connected(self) -> aiosmtplib.SMTP:
        if self._client is not None and self._client.is_connected:
            try:
                await self._client.noop()
            except errors.SMTPException:
                self._drop()  # the server was tired of waiting for us
        if self._client is None or not self._client.is_connected:
            self._client = aiosmtplib.SMTP(
                hostname=self._server.host,
                port=self._server.port,
                username=self._server.username,
                password=self._server.password,
                use_tls=self._server.tls,
                start_tls=self._server.starttls,
                timeout=self._timeout_seconds,
            )
            await self._client.connect()
        return self._client

    def _drop(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


def compose(outgoing: Outgoing, mail_from: str, to: str) -> EmailMessage:
    """Return the message with both of its parts; raises ValueError for an impossible address."""
    content = outgoing.content
    mail = EmailMessage(policy=SMTP_POLICY)
    mail["From"] = mail_from
    mail["To"] = to
    mail["Subject"] = content.subject
    mail["Date"] = format_datetime(outgoing.created_at)
    mail["Message-ID"] = f"<{outgoing.key}@{parseaddr(mail_from)[1].rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail[CORRELATION_HEADER] = outgoing.correlation_id
    mail.set_content(content.text)
    mail.add_alternative(content.html, subtype="html")
    return mail


def _ascii_domain(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.encode('idna').decode()}"


def _sorted(code: int, reason: str, *, ours: bool) -> Outcome:
    return Permanent(reason, ours=ours) if code >= 500 else Temporary(reason)


def _reason(what: str, error: BaseException) -> str:
    """Return why, without the addresses that servers like to repeat: it is kept in the open."""
    said = f"{error.code} {error.message}" if isinstance(error, _WITH_CODE) else str(error)
    return redact(f"{what}: {said}")[:_REASON_LENGTH_MAX]
