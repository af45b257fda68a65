"""What YooKassa is asked, and what its answers mean to a gateway.

Our own client, because an unclear outcome must not look like a failure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import structlog

from gateway_yookassa import wire
from gateway_yookassa.client import Shop, client
from shared.errors import Text
from shared.gateway.answer import Answer
from shared.gateway.journal import Journal
from shared.gateway.method import ProviderMethod
from shared.gateway.provider import (
    Failure,
    Missing,
    Order,
    Page,
    ProviderPayment,
    ProviderRefund,
    RefundOrder,
    RefundPage,
    Unclear,
)
from shared.gateway.receipt import Receipt
from shared.gateway.till import Issued, Kind, Registered, Registration

PAGE_SIZE: Final = 100

_PATHS: Final = {Kind.PAYMENT: "/payments/", Kind.REFUND: "/refunds/", Kind.OFFSET: "/receipts/"}

Read = TypeVar("Read")

_log = structlog.get_logger(__name__)


class YooKassa:
    """One shop; usable while its client is connected."""

    apart = False

    def __init__(self, shop: Shop, journal: Journal | None = None) -> None:
        self.client = client(shop, journal)
        self.shop = self.client.shop
        self.test = shop.test
        self.kinds = wire.BINDABLE
        self._shop = shop

    def request(self, order: Order) -> bytes:
        """Return the bytes that ask for a payment."""
        return wire.request(order)

    async def create(self, key: str, request: bytes) -> ProviderPayment | Failure:
        """Ask for a payment; see `Provider`."""
        return _read(wire.payment, await self._post("/payments", key, request))

    async def fetch(self, provider_payment_id: str) -> ProviderPayment | Missing | Failure:
        """Ask how a payment stands; see `Provider`."""
        outcome = await self._get(f"/payments/{provider_payment_id}")
        if isinstance(outcome, Missing):
            return outcome
        found = _read(wire.payment, outcome)
        if isinstance(found, ProviderPayment) and found.id != provider_payment_id:
            return Unclear("another_payment")
        return found

    def capture_request(self, amount_kopecks: int) -> bytes:
        """Return the bytes that take held money."""
        return wire.capture(amount_kopecks)

    async def capture(
        self, provider_payment_id: str, key: str, request: bytes
    ) -> ProviderPayment | Failure:
        """Take held money; see `Provider`."""
        path = f"/payments/{provider_payment_id}/capture"
        taken = _read(wire.payment, await self._post(path, key, request))
        if isinstance(taken, ProviderPayment) and taken.id != provider_payment_id:
            return Unclear("another_payment")
        return taken

    def binding(self, kind: str, return_url: str) -> bytes:
        """Return the bytes that ask for a binding."""
        return wire.binding(kind, return_url)

    async def bind(self, key: str, request: bytes) -> ProviderMethod | Failure:
        """Ask for a binding; see `Keeper`."""
        return _read(wire.method, await self._post("/payment_methods", key, request))

    async def kept(self, token: str) -> ProviderMethod | Missing | Failure:
        """Ask how a saved method stands; see `Keeper`."""
        outcome = await self._get(f"/payment_methods/{token}")
        if isinstance(outcome, Missing):
            return outcome
        found = _read(wire.method, outcome)
        if isinstance(found, ProviderMethod) and found.token != token:
            return Unclear("another_method")
        return found

    async def listed(self, since: datetime, until: datetime, cursor: str | None) -> Page | Failure:
        """Return one page of the list; see `Provider`."""
        query = _between(since, until, cursor)
        return _read(wire.page, _present(await self._get("/payments", query)))

    async def captured(
        self, since: datetime, until: datetime, cursor: str | None
    ) -> Page | Failure:
        """Return one page of the list; see `Provider`."""
        query = _between(since, until, cursor, "captured_at") | {"status": "succeeded"}
        return _read(wire.page, _present(await self._get("/payments", query)))

    def refund_request(self, order: RefundOrder) -> bytes:
        """Return the bytes that ask for a refund."""
        return wire.refund_request(order)

    async def create_refund(self, key: str, request: bytes) -> ProviderRefund | Failure:
        """Ask for a refund; see `Provider`."""
        return _read(wire.refund, await self._post("/refunds", key, request))

    async def fetch_refund(self, provider_refund_id: str) -> ProviderRefund | Missing | Failure:
        """Ask how a refund stands; see `Provider`."""
        outcome = await self._get(f"/refunds/{provider_refund_id}")
        if isinstance(outcome, Missing):
            return outcome
        found = _read(wire.refund, outcome)
        if isinstance(found, ProviderRefund) and found.id != provider_refund_id:
            return Unclear("another_refund")
        return found

    def explained(self, failure: str) -> Text | None:
        """Return why a refund came to nothing; see `Provider`."""
        return wire.EXPLAINED.get(failure)

    async def refunds_listed(
        self, since: datetime, until: datetime, cursor: str | None, of: str | None = None
    ) -> RefundPage | Failure:
        """Return one page of the list; see `Provider`."""
        query = _between(since, until, cursor) | ({"payment_id": of} if of else {})
        return _read(wire.refund_page, _present(await self._get("/refunds", query)))

    def receipt_request(self, kind: Kind, receipt: Receipt, provider_payment_id: str) -> bytes:
        """Return the bytes that ask for a receipt apart from its payment: those of offsets."""
        return wire.separate(receipt, provider_payment_id)

    async def create_receipt(self, key: str, request: bytes) -> Issued | Failure:
        """Ask for a receipt; see `Till`."""
        return _read(wire.issued, await self._post("/receipts", key, request))

    async def receipts_of(self, provider_payment_id: str) -> Sequence[Issued] | Failure:
        """Return the receipts of a payment; see `Till`. There are at most 50: one page."""
        return await self._receipts(Kind.PAYMENT, provider_payment_id)

    async def registration(self, kind: Kind, about: str) -> Registered | Missing | Failure:
        """Ask how a receipt stands; see `Till`. Its numbers stand in the receipt alone."""
        outcome = await self._get(_PATHS[kind] + about)
        if isinstance(outcome, Missing):
            return outcome
        if kind is Kind.OFFSET:
            read = _read(wire.issued, outcome)
            return read.registered if isinstance(read, Issued) else read
        said = _read(wire.registered, outcome)
        if not isinstance(said, Registered) or said.registration is not Registration.SUCCEEDED:
            return said
        found = await self._receipts(kind, about)
        if isinstance(found, Failure):
            return found
        # The one it was sent with is the oldest; what stands above it came later.
        return found[-1].registered if found else said

    async def _receipts(self, kind: Kind, about: str) -> Sequence[Issued] | Failure:
        query = {f"{kind}_id": about, "limit": str(PAGE_SIZE)}
        return _read(wire.receipts, _present(await self._get("/receipts", query)))

    async def _post(self, path: str, key: str, request: bytes) -> Answer | Failure:
        headers = {"Idempotence-Key": key, "Content-Type": "application/json"}
        seconds = self._shop.create_seconds
        return _present(
            await self.client.call("POST", path, seconds, data=request, headers=headers)
        )

    async def _get(
        self, path: str, query: dict[str, str] | None = None
    ) -> Answer | Missing | Failure:
        return await self.client.call("GET", path, self._shop.fetch_seconds, params=query)


def _present(outcome: Answer | Missing | Failure) -> Answer | Failure:
    """Take what cannot be missing, such as a list, for unclear where it is."""
    return Unclear("missing") if isinstance(outcome, Missing) else outcome


def _read(translate: Callable[[Any], Read], outcome: Answer | Failure) -> Read | Failure:
    if isinstance(outcome, Failure):
        return outcome
    try:
        return translate(outcome.value)
    except wire.Unreadable as error:
        _log.warning("yookassa.unreadable", error=str(error))
        return Unclear(f"unreadable: {error}")


def _between(
    since: datetime, until: datetime, cursor: str | None, moment: str = "created_at"
) -> dict[str, str]:
    query = {
        f"{moment}.gte": _instant(since),
        f"{moment}.lte": _instant(until),
        "limit": str(PAGE_SIZE),
    }
    return query | ({"cursor": cursor} if cursor else {})


def _instant(moment: datetime) -> str:
    moment = moment.astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
