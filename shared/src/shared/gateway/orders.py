"""Wishes for a payment: each is written down once, however often anybody asks.

A caller's Idempotency-Key and an order's id both stand for one payment for ever. Whoever repeats
them gets that payment again; whoever changes what they stand for is refused.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

import orjson

from shared.api import IDEMPOTENCY_CONFLICT
from shared.db import Tx, reading, transaction
from shared.errors import Conflict, Text
from shared.events import Allocation
from shared.gateway import aliases, charging, contacts, creation, fiscal, live, payments
from shared.gateway.aliases import Alias
from shared.gateway.consent import Consent
from shared.gateway.gateway import PAYMENTS, Gateway
from shared.gateway.leases import Lease
from shared.gateway.methods_saving import not_saved
from shared.gateway.provider import Order, Provider, Status
from shared.gateway.settle import Payment
from shared.gateway.terms import Terms
from shared.money import Money

_OTHER_ORDER: Final = Text(
    "This order was already begun with another contract or amount",
    "Этот заказ уже начат с другим договором или суммой",
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to be paid, checked."""

    allocations: tuple[Allocation, ...]
    amount_kopecks: int
    return_url: str
    correlation_id: str
    contact: dict[str, str] | None = None
    order_id: str | None = None
    means: str | None = None
    """What is to be paid with; none where the provider's page asks, or only one is offered."""
    qr: bool = False
    """Whether a code to scan is wanted instead of an address to go to."""
    consent: Consent | None = None
    """What the payer agreed to, where the payment is to save its method."""
    caller: str | None = None
    caller_key: str | None = None

    def digest(self) -> bytes:
        """Return 16 bytes that differ where two requests under one key differ."""
        parts = [[part.contract, part.amount_kopecks] for part in self.allocations]
        said: list[Any] = [parts, self.amount_kopecks, self.return_url, self.contact]
        if self.means is not None or self.qr:
            said.append([self.means, self.qr])
        if self.consent is not None:
            said.append(["consent", self.consent.version, self.consent.address])
        body = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
        return hashlib.blake2b(body, digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Begun:
    """The payment of a wish, and the status its asker is answered."""

    payment: Payment
    status: Status


async def repeated(gateway: Gateway, wish: Wish) -> Begun | None:
    """Return the payment that this key or order already stands for; raises Conflict as `begin`."""
    async with reading(gateway.db) as tx:
        return await _before(tx, gateway, wish)


async def begin(gateway: Gateway, shop: Provider, wish: Wish, wait: timedelta) -> Begun:
    """Return the payment of this wish, made at this shop if it is a new one.

    Waits for the provider at most so long; a slower one goes on making it. A repeated key or order
    gets its first payment. Raises Conflict where the key or order stood for another wish, Invalid
    for a means of payment that the shop's terms do not allow, and where its receipt has nobody to
    go to.
    """
    contacts.require(gateway.receipt_terms(shop.shop), wish.contact)
    async with transaction(gateway.db) as tx:
        before = await _before(tx, gateway, wish) or await _live(tx, gateway, shop, wish)
        if before is not None:
            return before
        new = _payment(gateway, shop, wish)
        if new.consent is not None and await charging.paused(tx, shop.shop, new.created_at):
            # Asked to save, the provider would refuse the payment itself.
            new = replace(new, consent=None)
        # Without a free hand the row is written all the same, and the loop sends it.
        hand = gateway.creations.free > 0
        lease = await _write(tx, gateway, shop, wish, new, hand)
        if lease is None:
            # Somebody else was faster with the same key or order, and has committed by now.
            before = await _before(tx, gateway, wish)
            if before is None:
                raise RuntimeError("a payment can be neither written nor found")
            return before
    if not hand:
        gateway.db.signal(PAYMENTS).set()
        return Begun(new, Status.CREATING)
    task = gateway.creations.spawn(creation.send(gateway, lease))
    await asyncio.wait({task}, timeout=wait.total_seconds())
    async with reading(gateway.db) as tx:
        payment = await payments.find(tx, lease.payment.id) or lease.payment
    return Begun(payment, payment.status)


async def _live(tx: Tx, gateway: Gateway, shop: Provider, wish: Wish) -> Begun | None:
    """Return the code that serves this wish as well, and let its key and order stand for it."""
    if shop.shop not in gateway.enders or wish.consent is not None:
        return None
    at = gateway.clock()
    wanted = (wish.allocations, contacts.customer(wish.contact))
    found = await live.reusable(tx, gateway, shop.shop, wanted, at)
    if found is None:
        return None
    asked = (wish.order_id, wish.caller, wish.caller_key, wish.digest(), found.status)
    if await aliases.insert(tx, Alias(found.id, *asked), at):
        return Begun(found, found.status)
    # Somebody else was faster with the same key or order, and has committed by now.
    return await _before(tx, gateway, wish)


async def _before(tx: Tx, gateway: Gateway, wish: Wish) -> Begun | None:
    return await _begun(tx, wish) or (await _aliased(tx, wish) if gateway.enders else None)


async def _aliased(tx: Tx, wish: Wish) -> Begun | None:
    known = None
    if wish.caller is not None and wish.caller_key is not None:
        known = await aliases.find_asked(tx, wish.caller, wish.caller_key)
        if known is not None and known.digest != wish.digest():
            raise IDEMPOTENCY_CONFLICT()
    elif wish.order_id is not None:
        known = await aliases.find_order(tx, wish.order_id)
    payment = None if known is None else await payments.find(tx, known.payment_id)
    if known is None or payment is None:
        return None
    if wish.order_id is not None:
        _require_same(payment, wish)
        return Begun(payment, payment.status)
    return Begun(payment, known.answered)


def _require_same(payment: Payment, wish: Wish) -> None:
    same = (payment.allocations, payment.amount_kopecks)
    if same != (wish.allocations, wish.amount_kopecks):
        raise Conflict(_OTHER_ORDER)


async def _begun(tx: Tx, wish: Wish) -> Begun | None:
    if wish.caller is not None and wish.caller_key is not None:
        asked = await payments.find_asked(tx, wish.caller, wish.caller_key)
        if asked is not None:
            payment, digest, status = asked
            if digest != wish.digest():
                raise IDEMPOTENCY_CONFLICT()
            return Begun(payment, status)
    if wish.order_id is not None:
        ordered = await payments.find_order(tx, wish.order_id)
        if ordered is not None:
            _require_same(ordered, wish)
            return Begun(ordered, ordered.status)
    return None


def _payment(gateway: Gateway, shop: Provider, wish: Wish) -> Payment:
    terms = gateway.terms[shop.shop]
    means = terms.chosen(wish.means, Money(wish.amount_kopecks), qr=wish.qr)
    if wish.consent is not None and not terms.keeps(means):
        raise not_saved("save_method")
    return Payment(
        id=uuid4(),
        shop=shop.shop,
        status=Status.CREATING,
        amount_kopecks=wish.amount_kopecks,
        allocations=wish.allocations,
        correlation_id=wish.correlation_id,
        created_at=gateway.clock(),
        order_id=wish.order_id,
        means=means.code if means else None,
        consent=wish.consent,
    )


def _order(terms: Terms, wish: Wish, new: Payment) -> Order:
    return Order(
        payment_id=new.id,
        allocations=new.allocations,
        amount_kopecks=new.amount_kopecks,
        return_url=wish.return_url,
        means=new.means,
        qr=wish.qr,
        save=new.consent is not None,
        capture=terms.captures(new.means),
    )


async def _write(
    tx: Tx, gateway: Gateway, shop: Provider, wish: Wish, new: Payment, hand: bool
) -> Lease | None:
    at, timing = new.created_at, gateway.timing
    printed = fiscal.of_payment(
        gateway, shop.shop, new.amount_kopecks, contacts.customer(wish.contact), at
    )
    order = replace(_order(gateway.terms[shop.shop], wish, new), receipt=printed)
    new = replace(new, receipt=fiscal.line(printed))
    key, request = uuid4().hex, gateway.seal(shop.request(order))
    lease = Lease(new, uuid4(), 1, key, request, at, at + timing.list_after)
    extra: dict[str, Any] = {
        "return_url": wish.return_url,
        "contact": contacts.seal(gateway.vault, wish.contact),
        "caller": wish.caller if wish.caller_key is not None else None,
        "caller_key": wish.caller_key,
        "caller_digest": wish.digest(),
        "key": key,
        "request": request,
        "first_sent_at": at,
        "list_at": lease.list_at,
        "due_at": at,
        "code_of": live.code_of(new.allocations) if shop.shop in gateway.enders else None,
    }
    if hand:
        until = at + timing.create_lease
        extra |= {"attempts": 1, "lease_token": lease.token, "leased_until": until}
    return lease if await payments.insert(tx, new, extra) else None
