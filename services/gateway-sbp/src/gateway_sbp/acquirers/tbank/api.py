"""What T-Bank is asked, and what its answers mean to a gateway.

The bank knows a payment by our OrderId, which it takes once: so a code and a charge are made once.
A refund it does as often as it is asked: see `sending_back`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final

import orjson

from gateway_sbp.absent import NoHolds, NoLists
from gateway_sbp.acquirer import StaticCode, StaticOrder
from gateway_sbp.acquirers.tbank import charging, coding, sending_back, standing
from gateway_sbp.acquirers.tbank import journal as masking
from gateway_sbp.acquirers.tbank.terminal import Account, Terminal, read
from gateway_sbp.acquirers.tbank.wire import bindings, notices, payments, refunds, words
from shared.clock import Clock
from shared.db import Database
from shared.errors import Text
from shared.gateway.journal import Journal
from shared.gateway.method import ProviderMethod
from shared.gateway.provider import (
    Failure,
    Missing,
    Nudge,
    Order,
    ProviderPayment,
    ProviderRefund,
    RefundOrder,
    RefundPage,
)

__all__ = ["Account", "TBank"]

BINDING_TERM: Final = timedelta(hours=1)
"""How long the code of a binding can be used."""


class TBank(NoHolds, NoLists):
    """One terminal; usable while `connected` is open."""

    kinds = frozenset({words.METHOD})
    answer = b"OK"
    till = None

    def __init__(
        self, account: Account, db: Database, clock: Clock, journal: Journal | None = None
    ) -> None:
        self._terminal = Terminal(account, db, clock, journal)
        self.shop = self._terminal.shop
        self.test = account.test

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Hold the connections to the bank open."""
        async with self._terminal.connected():
            yield

    def hear(self, headers: Mapping[str, str], body: bytes) -> Nudge | None:
        """Check and read a notification; see `Acquirer`."""
        return notices.notice(body, self._terminal.key, self._terminal.password)

    def masked(self, body: bytes) -> bytes:
        """Return what may be kept of a notification that could not be read."""
        return masking.masked(body)

    def request(self, order: Order) -> bytes:
        """Return what is asked for a code or a charge; it is signed when it is sent."""
        account = self._terminal.account
        until = self._terminal.clock() + account.lifetime
        return payments.request(order, account.terminal_key, until, account.notification_url)

    async def create(self, key: str, request: bytes) -> ProviderPayment | Failure:
        """Make a code, or charge a bound account; see `Provider`."""
        asked = orjson.loads(request)
        binding = asked.pop(payments.BINDING, None)
        if binding is not None:
            return await charging.charge(self._terminal, asked, binding)
        return await coding.create(self._terminal, asked)

    async def find(self, request: bytes) -> ProviderPayment | Missing | Failure:
        """Return what a request has made; see `Finder`."""
        return await coding.find(self._terminal, orjson.loads(request))

    async def fetch(self, provider_payment_id: str) -> ProviderPayment | Missing | Failure:
        """Ask how a payment stands; see `Provider`."""
        return await standing.fetch(self._terminal, provider_payment_id)

    async def cancel(self, provider_payment_id: str) -> ProviderPayment | Failure:
        """End a code that nobody is paying by; see `Ender`."""
        return await coding.cancel(self._terminal, provider_payment_id)

    async def register(self, order: StaticOrder) -> StaticCode | Failure | None:
        """Return nothing: the bank's one code on paper names no contract."""
        return None

    def refund_request(self, order: RefundOrder) -> bytes:
        """Return what is to be sent back; it is signed when it is sent."""
        return refunds.refund_request(order, self._terminal.key)

    async def create_refund(self, key: str, request: bytes) -> ProviderRefund | Failure:
        """Send money back, once; see `Provider`."""
        return await sending_back.create(self._terminal, request)

    async def fetch_refund(self, provider_refund_id: str) -> ProviderRefund | Missing | Failure:
        """Tell how a refund stands; see `Provider`."""
        return await sending_back.fetch(self._terminal, provider_refund_id)

    async def refunds_listed(
        self, since: datetime, until: datetime, cursor: str | None, of: str | None = None
    ) -> RefundPage | Failure:
        """Return the refunds of a payment; the bank has no list of those of all."""
        if of is None:
            return RefundPage((), None)
        return await sending_back.listed(self._terminal, of)

    def explained(self, failure: str) -> Text | None:
        """Return why a refund came to nothing; see `Provider`."""
        return words.EXPLAINED.get(failure)

    def binding(self, kind: str, return_url: str) -> bytes:
        """Return what is asked for a binding; the bank takes no address to come back to."""
        return bindings.binding(self._terminal.key, self._terminal.clock() + BINDING_TERM)

    async def bind(self, key: str, request: bytes) -> ProviderMethod | Failure:
        """Ask for a binding; one whose answer is lost is harmless, because nobody has seen it."""
        answer = await self._terminal.do("AddAccountQr", orjson.loads(request))
        return read(bindings.added, answer)

    async def kept(self, token: str) -> ProviderMethod | Missing | Failure:
        """Ask how a binding stands; see `Keeper`."""
        said = await self._terminal.ask("GetAddAccountQrState", RequestKey=token)
        if isinstance(said, Missing):
            return said
        return read(lambda value: bindings.method(token, value), said)
