"""The way to a provider: one account's connections, its turn in the queue, its bounded answers.

Every call has a connect and a total timeout, passes the account's breaker, waits its turn in the
account's bucket, reads a bounded answer, follows no redirect. What an answer means its adapter
says; that something else came, or nothing, is told apart here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any, Final, NamedTuple

import aiohttp

from shared.breaker import PROBING, Breaker
from shared.gateway.answer import Answer
from shared.gateway.bucket import Bucket
from shared.gateway.journal import Entry, Journal
from shared.gateway.provider import Failure, Missing, Throttled, Unclear
from shared.metrics import PROVIDER_CALLS

ANSWER_BYTES_MAX: Final = 2 * 1024 * 1024
CONNECTIONS_MAX: Final = 32
CONNECT_SECONDS: Final = 5.0
TURN_SECONDS_MAX: Final = 6.0
BREAKER_OPEN: Final = "breaker_open"


@dataclass(frozen=True)
class Endpoint:
    """Where an account is and what opens it."""

    shop: str
    """The account's name, for instance ``yookassa:100500``."""
    url: str
    requests_per_second: float
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Sent with every request; they may hold a secret."""
    breaker_failures: int = 5
    breaker_pauses: tuple[timedelta, ...] = tuple(timedelta(seconds=n) for n in (1, 2, 5, 10, 20))


class Heard(NamedTuple):
    """What came back, or why nothing did."""

    status: int | None
    body: bytes
    fault: str = ""


class Exchange(NamedTuple):
    """One request and what came of it, for the journal."""

    at: datetime
    shop: str
    method: str
    path: str
    outcome: str
    seconds: float
    sent: bytes | None
    heard: Heard


Meaning = Callable[[Heard, bool], Answer | Missing | Failure]
"""Says what came back; the second argument tells a reading request from one that writes."""
Masked = Callable[[Exchange], Entry]
"""Says what of an exchange may be kept."""


class Client:
    """One account's way; usable while `connected` is open."""

    def __init__(
        self, endpoint: Endpoint, meaning: Meaning, masked: Masked, journal: Journal | None = None
    ) -> None:
        self.shop = endpoint.shop
        self._endpoint = endpoint
        self._meaning = meaning
        self._masked = masked
        self._journal = journal
        self._bucket = Bucket(endpoint.requests_per_second)
        self._breaker = Breaker(self.shop, endpoint.breaker_failures, endpoint.breaker_pauses)
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Hold the connections to the provider open."""
        async with aiohttp.ClientSession(
            headers=self._endpoint.headers,
            connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX),
            cookie_jar=aiohttp.DummyCookieJar(),
        ) as session:
            self._session = session
            try:
                yield
            finally:
                self._session = None

    async def call(
        self, method: str, path: str, seconds: float, *, reads: bool | None = None, **what: Any
    ) -> Answer | Missing | Failure:
        """Send a request when its turn comes; what is no answer is a failure with its meaning.

        `reads` says that it changes nothing; not said, a GET does so. `what` goes to aiohttp.
        """
        if self._session is None:
            raise RuntimeError("the client of this account is not connected")
        given = self._breaker.enter()
        if isinstance(given, timedelta):
            return Unclear(BREAKER_OPEN, given, unsent=True)
        reading, answered = method == "GET" if reads is None else reads, None
        try:
            if not await self._bucket.turn(TURN_SECONDS_MAX):
                return Throttled(self._bucket.wait)
            if not self._breaker.holds(given):
                return Unclear(BREAKER_OPEN, PROBING, unsent=True)
            outcome = await self._timed(self._session, (method, path), seconds, reading, what)
            answered = not isinstance(outcome, Unclear)
        finally:
            self._breaker.leave(given, answered)
        if isinstance(outcome, Throttled):
            self._bucket.rest(outcome.retry_after)
        return outcome

    async def _timed(
        self,
        session: aiohttp.ClientSession,
        call: tuple[str, str],
        seconds: float,
        reading: bool,
        what: Mapping[str, Any],
    ) -> Answer | Missing | Failure:
        at = self._journal.clock() if self._journal is not None else None
        began = perf_counter()
        heard = await self._send(session, call, seconds, what)
        outcome = self._meaning(heard, reading)
        label = type(outcome).__name__.lower()
        took = perf_counter() - began
        PROVIDER_CALLS.labels(self.shop, call[0], label).observe(took)
        if self._journal is not None and at is not None:
            told = heard.fault or label
            one = Exchange(at, self.shop, *call, told, took, what.get("data"), heard)
            self._journal.note(self._masked(one))
        return outcome

    async def _send(
        self,
        session: aiohttp.ClientSession,
        call: tuple[str, str],
        seconds: float,
        what: Mapping[str, Any],
    ) -> Heard:
        timeout = aiohttp.ClientTimeout(total=seconds, connect=min(seconds, CONNECT_SECONDS))
        method, path = call
        try:
            async with session.request(
                method, self._endpoint.url + path, timeout=timeout, allow_redirects=False, **what
            ) as response:
                return Heard(response.status, await _read(response))
        except (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError, OSError) as error:
            return Heard(None, b"", type(error).__name__)


class _TooLong(aiohttp.ClientError):
    """An answer larger than any that a provider gives."""


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(65_536):
        body += chunk
        if len(body) > ANSWER_BYTES_MAX:
            raise _TooLong
    return bytes(body)
