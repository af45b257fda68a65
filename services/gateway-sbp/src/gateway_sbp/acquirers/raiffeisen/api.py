"""What Raiffeisen is asked, and what its answers mean to a gateway.

The bank knows no idempotency key. A code registered twice is harmless, because nobody has seen the
first one; a refund and a charge have ids of ours, so they are asked about before they are sent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final

from gateway_sbp import signed
from gateway_sbp.absent import NoHolds, NoLists
from gateway_sbp.acquirer import StaticCode, StaticOrder
from gateway_sbp.acquirers.raiffeisen import charging, sending_back
from gateway_sbp.acquirers.raiffeisen import journal as masking
from gateway_sbp.acquirers.raiffeisen.merchant import Account, Merchant, read
from gateway_sbp.acquirers.raiffeisen.till import RaiffeisenTill
from gateway_sbp.acquirers.raiffeisen.wire import (
    callbacks,
    codes,
    refunds,
    signature,
    subscriptions,
    words,
)
from shared.clock import Clock
from shared.db import Database
from shared.errors import Text
from shared.gateway.answer import Answer
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
    Status,
    Unclear,
)

_QRS: Final = "/sbp/v2/qrs"


class Raiffeisen(NoHolds, NoLists):
    """One merchant account; usable while `connected` is open."""

    kinds = frozenset({codes.METHOD})
    answer = b""

    def __init__(
        self, account: Account, db: Database, clock: Clock, journal: Journal | None = None
    ) -> None:
        self._account = account
        self._merchant = Merchant(account, db, clock, journal)
        self.shop = self._merchant.shop
        self.test = account.test
        self.till = RaiffeisenTill(self._merchant)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Hold the connections to the bank open."""
        async with self._merchant.connected():
            yield

    def hear(self, headers: Mapping[str, str], body: bytes) -> Nudge | None:
        """Check and read a callback; see `Acquirer`."""
        given = {name.lower(): value for name, value in headers.items()}
        said = given.get(signature.HEADER.lower(), "")
        nudge = callbacks.callback(body, said, self._key, test=self.test)
        return nudge._replace(shop=self.shop) if nudge is not None else None

    def masked(self, body: bytes) -> bytes:
        """Return what may be kept of a callback that could not be read."""
        return masking.masked(body)

    def request(self, order: Order) -> bytes:
        """Return the bytes that register a code or ask for a charge."""
        until = self._merchant.clock() + self._account.lifetime
        return codes.request(order, self._account.merchant_id, until)

    async def create(self, key: str, request: bytes) -> ProviderPayment | Failure:
        """Register a code, or charge a bound account; see `Provider`."""
        if codes.is_charge_request(request):
            return await charging.charge(self._merchant, request)
        answer = await self._merchant.post(_QRS, request)

        def translate(said: Any) -> ProviderPayment:
            at = self._merchant.clock()
            return codes.registered(self.shop, request, said, at, test=self.test)

        return read(translate, answer)

    async def find(self, request: bytes) -> ProviderPayment | Missing | Failure:
        """Return what a request has made; a code of which we have not heard nobody has seen."""
        if codes.is_charge_request(request):
            return await charging.find(self._merchant, request)
        return Missing()

    async def fetch(self, provider_payment_id: str) -> ProviderPayment | Missing | Failure:
        """Ask how a payment stands; of one by a code on paper its callback is all there is."""
        if codes.on_paper(provider_payment_id):
            found = await signed.find(self._merchant.db, self.shop, provider_payment_id)
            return Missing() if found is None else found.payment
        if not words.QR_ID.fullmatch(provider_payment_id):
            return Missing()
        answer = await self._merchant.get(codes.info(provider_payment_id))
        if isinstance(answer, Missing):
            return answer
        found_payment = read(self._paid, answer)
        if isinstance(found_payment, ProviderPayment) and found_payment.id != provider_payment_id:
            return Unclear("another_payment")
        return found_payment

    async def cancel(self, provider_payment_id: str) -> ProviderPayment | Failure:
        """End a code that nobody has paid; see `Ender`.

        A refusal may mean that it was paid a moment ago, and no answer that it has ended: so both
        its payment and the code itself are looked at before anything is said of it.
        """
        path = f"{_QRS}/{provider_payment_id}"
        ended = await self._merchant.delete(path)
        stands = await self.fetch(provider_payment_id)
        if isinstance(stands, Missing):
            return Unclear("missing")
        if isinstance(stands, Failure) or stands.status is not Status.PENDING:
            return stands
        if isinstance(ended, Answer):
            return codes.ended(stands, codes.CANCELLED)
        code = await self._merchant.get(path)
        return codes.ended(stands, codes.status(code.value)) if isinstance(code, Answer) else stands

    async def register(self, order: StaticOrder) -> StaticCode | Failure | None:
        """Register a code for paper; see `Acquirer`."""
        body = codes.static_request(order.order, self._account.merchant_id, order.description)
        return read(codes.static, await self._merchant.post(_QRS, body))

    def refund_request(self, order: RefundOrder) -> bytes:
        """Return what is to be sent back."""
        return refunds.refund_request(order)

    async def create_refund(self, key: str, request: bytes) -> ProviderRefund | Failure:
        """Ask for a refund that the bank has not heard of; see `Provider`."""
        return await sending_back.create(self._merchant, request)

    async def fetch_refund(self, provider_refund_id: str) -> ProviderRefund | Missing | Failure:
        """Ask how a refund stands; see `Provider`."""
        return await sending_back.fetch(self._merchant, provider_refund_id)

    async def refunds_listed(
        self, since: datetime, until: datetime, cursor: str | None, of: str | None = None
    ) -> RefundPage | Failure:
        """Return what the bank says of a payment's refunds; of all of them it has no list."""
        if of is None:
            return RefundPage((), None)
        return await sending_back.listed(self._merchant, of)

    def explained(self, failure: str) -> Text | None:
        """Return why a refund came to nothing; see `Provider`."""
        return words.EXPLAINED.get(failure)

    def binding(self, kind: str, return_url: str) -> bytes:
        """Return the bytes that ask for a binding."""
        return subscriptions.binding(self._account.merchant_id, return_url)

    async def bind(self, key: str, request: bytes) -> ProviderMethod | Failure:
        """Ask for a binding that the bank has not heard of; see `Keeper`."""
        return await charging.bind(self._merchant, request)

    async def kept(self, token: str) -> ProviderMethod | Missing | Failure:
        """Ask how a binding stands; see `Keeper`."""
        return await charging.kept(self._merchant, token)

    def _paid(self, said: Any) -> ProviderPayment:
        return codes.paid(self.shop, said, self._merchant.clock(), test=self.test)

    def _key(self, merchant: str) -> str | None:
        return self._merchant.secret if merchant == self._account.merchant_id else None
