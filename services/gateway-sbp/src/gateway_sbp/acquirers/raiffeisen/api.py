"""What Raiffeisen is asked, and what its answers mean to a gateway.

The bank knows no idempotency key. A code registered twice is harmless, because nobody has seen the
first one; a refund and a charge have ids of ours, so they are asked about before they are sent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import structlog
from pydantic import SecretStr

from gateway_sbp import exact, paper_row, signed
from gateway_sbp.acquirer import StaticCode, StaticOrder
from gateway_sbp.acquirers.raiffeisen import journal as masking
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
from shared.gateway.client import Client, Endpoint, Heard
from shared.gateway.journal import Journal
from shared.gateway.method import ProviderMethod
from shared.gateway.provider import (
    Failure,
    Missing,
    Nudge,
    Order,
    Page,
    ProviderPayment,
    ProviderRefund,
    RefundOrder,
    RefundPage,
    Refused,
    Unclear,
)

Read = TypeVar("Read")

_JSON: Final = {"Content-Type": "application/json"}
_QRS: Final = "/sbp/v2/qrs"
_SUBSCRIPTIONS: Final = "/sbp/v1/subscriptions"
_REFUND: Final = "/sbp/v1/refund"
_NO_HOLDS: Final = Refused("no_holds")

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


class Raiffeisen:
    """One merchant account; usable while `connected` is open."""

    kinds = frozenset({codes.METHOD})
    answer = b""
    till = None

    def __init__(
        self, account: Account, db: Database, clock: Clock, journal: Journal | None = None
    ) -> None:
        self.shop = words.shop_name(account.merchant_id)
        self.test = account.test
        self._account = account
        self._db = db
        self._clock = clock
        secret = account.secret_key.get_secret_value()
        endpoint = Endpoint(
            shop=self.shop,
            url=account.api_url,
            requests_per_second=account.requests_per_second,
            headers={"Authorization": f"Bearer {secret}"},
        )
        self._client = Client(endpoint, _meaning, masking.entry, journal)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Hold the connections to the bank open."""
        async with self._client.connected():
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
        until = self._clock() + self._account.lifetime
        return codes.request(order, self._account.merchant_id, until)

    async def create(self, key: str, request: bytes) -> ProviderPayment | Failure:
        """Register a code, or charge a bound account; see `Provider`."""
        if "subscription" in exact.read(request):
            return await self._charge(request)
        answer = await self._post(_QRS, request)
        at = self._clock()
        return _read(
            lambda said: codes.registered(self.shop, request, said, at, test=self.test), answer
        )

    async def fetch(self, provider_payment_id: str) -> ProviderPayment | Missing | Failure:
        """Ask how a payment stands; of one by a code on paper its callback is all there is."""
        if _on_paper(provider_payment_id):
            found = await signed.find(self._db, self.shop, provider_payment_id)
            return Missing() if found is None else found.payment
        answer = await self._info(provider_payment_id)
        if isinstance(answer, Missing):
            return answer
        found_payment = _read(self._paid, answer)
        if isinstance(found_payment, ProviderPayment) and found_payment.id != provider_payment_id:
            return Unclear("another_payment")
        return found_payment

    async def cancel(self, provider_payment_id: str) -> ProviderPayment | Failure:
        """End a code that nobody has paid; see `Acquirer`."""
        ended = await self._client.call(
            "DELETE", f"{_QRS}/{provider_payment_id}", self._account.create_seconds
        )
        stands = await self.fetch(provider_payment_id)
        if isinstance(stands, Missing):
            return Unclear("missing")
        if isinstance(stands, Failure) or not isinstance(ended, Answer):
            return stands
        return codes.ended(stands)

    async def register(self, order: StaticOrder) -> StaticCode | Failure | None:
        """Register a code for paper; see `Acquirer`."""
        body = codes.static_request(order.order, self._account.merchant_id, order.description)
        return _read(codes.static, await self._post(_QRS, body))

    def capture_request(self, amount_kopecks: int) -> bytes:
        """Return nothing: SBP holds no money."""
        return b""

    async def capture(
        self, provider_payment_id: str, key: str, request: bytes
    ) -> ProviderPayment | Failure:
        """Refuse: SBP holds no money."""
        return _NO_HOLDS

    async def listed(self, since: datetime, until: datetime, cursor: str | None) -> Page | Failure:
        """Return nothing: the bank has no list of payments."""
        return Page((), None)

    async def captured(
        self, since: datetime, until: datetime, cursor: str | None
    ) -> Page | Failure:
        """Return nothing: the bank has no list of payments."""
        return Page((), None)

    def refund_request(self, order: RefundOrder) -> bytes:
        """Return what is to be sent back."""
        return refunds.refund_request(order)

    async def create_refund(self, key: str, request: bytes) -> ProviderRefund | Failure:
        """Ask for a refund that the bank has not heard of; see `Provider`."""
        known = await self.fetch_refund(refunds.named(request))
        if not isinstance(known, Missing):
            return known
        found = await self._transaction(refunds.of(request))
        if isinstance(found, Failure):
            return found
        order, transaction = found
        answer = await self._post(_REFUND, refunds.sent(request, order, transaction))
        return self._refund(refunds.named(request), answer)

    async def fetch_refund(self, provider_refund_id: str) -> ProviderRefund | Missing | Failure:
        """Ask how a refund stands; see `Provider`."""
        if paper_row.made_up(provider_refund_id):
            return Missing()
        answer = await self._get(f"{_REFUND}/{refunds.refund_id(provider_refund_id)}")
        if isinstance(answer, Missing):
            return answer
        return self._refund(provider_refund_id, answer)

    async def refunds_listed(
        self, since: datetime, until: datetime, cursor: str | None, of: str | None = None
    ) -> RefundPage | Failure:
        """Return nothing: the bank has no list of refunds."""
        return RefundPage((), None)

    def explained(self, failure: str) -> Text | None:
        """Return why a refund came to nothing; see `Provider`."""
        return words.EXPLAINED.get(failure)

    def binding(self, kind: str, return_url: str) -> bytes:
        """Return the bytes that ask for a binding."""
        return subscriptions.binding(self._account.merchant_id, return_url)

    async def bind(self, key: str, request: bytes) -> ProviderMethod | Failure:
        """Ask for a binding that the bank has not heard of; see `Keeper`."""
        known = await self.kept(subscriptions.asked_id(request))
        if not isinstance(known, Missing):
            return known
        return _read(subscriptions.method, await self._post(_SUBSCRIPTIONS, request))

    async def kept(self, token: str) -> ProviderMethod | Missing | Failure:
        """Ask how a binding stands; see `Keeper`."""
        answer = await self._get(f"{_SUBSCRIPTIONS}/{token}")
        if isinstance(answer, Missing):
            return answer
        found = _read(subscriptions.method, answer)
        if isinstance(found, ProviderMethod) and found.token != token:
            return Unclear("another_method")
        return found

    async def _charge(self, request: bytes) -> ProviderPayment | Failure:
        asked = exact.read(request)
        path = f"{_SUBSCRIPTIONS}/{asked['subscription']}/orders"
        answer = await self._get(f"{path}/{asked['order']}")
        if isinstance(answer, Missing):
            answer = await self._post(path, codes.charge_body(request))
        at = self._clock()
        return _read(
            lambda said: codes.charged(self.shop, request, said, at, test=self.test), answer
        )

    async def _transaction(self, payment: str) -> tuple[str, int | None] | Failure:
        """Return the order and the transaction by which the bank finds a payment."""
        if _on_paper(payment):
            found = await signed.find(self._db, self.shop, payment)
            if found is None:
                return Refused("unknown_payment")
            if found.transaction is None:
                return Refused(words.NO_TRANSACTION)
            return found.order, int(found.transaction)
        answer = await self._info(payment)
        if isinstance(answer, Missing):
            return Unclear("missing")
        return _read(codes.transaction, answer)

    async def _info(self, qr_id: str) -> Answer | Missing | Failure:
        return await self._get(f"/sbp/v1/qr/{qr_id}/payment-info")

    def _paid(self, said: Any) -> ProviderPayment:
        return codes.paid(self.shop, said, self._clock(), test=self.test)

    def _refund(self, name: str, answer: Answer | Failure) -> ProviderRefund | Failure:
        return _read(lambda said: refunds.refund(name, said, self._clock()), answer)

    def _key(self, merchant: str) -> str | None:
        ours = merchant == self._account.merchant_id
        return self._account.secret_key.get_secret_value() if ours else None

    async def _post(self, path: str, body: bytes) -> Answer | Failure:
        seconds = self._account.create_seconds
        said = await self._client.call("POST", path, seconds, data=body, headers=_JSON)
        return Unclear("missing") if isinstance(said, Missing) else said

    async def _get(self, path: str) -> Answer | Missing | Failure:
        return await self._client.call("GET", path, self._account.fetch_seconds)


def _on_paper(payment: str) -> bool:
    return codes.of_transaction(payment) or paper_row.made_up(payment)


def _meaning(heard: Heard, reading: bool) -> Answer | Missing | Failure:
    return words.meaning(heard.status, heard.body, heard.fault, reading=reading)


def _read(translate: Callable[[Any], Read], outcome: Answer | Failure) -> Read | Failure:
    if isinstance(outcome, Failure):
        return outcome
    try:
        return translate(outcome.value)
    except words.Unreadable as error:
        _log.warning("raiffeisen.unreadable", error=str(error))
        return Unclear(f"unreadable: {error}")
