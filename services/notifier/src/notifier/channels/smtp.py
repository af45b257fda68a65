"""E-mail over SMTP: a few connections at once, kept between messages while the server likes it.

SMTP has no idempotence. An e-mail whose outcome is unknown is sent again under the same
Message-ID (RFC 5322, 3.6.4), by which many mail systems and readers recognise the copy; the doubt
stays written. The outcome is unknown only where the letter itself was on its way; what fails before
that has sent nothing.
Signing the domain's mail (DKIM) is the server's business.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Final

from aiosmtplib import errors

from notifier.channels.mail_headers import POLICY, add_way_out
from notifier.channels.port import Accepted, ChannelName, Outcome, Outgoing, Permanent, Temporary
from notifier.channels.smtp_pool import Connection, Pool, Server, parse_url
from shared.log import CORRELATION_HEADER, redact

__all__ = ["Server", "Smtp", "compose", "parse_url"]

CONNECTIONS: Final = 4
_REASON_LENGTH_MAX: Final = 200
_WITH_CODE: Final = errors.SMTPResponseException
_CLOSING: Final = 421
_ENHANCED = re.compile(r"^\s*([245]\.\d{1,3}\.\d{1,3})\b")
_DEAD_CODES: Final = ("5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1")
"""RFC 3463, 3.2 and 3.3, and RFC 7505: no such mailbox, no such domain, moved, disabled."""
_DEAD_WORDS = re.compile(
    r"no such (user|mailbox|recipient)|(user|mailbox|recipient|address) (unknown|not found)"
    r"|unknown (user|recipient|mailbox)|does ?n.t exist|does not exist|invalid (recipient|mailbox)",
    re.IGNORECASE,
)
"""What servers say that know no enhanced codes."""


class Smtp:
    """The e-mail channel."""

    name: ChannelName = "email"

    def __init__(
        self,
        server: Server,
        mail_from: str,
        timeout_seconds: float,
        connections: int = CONNECTIONS,
    ) -> None:
        self._from = mail_from
        self._timeout_seconds = timeout_seconds
        self._pool = Pool(server, timeout_seconds)
        self.parallel = connections

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Close the connections at the end; they are made when messages need them."""
        try:
            yield
        finally:
            await self._pool.close()

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Hand one message to the server; answers are sorted by RFC 5321, 4.2.1."""
        try:
            to = _ascii_domain(outgoing.content.to)
            mail = compose(outgoing, self._from, to)
        except ValueError:
            return Permanent("no mail can be written to this address", dead=True)
        failed = await self._attempt(mail, to, fresh=False)
        if failed is _STALE:
            failed = await self._attempt(mail, to, fresh=True)
        return failed or Accepted(str(mail["Message-ID"]), perhaps_twice=outgoing.doubtful)

    async def _attempt(self, mail: EmailMessage, to: str, *, fresh: bool) -> Outcome | None:
        """Send on one connection; None where it went, `_STALE` where a kept one was dead."""
        used: Connection | None = None
        try:
            async with (
                asyncio.timeout(self._timeout_seconds),
                self._pool.connection(fresh=fresh) as used,
            ):
                refused = await self._letter(used, mail, to)
        except (OSError, TimeoutError, errors.SMTPException) as error:
            return _broken(used, error)
        return refused

    async def _letter(self, connection: Connection, mail: EmailMessage, to: str) -> Outcome | None:
        """Return what the server refuses; raises where the connection is of no use any more."""
        sender = parseaddr(self._from)[1]
        try:
            await connection.send_message(mail, sender=sender, recipients=[to])
        except errors.SMTPRecipientsRefused as error:
            first = error.recipients[0]
            _usable(first)
            return _recipient(first)
        except errors.SMTPSenderRefused as error:
            _usable(error)
            what = _reason("we are refused", error)
            return Temporary(what, ours=error.code >= 500, channel=True)
        except errors.SMTPNotSupported as error:
            return Permanent(_reason("the server lacks what the address needs", error))
        except errors.SMTPDataError as error:
            _usable(error)
            return _letter_refused(error)
        return None


_STALE: Final = Temporary("a kept connection was dead", channel=True)


def _usable(error: errors.SMTPResponseException) -> None:
    """Raise what the server said where it is going away, or where it is no answer at all."""
    if error.code == _CLOSING or not 200 <= error.code <= 599:
        raise error


def _broken(used: Connection | None, error: Exception) -> Outcome:
    """Say what it means that a connection broke, or never was."""
    if used is None:
        # Not reached is weather; reached and refused is a password, or TLS it does not have.
        weather = isinstance(error, OSError | errors.SMTPTimeoutError)
        ours = error.code >= 500 if isinstance(error, _WITH_CODE) else not weather
        return Temporary(_reason("cannot connect", error), ours=ours, channel=True)
    if isinstance(error, _WITH_CODE) and error.code == _CLOSING:
        return (
            _STALE
            if used.letters
            else Temporary(_reason("the server is closing", error), channel=True)
        )
    if used.beyond_return:
        return Temporary(_reason("connection lost", error), unknown=True, channel=True)
    if used.letters and isinstance(error, errors.SMTPServerDisconnected):
        return _STALE
    return Temporary(_reason("connection lost before the letter", error), channel=True)


def _recipient(error: errors.SMTPResponseException) -> Outcome:
    """Sort a refused recipient: a dead address is told from one that is only unwanted now."""
    reason = _reason("recipient refused", error)
    if error.code < 500:
        return Temporary(reason)
    enhanced = _ENHANCED.match(error.message)
    if enhanced:
        return Permanent(reason, dead=enhanced[1] in _DEAD_CODES)
    return Permanent(reason, dead=bool(_DEAD_WORDS.search(error.message)))


def _letter_refused(error: errors.SMTPResponseException) -> Outcome:
    reason = _reason("message refused", error)
    if error.code >= 500:
        return Permanent(reason, ours=True)
    # 4.3.x is the state of the mail system (RFC 3463, 3.4): others would meet the same.
    enhanced = _ENHANCED.match(error.message)
    return Temporary(reason, channel=bool(enhanced and enhanced[1].startswith("4.3.")))


def compose(outgoing: Outgoing, mail_from: str, to: str) -> EmailMessage:
    """Return the message with its parts; raises ValueError for an impossible address."""
    content = outgoing.content
    mail = EmailMessage(policy=POLICY)
    mail["From"] = mail_from
    mail["To"] = to
    mail["Subject"] = content.subject
    mail["Date"] = format_datetime(outgoing.created_at)
    mail["Message-ID"] = f"<{outgoing.key}@{parseaddr(mail_from)[1].rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    add_way_out(mail, content.unsubscribe_url)
    mail[CORRELATION_HEADER] = outgoing.correlation_id
    mail.set_content(content.text)
    if content.html:
        mail.add_alternative(content.html, subtype="html")
    return mail


def _ascii_domain(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.encode('idna').decode()}"


def _reason(what: str, error: BaseException) -> str:
    """Return why, without the addresses that servers like to repeat: it is kept in the open."""
    said = f"{error.code} {error.message}" if isinstance(error, _WITH_CODE) else str(error)
    return redact(f"{what}: {said or type(error).__name__}")[:_REASON_LENGTH_MAX]
