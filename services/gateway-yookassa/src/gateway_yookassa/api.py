"""Talks to YooKassa: our own client, because an unclear outcome must not look like a failure.

Every call has a connect and a total timeout, waits its turn in the shop's bucket, reads a bounded
answer, follows no redirect. A POST waits 40 s: YooKassa answers within 30 or gives up with a 500.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import Any, Final

import aiohttp
import structlog
from pydantic import SecretStr

from gateway_yookassa import wire
from shared.gateway.bucket import Bucket
from shared.gateway.provider import (
    Failure,
    Missing,
    Order,
    Page,
    ProviderPayment,
    Throttled,
    Unclear,
)
from shared.metrics import PROVIDER_CALLS

ANSWER_BYTES_MAX: Final = 2 * 1024 * 1024
CONNECTIONS_MAX: Final = 32
CONNECT_SECONDS: Final = 5.0
TURN_SECONDS_MAX: Final = 6.0
PAGE_SIZE: Final = 100

_log = structlog.get_logger(__name__)


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


class YooKassa:
    """One shop; usable while `connected` is open."""

    def __init__(self, shop: Shop) -> None:
        self.shop = wire.shop_name(shop.account_id)
        self.test = shop.test
        self._shop = shop
        self._bucket = Bucket(shop.requests_per_second)
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

    def request(self, order: Order) -> bytes:
        """Return the bytes that ask for a payment."""
        return wire.request(order)

    async def create(self, key: str, request: bytes) -> ProviderPayment | Failure:
        """Ask for a payment; see `Provider`."""
        headers = {"Idempotence-Key": key, "Content-Type": "application/json"}
        outcome = await self._call(
            "POST", "/payments", self._shop.create_seconds, data=request, headers=headers
        )
        if isinstance(outcome, Missing):
            return Unclear("missing")
        return outcome if isinstance(outcome, Failure) else _payment(outcome)

    async def fetch(self, provider_payment_id: str) -> ProviderPayment | Missing | Failure:
        """Ask how a payment stands; see `Provider`."""
        path = f"/payments/{provider_payment_id}"
        outcome = await self._call("GET", path, self._shop.fetch_seconds)
        if isinstance(outcome, Failure | Missing):
            return outcome
        found = _payment(outcome)
        if isinstance(found, ProviderPayment) and found.id != provider_payment_id:
            return Unclear("another_payment")
        return found

    async def listed(self, since: datetime, until: datetime, cursor: str | None) -> Page | Failure:
        """Return one page of the list; see `Provider`."""
        query = {
            "created_at.gte": _instant(since),
            "created_at.lte": _instant(until),
            "limit": str(PAGE_SIZE),
        } | ({"cursor": cursor} if cursor else {})
        outcome = await self._call("GET", "/payments", self._shop.fetch_seconds, params=query)
        if isinstance(outcome, Missing):
            return Unclear("missing")
        if isinstance(outcome, Failure):
            return outcome
        try:
            return wire.page(outcome.value)
        except wire.Unreadable as error:
            return Unclear(f"unreadable: {error}")

    async def _call(
        self, method: str, path: str, seconds: float, **what: Any
    ) -> _Answer | Missing | Failure:
        if self._session is None:
            raise RuntimeError("the client of this shop is not connected")
        if not await self._bucket.turn(TURN_SECONDS_MAX):
            return Throttled()
        began = perf_counter()
        outcome = await self._send(self._session, method, path, seconds, **what)
        label = type(outcome).__name__.strip("_").lower()
        PROVIDER_CALLS.labels(self.shop, method, label).observe(perf_counter() - began)
        if isinstance(outcome, Throttled):
            self._bucket.rest(outcome.retry_after)
        return outcome

    async def _send(
        self, session: aiohttp.ClientSession, method: str, path: str, seconds: float, **what: Any
    ) -> _Answer | Missing | Failure:
        timeout = aiohttp.ClientTimeout(total=seconds, connect=min(seconds, CONNECT_SECONDS))
        url = self._shop.api_url + path
        try:
            async with session.request(
                method, url, timeout=timeout, allow_redirects=False, **what
            ) as response:
                body = await _read(response)
                status = response.status
        except (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError, OSError) as error:
            return Unclear(f"{type(error).__name__}")
        if status != 200:
            return wire.failure(status, body, reading=method == "GET")
        try:
            return _Answer(wire.answer(body))
        except wire.Unreadable as error:
            return Unclear(f"unreadable: {error}")


@dataclass(frozen=True, slots=True)
class _Answer:
    value: Any


class _TooLong(aiohttp.ClientError):
    """An answer larger than any of YooKassa's."""


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(65_536):
        body += chunk
        if len(body) > ANSWER_BYTES_MAX:
            raise _TooLong
    return bytes(body)


def _payment(outcome: _Answer) -> ProviderPayment | Failure:
    try:
        return wire.payment(outcome.value)
    except wire.Unreadable as error:
        _log.warning("yookassa.unreadable", error=str(error))
        return Unclear(f"unreadable: {error}")


def _instant(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
