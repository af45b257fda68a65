"""The way to YooKassa: one shop's connections, its turn in the queue, its bounded answers.

Every call has a connect and a total timeout, passes the shop's breaker, waits its turn in the
shop's bucket, reads a bounded answer, follows no redirect. A POST waits 40 s: YooKassa answers
within 30 or gives up with a 500.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from time import perf_counter
from typing import Any, Final, NamedTuple

import aiohttp
from pydantic import SecretStr

from gateway_yookassa import exchange, wire
from shared.gateway.breaker import PROBING, Breaker
from shared.gateway.bucket import Bucket
from shared.gateway.journal import Journal
from shared.gateway.provider import Failure, Missing, Throttled, Unclear
from shared.metrics import PROVIDER_CALLS

ANSWER_BYTES_MAX: Final = 2 * 1024 * 1024
CONNECTIONS_MAX: Final = 32
CONNECT_SECONDS: Final = 5.0
TURN_SECONDS_MAX: Final = 6.0
BREAKER_OPEN: Final = "breaker_open"


@dataclass(frozen=True)
class Shop:
    """Where a shop is and what opens it."""

    account_id: str
    secret_key: SecretStr
    api_url: str
    test: bool
    requests_per_second: float
    create_seconds: float
    fetch_seconds: float
    breaker_failures: int = 5
    breaker_pauses: tuple[timedelta, ...] = tuple(timedelta(seconds=n) for n in (1, 2, 5, 10, 20))


@dataclass(frozen=True, slots=True)
class Answer:
    """The JSON of an answer 200."""

    value: Any


class Client:
    """One shop's way; usable while `connected` is open."""

    def __init__(self, shop: Shop, journal: Journal | None = None) -> None:
        self.shop = wire.shop_name(shop.account_id)
        self._shop = shop
        self._journal = journal
        self._bucket = Bucket(shop.requests_per_second)
        self._breaker = Breaker(self.shop, shop.breaker_failures, shop.breaker_pauses)
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Hold the connections to YooKassa open."""
        credentials = (self._shop.account_id, self._shop.secret_key.get_secret_value())
        async with aiohttp.ClientSession(
            headers={"Authorization": aiohttp.encode_basic_auth(*credentials)},
            connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX),
            cookie_jar=aiohttp.DummyCookieJar(),
        ) as session:
            self._session = session
            try:
                yield
            finally:
                self._session = None

    async def call(
        self, method: str, path: str, seconds: float, **what: Any
    ) -> Answer | Missing | Failure:
        """Send a request when its turn comes; what is no answer is a failure with its meaning."""
        if self._session is None:
            raise RuntimeError("the client of this shop is not connected")
        given = self._breaker.enter()
        if isinstance(given, timedelta):
            return Unclear(BREAKER_OPEN, given, unsent=True)
        answered = None
        try:
            if not await self._bucket.turn(TURN_SECONDS_MAX):
                return Throttled(self._bucket.wait)
            if not self._breaker.holds(given):
                return Unclear(BREAKER_OPEN, PROBING, unsent=True)
            outcome = await self._timed(self._session, method, path, seconds, **what)
            answered = not isinstance(outcome, Unclear)
        finally:
            self._breaker.leave(given, answered)
        if isinstance(outcome, Throttled):
            self._bucket.rest(outcome.retry_after)
        return outcome

    async def _timed(
        self, session: aiohttp.ClientSession, method: str, path: str, seconds: float, **what: Any
    ) -> Answer | Missing | Failure:
        at = self._journal.clock() if self._journal is not None else None
        began = perf_counter()
        heard = await self._send(session, method, path, seconds, **what)
        outcome = _meaning(heard, reading=method == "GET")
        label = type(outcome).__name__.lower()
        took = perf_counter() - began
        PROVIDER_CALLS.labels(self.shop, method, label).observe(took)
        if self._journal is not None and at is not None:
            called = at, self.shop, (method, path), heard.fault or label, heard.status, took
            said = outcome.value if isinstance(outcome, Answer) else exchange.read(heard.body)
            self._journal.note(exchange.entry(*called, exchange.read(what.get("data")), said))
        return outcome

    async def _send(
        self, session: aiohttp.ClientSession, method: str, path: str, seconds: float, **what: Any
    ) -> _Heard:
        timeout = aiohttp.ClientTimeout(total=seconds, connect=min(seconds, CONNECT_SECONDS))
        url = self._shop.api_url + path
        try:
            async with session.request(
                method, url, timeout=timeout, allow_redirects=False, **what
            ) as response:
                return _Heard(response.status, await _read(response))
        except (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError, OSError) as error:
            return _Heard(None, b"", type(error).__name__)


class _Heard(NamedTuple):
    """What came back, or why nothing did."""

    status: int | None
    body: bytes
    fault: str = ""


def _meaning(heard: _Heard, *, reading: bool) -> Answer | Missing | Failure:
    if heard.status is None:
        return Unclear(heard.fault)
    if heard.status != 200:
        return wire.failure(heard.status, heard.body, reading=reading)
    try:
        return Answer(wire.answer(heard.body))
    except wire.Unreadable as error:
        return Unclear(f"unreadable: {error}")


class _TooLong(aiohttp.ClientError):
    """An answer larger than any of YooKassa's."""


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(65_536):
        body += chunk
        if len(body) > ANSWER_BYTES_MAX:
            raise _TooLong
    return bytes(body)
