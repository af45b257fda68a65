"""Receipts on their way to the tax office: pending, then registered or canceled a little later.

A payment's success and its receipt's success are independent, and no notification speaks of
receipts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from simulators.yookassa import ids, payment, receipt, refund, script
from simulators.yookassa.provider import Provider
from simulators.yookassa.receipt import Receipt

REGISTRATION_SECONDS = 5
FOREVER = 365 * 24 * 3600 * 1000
"""Milliseconds for which a receipt without a scripted delay stays on its way."""


def enqueue(
    provider: Provider,
    shop_id: str,
    content: dict[str, Any],
    *,
    payment_id: str | None = None,
    refund_id: str | None = None,
) -> Receipt:
    """Write a receipt to be registered; inside the caller's transaction."""
    now = provider.clock.now()
    new = Receipt(
        id=ids.receipt_id(),
        shop_id=shop_id,
        type="refund" if refund_id else "payment",
        payment_id=None if refund_id else payment_id,
        refund_id=refund_id,
        status="pending",
        content=content,
        created_at=now,
        register_at=now + provider.scaled(REGISTRATION_SECONDS),
    )
    receipt.save(provider.store, new)
    return new


def register_due(provider: Provider) -> None:
    """Register the receipts whose time has come, or do with them what was scripted."""
    now = provider.clock.now()
    for each in receipt.unregistered(provider.store, now):
        with provider.store.transaction():
            _end(provider, each, now)


def _end(provider: Provider, each: Receipt, now: int) -> None:
    store = provider.store
    told = script.take(store, f"receipt:{each.payment_id or each.refund_id}", "receipt")
    if told.status == "pending":
        receipt.save(store, replace(each, register_at=now + (told.delay or FOREVER)))
        return
    done = replace(each, status=told.status, register_at=None)
    if told.status == "succeeded":
        number = str(1 + receipt.registered(store))
        done = replace(done, registered_at=now, document_number=number)
    receipt.save(store, done)
    if "settlements" in each.content:
        # What was sent apart says nothing about the receipt its payment came with.
        return
    if each.payment_id and (paid := payment.find(store, each.payment_id)):
        payment.save(store, replace(paid, receipt_registration=told.status))
    if each.refund_id and (returned := refund.find(store, each.refund_id)):
        refund.save(store, replace(returned, receipt_registration=told.status))
