"""What the ledger asks over the bus: each request leads to one refund, or to one refusal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import NAMESPACE_OID, UUID, uuid5

from shared import outbox
from shared.db import Tx, raise_signal
from shared.errors import Poison
from shared.events import Event
from shared.events_gateway import RefundRequested
from shared.gateway import payments, refund_asking, refunds
from shared.gateway.gateway import REFUNDS, Gateway
from shared.gateway.payments import Named
from shared.gateway.provider import Status
from shared.gateway.refund_asking import Objection, Wish
from shared.gateway.refund_settle import Refund
from shared.gateway.refund_settling import event_of
from shared.gateway.settle import Payment
from shared.metrics import alarm

LEDGER: Final = "core-billing"
UNKNOWN: Final = "payment_unknown"
NO_SHOP: Final = "shop_not_configured"


async def hear(tx: Tx, gateway: Gateway, events: Sequence[Event], at: datetime) -> None:
    """Begin what is asked for, or say that it will not happen; other gateways' are left alone.

    A request that came before is answered again, so that a lost answer can be asked for. Raises
    Poison where it stands for another payment than before.
    """
    asked = [(RefundRequested.of(e), e) for e in events if e.type == RefundRequested.TYPE]
    # In one order everywhere, so that two replicas never wait for each other.
    for body, event in sorted(asked, key=lambda one: (one[0].provider_payment_id, one[1].id)):
        named = Named(body.provider, body.provider_payment_id, None)
        payment = (await payments.lock_by_provider(tx, [named])).get(named)
        before = await refunds.find_request(tx, body.refund_id)
        if before is not None:
            await _repeat(tx, gateway, before, body, at)
        elif payment is not None:
            await _begin(tx, gateway, payment, body, event, at)
        elif gateway.concerns(body.provider):
            why = UNKNOWN if body.provider in gateway.providers else NO_SHOP
            nobody = uuid5(NAMESPACE_OID, f"{body.provider} {body.provider_payment_id}")
            await _refuse(tx, gateway, _refused(body, event, why, nobody, at), at)


async def _begin(
    tx: Tx,
    gateway: Gateway,
    payment: Payment,
    body: RefundRequested,
    event: Event,
    at: datetime,
) -> None:
    wish = Wish(
        payment_id=payment.id,
        amount_kopecks=body.amount_kopecks,
        reason=body.reason,
        correlation_id=event.correlation_id,
        asked_by=LEDGER,
        request_id=body.refund_id,
        asked_at=body.occurred_at,
    )
    begun = await refund_asking.begin(tx, gateway, payment, wish, hand=False)
    if isinstance(begun, Objection):
        refused = _refused(body, event, begun.code, payment.id, at)
        await _refuse(tx, gateway, refused, at)
    else:
        raise_signal(tx, REFUNDS)


async def _refuse(tx: Tx, gateway: Gateway, refused: Refund, at: datetime) -> None:
    """Keep the refusal for whoever asks again, and say it."""
    alarm(
        "refund_request_refused",
        code=refused.failure,
        provider=refused.shop,
        provider_payment_id=refused.provider_payment_id,
        correlation_id=refused.correlation_id,
    )
    await refunds.insert(tx, refused, {})
    await _answer(tx, gateway, refused, at)


async def _repeat(
    tx: Tx, gateway: Gateway, before: Refund, body: RefundRequested, at: datetime
) -> None:
    if (before.shop, before.provider_payment_id) != (body.provider, body.provider_payment_id):
        raise Poison("this refund_id stands for a refund of another payment")
    if before.status.rank >= Status.CANCELED.rank:
        await _answer(tx, gateway, before, at)


async def _answer(tx: Tx, gateway: Gateway, ended: Refund, at: datetime) -> None:
    answer = event_of(gateway, ended)
    if not await outbox.say_again(tx, [answer.id], at):
        await outbox.add(tx, gateway.producer, [answer], at)


def _refused(
    body: RefundRequested, event: Event, code: str, payment_id: UUID, at: datetime
) -> Refund:
    return Refund(
        id=refund_asking.id_of(body.provider, body.refund_id),
        shop=body.provider,
        payment_id=payment_id,
        provider_payment_id=body.provider_payment_id,
        status=Status.CANCELED,
        amount_kopecks=body.amount_kopecks,
        correlation_id=event.correlation_id,
        created_at=at,
        asked_by=LEDGER,
        request_id=body.refund_id,
        reason=body.reason,
        failure=code,
        failed_at=at,
    )
