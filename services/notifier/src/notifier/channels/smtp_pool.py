"""A few connections to a mail server, kept between messages while the server likes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib
from aiosmtplib import errors

_DEFAULT_PORTS: Final = {"smtp": 25, "smtps": 465}
_CALM_SECONDS: Final = 10.0
"""A connection that was idle for longer is asked whether it lives before it is used."""
_LETTERS_MAX: Final = 100
"""Servers dislike endless sessions; many close after a hundred letters."""


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


class Connection(aiosmtplib.SMTP):
    """A connection that knows how far the letter in hand has come."""

    letters = 0
    idle_since = 0.0
    beyond_return = False
    """The server was asked to take the letter: without its answer nobody knows whether it did."""

    async def data(self, *args: Any, **options: Any) -> aiosmtplib.SMTPResponse:
        """Send the letter itself."""
        self.beyond_return = True
        return await super().data(*args, **options)


class Pool:
    """Hands out connections to one at a time; whoever breaks one off leaves it unusable."""

    def __init__(self, server: Server, timeout_seconds: float) -> None:
        self._server = server
        self._timeout_seconds = timeout_seconds
        self._idle: list[Connection] = []

    @asynccontextmanager
    async def connection(self, *, fresh: bool = False) -> AsyncIterator[Connection]:
        """Yield a connection; it is kept for the next letter unless the block raises.

        With `fresh` it is a new one. Raises OSError or SMTPException where none can be made.
        """
        taken = await self._take(fresh)
        taken.beyond_return = False
        try:
            yield taken
        except BaseException:
            # Cut off in the middle: the next letter must not continue this conversation.
            taken.close()
            raise
        taken.letters += 1
        if taken.is_connected and taken.letters < _LETTERS_MAX:
            taken.idle_since = _now()
            self._idle.append(taken)
        else:
            await _bid_farewell(taken)

    async def close(self) -> None:
        """Say goodbye on every connection."""
        idle, self._idle = self._idle, []
        await asyncio.gather(*(_bid_farewell(each) for each in idle))

    async def _take(self, fresh: bool) -> Connection:
        while self._idle and not fresh:
            # The one used last: the others may fall asleep where few are needed.
            found = self._idle.pop()
            if found.is_connected and await _lives(found):
                return found
            found.close()
        server = self._server
        made = Connection(
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            use_tls=server.tls,
            start_tls=server.starttls,
            timeout=self._timeout_seconds,
        )
        try:
            await made.connect()
        except BaseException:
            made.close()
            raise
        return made


async def _lives(connection: Connection) -> bool:
    if _now() - connection.idle_since < _CALM_SECONDS:
        return True
    try:
        await connection.noop()
    except (errors.SMTPException, OSError):
        return False
    return True


async def _bid_farewell(connection: Connection) -> None:
    try:
        await connection.quit(timeout=1.0)
    except (errors.SMTPException, OSError):
        connection.close()


def _now() -> float:
    return asyncio.get_running_loop().time()
