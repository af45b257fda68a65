"""What channels over HTTP share: one session, bounded answers, and failures as outcomes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
    TCPConnector,
)

from notifier.channels.port import Temporary

ANSWER_BYTES_MAX: Final = 64 * 1024
_CONNECT_SECONDS_MAX: Final = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider said; a body longer than 64 KiB is cut."""

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class Http:
    """The connections to one provider. `provider` is how reasons name it."""

    def __init__(self, provider: str, timeout_seconds: float, connections: int) -> None:
        self._provider = provider
        self._connections = connections
        connect = min(timeout_seconds, _CONNECT_SECONDS_MAX)
        self._timeout = ClientTimeout(total=timeout_seconds, connect=connect)
        self._session: ClientSession | None = None

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Hold the connections."""
        connector = TCPConnector(limit=self._connections)
        async with ClientSession(
            timeout=self._timeout, connector=connector, cookie_jar=DummyCookieJar()
        ) as session:
            self._session = session
            try:
                yield
            finally:
                self._session = None

    async def post(
        self, url: str, data: Any, headers: Mapping[str, str] | None = None
    ) -> Answer | Temporary:
        """Return the answer; Temporary where there was none, and then the address is not named.

        A refused connection has carried nothing; after any other failure the outcome is unknown.
        """
        if self._session is None:
            raise RuntimeError("the channel is not open")
        request = self._session.post(url, data=data, headers=headers, allow_redirects=False)
        try:
            async with request as response:
                return Answer(response.status, await _read(response), response.headers)
        except (ClientConnectorError, ConnectionTimeoutError) as error:
            what = f"{self._provider}: cannot connect ({type(error).__name__})"
            return Temporary(what, channel=True)
        except (ClientError, TimeoutError, OSError) as error:
            what = f"{self._provider}: no answer ({type(error).__name__})"
            return Temporary(what, unknown=True, channel=True)


async def _read(response: ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(8192):
        body += chunk
        if len(body) > ANSWER_BYTES_MAX:
            response.close()
            break
    return bytes(body[:ANSWER_BYTES_MAX])
