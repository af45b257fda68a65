"""SMS over the HTTP API of SMSC.ru; what is said and what it means stands in `smsc_wire`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
)

from notifier.channels import smsc_wire
from notifier.channels.port import ChannelName, Outcome, Outgoing, Temporary

_ANSWER_BYTES_MAX: Final = 64 * 1024
_CONNECTIONS_MAX: Final = 5


class Smsc:
    """The SMS channel through SMSC.ru."""

    name: ChannelName = "sms"
    parallel = _CONNECTIONS_MAX

    def __init__(
        self, api_url: str, login: str, password: str, sender: str, timeout_seconds: float
    ) -> None:
        self._api_url = api_url
        self._account = {"login": login, "psw": password}
        self._sender = sender
        self._timeout = ClientTimeout(total=timeout_seconds)
        self._session: ClientSession | None = None

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Hold the connections to the provider."""
        async with ClientSession(timeout=self._timeout, cookie_jar=DummyCookieJar()) as session:
            self._session = session
            try:
                yield
            finally:
                self._session = None

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Send one SMS; what may have been taken before is looked up first, never sent blindly."""
        if outgoing.doubtful:
            answer = await self._ask("status.php", smsc_wire.question(outgoing, self._account))
            if isinstance(answer, Temporary):
                return replace(answer, unknown=True)
            found = smsc_wire.known(*answer, key=str(outgoing.key))
            if found is not None:
                return found
        form = smsc_wire.message(outgoing, self._account, self._sender)
        answer = await self._ask("send.php", form)
        return answer if isinstance(answer, Temporary) else smsc_wire.sent(*answer)

    async def _ask(self, page: str, form: Mapping[str, str]) -> tuple[int, bytes] | Temporary:
        """Return status and body; Temporary where there was no answer."""
        if self._session is None:
            raise RuntimeError("the channel is not open")
        url = f"{self._api_url}/sys/{page}"
        try:
            async with self._session.post(url, data=form, allow_redirects=False) as response:
                return response.status, await _read(response)
        except ClientConnectorError as error:
            return Temporary(f"smsc: cannot connect ({type(error).__name__})")
        except (ClientError, TimeoutError, OSError) as error:
            return Temporary(f"smsc: no answer ({type(error).__name__})", unknown=True)


async def _read(response: ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(8192):
        body += chunk
        if len(body) > _ANSWER_BYTES_MAX:
            break
    return bytes(body)
