"""The way to one terminal: every call is a signed POST, and its answer is read exactly."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar

import structlog
from pydantic import SecretStr

from gateway_sbp.acquirers.tbank import journal as masking
from gateway_sbp.acquirers.tbank.wire import words
from gateway_sbp.acquirers.tbank.wire.token import sealed
from shared.clock import Clock
from shared.db import Database
from shared.gateway.answer import Answer
from shared.gateway.client import Client, Endpoint, Heard
from shared.gateway.journal import Journal
from shared.gateway.provider import Failure, Missing, Unclear

Read = TypeVar("Read")

_JSON: Final = {"Content-Type": "application/json"}

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Account:
    """Where a terminal is and what opens it."""

    terminal_key: str
    password: SecretStr
    api_url: str
    test: bool
    requests_per_second: float
    lifetime: timedelta
    """How long a code for one payment can be paid."""
    create_seconds: float
    fetch_seconds: float
    notification_url: str | None = None
    """Where notifications of payments are to come in; unsaid they come where the terminal says."""


class Terminal:
    """One terminal; usable while `connected` is open."""

    def __init__(
        self, account: Account, db: Database, clock: Clock, journal: Journal | None = None
    ) -> None:
        self.account = account
        self.shop = words.shop_name(account.terminal_key)
        self.db = db
        self.clock = clock
        endpoint = Endpoint(
            shop=self.shop,
            url=account.api_url,
            requests_per_second=account.requests_per_second,
        )
        self._client = Client(endpoint, _meaning, masking.entry, journal)

    @property
    def key(self) -> str:
        """Return the terminal's key, which stands in every request."""
        return self.account.terminal_key

    @property
    def password(self) -> str:
        """Return what signs requests and notifications."""
        return self.account.password.get_secret_value()

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Hold the connections to the bank open."""
        async with self._client.connected():
            yield

    async def do(self, method: str, fields: Mapping[str, Any]) -> Answer | Failure:
        """Have something done; an answer without it says why not."""
        seconds = self.account.create_seconds
        said = await self._call(method, fields, seconds, reads=False)
        return Unclear("missing") if isinstance(said, Missing) else said

    async def ask(self, method: str, **fields: Any) -> Answer | Missing | Failure:
        """Ask how something stands, which changes nothing."""
        return await self._call(method, fields, self.account.fetch_seconds, reads=True)

    async def state(self, payment: str) -> Answer | Missing | Failure:
        """Ask how a payment stands; an answer about another one is none."""
        said = await self.ask("GetState", PaymentId=payment)
        if isinstance(said, Answer):
            other = said.value.get("TerminalKey") not in (None, self.key)
            if other or said.value.get("PaymentId") not in (None, payment):
                return Unclear("another_payment")
            return Answer({**said.value, "PaymentId": payment})
        return said

    async def _call(
        self, method: str, fields: Mapping[str, Any], seconds: float, *, reads: bool
    ) -> Answer | Missing | Failure:
        body = sealed({**fields, "TerminalKey": self.key}, self.password)
        return await self._client.call(
            "POST", f"/{method}", seconds, reads=reads, data=body, headers=_JSON
        )


def read(translate: Callable[[Any], Read], outcome: Answer | Failure) -> Read | Failure:
    """Return an answer in our words; what cannot be read is unclear."""
    if isinstance(outcome, Failure):
        return outcome
    try:
        return translate(outcome.value)
    except words.Unreadable as error:
        _log.warning("tbank.unreadable", error=str(error))
        return Unclear(f"unreadable: {error}")


def _meaning(heard: Heard, reading: bool) -> Answer | Missing | Failure:
    return words.meaning(heard.status, heard.body, heard.fault, reading=reading)
