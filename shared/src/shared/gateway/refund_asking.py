"""Asking for a refund: at our own address by a caller, over the bus by the ledger.

Both reserve the amount and write the refund down in one transaction, before the provider hears of
it. A caller's Idempotency-Key and a request of the ledger both stand for one refund for ever.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import NAMESPACE_OID, UUID, uuid4, uuid5

import orjson

from shared.api import IDEMPOTENCY_CONFLICT
from shared.db import Tx, reading, transaction
from shared.errors import FieldError, Invalid, NotFound, Text
from shared.gateway import fiscal, payments, refund_sending, refunds, reserve
from shared.gateway.gateway import REFUNDS, Gateway
from shared.gateway.provider import RefundOrder, Status
from shared.gateway.receipt import NoContact, Receipt
from shared.gateway.refund_leases import Lease
from shared.gateway.refund_settle import Refund
from shared.gateway.settle import Payment
from shared.money import Money

UNKNOWN_PAYMENT: Final = Text("There is no such payment", "Такого платежа нет")


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to be sent back."""

    payment_id: UUID
    amount_kopecks: int
    reason: str
    correlation_id: str
    asked_by: str
    caller_key: str | None = None
    request_id: str | None = None
    asked_at: datetime | None = None
    """When it was first asked for, where that may have been before: nobody knows what was sent."""

    def digest(self) -> bytes:
        """Return 16 bytes that differ where two requests under one key differ."""
        said = [str(self.payment_id), self.amount_kopecks, self.reason]
        return hashlib.blake2b(orjson.dumps(said), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Asked:
    """The refund of a wish, and the status its asker is answered."""

    refund: Refund
    status: Status


class Objection(NamedTuple):
    """Why nothing can be sent back: a word for machines, and a field with a sentence for people."""

    code: str
    error: FieldError


async def ask(gateway: Gateway, wish: Wish, wait: timedelta) -> Asked:
    """Return the refund of this wish, made at the provider if it is a new one.

    Waits for the provider at most so long; a slower one goes on making it. Raises NotFound for an
    unknown payment, Invalid where there is nothing to send back or not as much, and Conflict where
    the key stood for another wish.
    """
    async with transaction(gateway.db) as tx:
        payment = await payments.lock(tx, wish.payment_id)
        before = await _before(tx, wish)
        if before is not None:
            return before
        if payment is None:
            raise NotFound(UNKNOWN_PAYMENT)
        # Without a free hand the row is written all the same, and the loop sends it.
        hand = gateway.creations.free > 0
        lease = await begin(tx, gateway, payment, wish, hand=hand)
        if isinstance(lease, Objection):
            raise Invalid(lease.error)
    if not hand:
        gateway.db.signal(REFUNDS).set()
        return Asked(lease.refund, Status.CREATING)
    task = gateway.creations.spawn(refund_sending.send(gateway, lease))
    await asyncio.wait({task}, timeout=wait.total_seconds())
    async with reading(gateway.db) as tx:
        refund = await refunds.find(tx, lease.refund.id) or lease.refund
    return Asked(refund, refund.status)


async def begin(
    tx: Tx, gateway: Gateway, payment: Payment, wish: Wish, *, hand: bool
) -> Lease | Objection:
    """Reserve the amount of a locked payment and write the refund down; with a lease for a `hand`.

    Raises Conflict where another wish has taken the caller's key meanwhile.
    """
    why = objection(gateway, payment, wish.amount_kopecks)
    if why is not None:
        return why
    whole = wish.amount_kopecks == payment.received_kopecks
    try:
        printed = await fiscal.of_refund(tx, gateway, payment, wish.amount_kopecks, whole=whole)
    except NoContact:
        return _payment_at_fault(
            "no_contact",
            "a part is returned with a receipt, and nobody is known to send it to: return it whole",
            "часть возвращают с чеком, а куда его послать, неизвестно: верните платёж целиком",
        )
    if not await reserve.take(tx, payment.id, wish.amount_kopecks):
        raise RuntimeError(f"the rest of payment {payment.id} changed while it was locked")
    lease = _lease(gateway, payment, wish, printed)
    if not await refunds.insert(tx, lease.refund, _columns(gateway, wish, lease, hand=hand)):
        await _before(tx, wish)
        raise RuntimeError("a refund can be neither written nor found")
    return lease


def objection(gateway: Gateway, payment: Payment, kopecks: int) -> Objection | None:
    """Say why so much of a locked payment cannot be sent back; None where it can."""
    if payment.status is Status.CANCELED:
        return _payment_at_fault(
            "payment_canceled",
            "the payment was canceled: no money was taken, there is nothing to return",
            "платёж отменён: деньги не списаны, возвращать нечего",
        )
    if payment.status is not Status.SUCCEEDED:
        return _payment_at_fault(
            "payment_not_succeeded",
            "the payment is not complete: a refund is possible once it has succeeded",
            "платёж не завершён: вернуть деньги можно после его успешной оплаты",
        )
    if payment.shop not in gateway.providers:
        return _payment_at_fault(
            "shop_not_configured",
            f"the shop {payment.shop} is not configured here: add it to the settings",
            f"магазин {payment.shop} здесь не настроен: добавьте его в настройки",
        )
    rest = (payment.received_kopecks or 0) - payment.reserved_kopecks
    if rest <= 0:
        return _payment_at_fault(
            "payment_returned",
            "the payment has already been returned in full",
            "платёж уже возвращён полностью",
        )
    if kopecks > rest:
        left = Money(rest)
        said = Text(f"at most {left} is left to return", f"можно вернуть не больше {left}")
        return Objection("exceeds_rest", FieldError("amount", said))
    return None


def _payment_at_fault(code: str, en: str, ru: str) -> Objection:
    return Objection(code, FieldError("payment", Text(en, ru)))


async def _before(tx: Tx, wish: Wish) -> Asked | None:
    if wish.caller_key is None:
        return None
    found = await refunds.find_asked(tx, wish.asked_by, wish.caller_key)
    if found is None:
        return None
    refund, digest, status = found
    if digest != wish.digest():
        raise IDEMPOTENCY_CONFLICT()
    return Asked(refund, status)


def id_of(shop: str, request_id: str | None) -> UUID:
    """Return the id of a new refund, for a request of the ledger always the same.

    So one whose row was lost is asked for again as it was, and the provider knows it.
    """
    return uuid4() if request_id is None else uuid5(NAMESPACE_OID, f"{shop} {request_id}")


def _lease(gateway: Gateway, payment: Payment, wish: Wish, printed: Receipt | None) -> Lease:
    now = gateway.clock()
    at = min(wish.asked_at or now, now)
    new_id = id_of(payment.shop, wish.request_id)
    new = Refund(
        id=new_id,
        shop=payment.shop,
        payment_id=payment.id,
        provider_payment_id=payment.provider_payment_id or "",
        status=Status.CREATING,
        amount_kopecks=wish.amount_kopecks,
        correlation_id=wish.correlation_id,
        created_at=at,
        asked_by=wish.asked_by,
        request_id=wish.request_id,
        reason=wish.reason,
    )
    order = _order(new, payment, printed)
    request = gateway.seal(gateway.providers[payment.shop].refund_request(order))
    key = uuid5(NAMESPACE_OID, f"key:{new_id}").hex
    return Lease(new, uuid4(), 1, key, request, at, at + gateway.timing.list_after)


def _order(new: Refund, payment: Payment, printed: Receipt | None) -> RefundOrder:
    """Return what the provider is asked for: all that goes into the request is chosen here."""
    return RefundOrder(
        refund_id=new.id,
        provider_payment_id=new.provider_payment_id,
        amount_kopecks=new.amount_kopecks,
        whole=new.amount_kopecks == payment.received_kopecks,
        reason=new.reason,
        request_id=new.request_id,
        receipt=printed,
    )


def _columns(gateway: Gateway, wish: Wish, lease: Lease, *, hand: bool) -> dict[str, Any]:
    at = lease.refund.created_at
    columns: dict[str, Any] = {
        "caller": wish.asked_by if wish.caller_key is not None else None,
        "caller_key": wish.caller_key,
        "caller_digest": wish.digest(),
        "key": lease.key,
        "request": lease.request,
        "first_sent_at": at,
        "list_at": lease.list_at,
        "due_at": at,
    }
    if hand:
        until = at + gateway.timing.create_lease
        columns |= {"attempts": 1, "lease_token": lease.token, "leased_until": until}
    return columns
