"""What the bank is asked. It has codes on the screen and nothing else, and says so."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final

import orjson

from gateway_sbp.absent import NoHolds, NoLists
from gateway_sbp.acquirer import StaticCode, StaticOrder
from gateway_sbp.bank import Site
from shared.errors import Text
from shared.gateway.answer import Answer
from shared.gateway.client import Client, Endpoint, Exchange, Heard
from shared.gateway.journal import Entry
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
    Refused,
    Unclear,
)
from third_bank import wire

_NONE: Final = Refused("not_offered")


class Lastochka(NoHolds, NoLists):
    """One merchant account."""

    kinds: frozenset[str] = frozenset()
    test = False
    till = None
    answer = b'{"ok":true}'

    def __init__(self, merchant: str, key: str, url: str, site: Site) -> None:
        self.shop = wire.shop_name(merchant)
        self._key = key.encode()
        self._site = site
        endpoint = Endpoint(self.shop, url, site.requests_per_second, {"X-Key": key})
        self._client = Client(endpoint, _meaning, _entry, site.journal)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        async with self._client.connected():
            yield

    def hear(self, headers: Mapping[str, str], body: bytes) -> Nudge | None:
        return wire.callback(self.shop, self._key, body, headers.get(wire.SIGNATURE, ""))

    def masked(self, body: bytes) -> bytes:
        return b""

    def request(self, order: Order) -> bytes:
        return wire.request(order)

    async def create(self, key: str, request: bytes) -> ProviderPayment | Failure:
        return _present(await self._ask("POST", "/codes", data=request))

    async def fetch(self, provider_payment_id: str) -> ProviderPayment | Missing | Failure:
        return await self._ask("GET", f"/codes/{provider_payment_id}")

    async def find(self, request: bytes) -> ProviderPayment | Missing | Failure:
        return await self._ask("GET", f"/orders/{orjson.loads(request)['id']}")

    async def cancel(self, provider_payment_id: str) -> ProviderPayment | Failure:
        return _present(await self._ask("DELETE", f"/codes/{provider_payment_id}"))

    async def register(self, order: StaticOrder) -> StaticCode | Failure | None:
        return None

    def refund_request(self, order: RefundOrder) -> bytes:
        return b""

    async def create_refund(self, key: str, request: bytes) -> ProviderRefund | Failure:
        return _NONE

    async def fetch_refund(self, provider_refund_id: str) -> ProviderRefund | Missing | Failure:
        return Missing()

    async def refunds_listed(
        self, since: datetime, until: datetime, cursor: str | None, of: str | None = None
    ) -> RefundPage | Failure:
        return RefundPage((), None)

    def explained(self, failure: str) -> Text | None:
        return None

    def binding(self, kind: str, return_url: str) -> bytes:
        return b""

    async def bind(self, key: str, request: bytes) -> ProviderMethod | Failure:
        return _NONE

    async def kept(self, token: str) -> ProviderMethod | Missing | Failure:
        return Missing()

    async def _ask(
        self, method: str, path: str, **what: Any
    ) -> ProviderPayment | Missing | Failure:
        answer = await self._client.call(method, path, self._site.create_seconds, **what)
        if not isinstance(answer, Answer):
            return answer
        return wire.payment(self.shop, answer.value, self._site.clock())


def _present(found: ProviderPayment | Missing | Failure) -> ProviderPayment | Failure:
    return Unclear("missing") if isinstance(found, Missing) else found


def _meaning(heard: Heard, reading: bool) -> Answer | Missing | Failure:
    if heard.status == 200:
        return Answer(orjson.loads(heard.body))
    return wire.failure(heard.status, heard.fault, reading=reading)


def _entry(one: Exchange) -> Entry:
    took = round(one.seconds * 1_000_000)
    said = (one.outcome, one.heard.status, took)
    return Entry(one.at, "out", one.shop, one.method, *said, None, None, None, None, None, None)
