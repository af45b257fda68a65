"""The way to one merchant account: what is asked of the bank, and how its answers are read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, TypeVar

import structlog
from pydantic import SecretStr

from gateway_sbp.acquirers.raiffeisen import journal as masking
from gateway_sbp.acquirers.raiffeisen.wire import receipts, words
from shared.clock import Clock
from shared.db import Database
from shared.gateway.answer import Answer
from shared.gateway.client import Client, Endpoint, Heard
from shared.gateway.journal import Journal
from shared.gateway.provider import Failure, Missing, Unclear
from shared.gateway.vat import Rate

Read = TypeVar("Read")

_JSON: Final = {"Content-Type": "application/json"}

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Account:
    """Where a merchant account is and what opens it."""

    merchant_id: str
    secret_key: SecretStr
    api_url: str
    test: bool
    requests_per_second: float
    lifetime: timedelta
    """How long a code for one payment can be paid."""
    create_seconds: float
    fetch_seconds: float
    breaker_failures: int = 5
    breaker_pauses: Sequence[timedelta] = tuple(timedelta(seconds=n) for n in (1, 2, 5, 10, 20))
    vat_words: Mapping[Rate, str] = field(default_factory=lambda: receipts.WORDS)


class Merchant:
    """One merchant account; usable while `connected` is open."""

    def __init__(
        self, account: Account, db: Database, clock: Clock, journal: Journal | None = None
    ) -> None:
        self.account = account
        self.shop = words.shop_name(account.merchant_id)
        self.db = db
        self.clock = clock
        endpoint = Endpoint(
            shop=self.shop,
            url=account.api_url,
            requests_per_second=account.requests_per_second,
            headers={"Authorization": f"Bearer {self.secret}"},
            breaker_failures=account.breaker_failures,
            breaker_pauses=tuple(account.breaker_pauses),
        )
        self._client = Client(endpoint, _meaning, masking.entry, journal)

    @property
    def secret(self) -> str:
        """Return what opens the account and signs its callbacks."""
        return self.account.secret_key.get_secret_value()

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Hold the connections to the bank open."""
        async with self._client.connected():
            yield

    async def get(self, path: str) -> Answer | Missing | Failure:
        """Ask, changing nothing."""
        return await self._client.call("GET", path, self.account.fetch_seconds)

    async def post(self, path: str, body: bytes) -> Answer | Failure:
        """Ask for something new."""
        return await self._write("POST", path, data=body, headers=_JSON)

    async def put(self, path: str) -> Answer | Failure:
        """Have done what the path says."""
        return await self._write("PUT", path)

    async def delete(self, path: str) -> Answer | Failure:
        """Have something ended."""
        return await self._write("DELETE", path)

    async def _write(self, method: str, path: str, **what: Any) -> Answer | Failure:
        said = await self._client.call(method, path, self.account.create_seconds, **what)
        return Unclear("missing") if isinstance(said, Missing) else said


def read(translate: Callable[[Any], Read], outcome: Answer | Failure) -> Read | Failure:
    """Return an answer in our words; one that is not what the API promises is unclear."""
    if isinstance(outcome, Failure):
        return outcome
    try:
        return translate(outcome.value)
    except words.Unreadable as error:
        _log.warning("raiffeisen.unreadable", error=str(error))
        return Unclear(f"unreadable: {error}")


def _meaning(heard: Heard, reading: bool) -> Answer | Missing | Failure:
    return words.meaning(heard.status, heard.body, heard.fault, reading=reading)
