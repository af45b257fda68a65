"""Which receipt a request has to carry, and which receipts are followed afterwards.

Whoever sends a payment, a charge or a refund asks here first. `NoContact` means that the request
must not be sent: money taken without the receipt that the law wants is not ours to take.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from shared.db import Tx
from shared.gateway import apart, contacts, receipts
from shared.gateway import receipt as pure
from shared.gateway.gateway import Gateway, pause
from shared.gateway.receipt import Customer, Line, Receipt, Tender, settled
from shared.gateway.receipts import Slip
from shared.gateway.settle import Payment
from shared.gateway.till import Kind


def of_payment(
    gateway: Gateway, shop: str, kopecks: int, customer: Customer, at: datetime
) -> Receipt | None:
    """Return the receipt that a payment at this shop carries; None where it needs none.

    Raises NoContact.
    """
    terms = gateway.receipt_terms(shop)
    if terms is None:
        return None
    return settled(terms, pure.payment_line(terms, kopecks, at), Tender.CASHLESS, customer)


def of_charge(
    gateway: Gateway, shop: str, kopecks: int, contact: str | None, at: datetime
) -> Receipt | None:
    """Return the receipt that a charge carries; `contact` is sealed, as the saved method has it.

    Raises NoContact: then the charge has failed for certain, and not for a while.
    """
    return of_payment(gateway, shop, kopecks, contacts.unseal(gateway.vault, contact), at)


async def of_refund(
    tx: Tx, gateway: Gateway, payment: Payment, kopecks: int, *, whole: bool
) -> Receipt | None:
    """Return the receipt that a refund carries: None for all of a payment in one piece.

    The provider returns that by the receipt it has, and so needs no other. Raises NoContact.
    """
    if payment.receipt is None or whole:
        return None
    customer = contacts.unseal(gateway.vault, await contacts.of_payment(tx, payment.id))
    # A shop that prints no receipts any more still has to return those it has printed.
    terms = gateway.receipt_terms(payment.shop) or apart.ANYBODY
    return settled(terms, pure.part_of(payment.receipt, kopecks), Tender.CASHLESS, customer)


def line(printed: Receipt | None) -> Line | None:
    """Return what a payment keeps of its receipt."""
    return None if printed is None else printed.lines[0]


async def follow(tx: Tx, gateway: Gateway, taken: Sequence[Payment], at: datetime) -> None:
    """Print payments that have just succeeded, or ask about what was printed with them."""
    for payment in taken:
        if payment.receipt is not None:
            slip = _slip(payment, payment.receipt, Kind.PAYMENT, "", at)
            await _follow(tx, gateway, slip, at)


async def follow_refund(
    tx: Tx, gateway: Gateway, payment: Payment, provider_refund_id: str, kopecks: int, at: datetime
) -> None:
    """Print a refund that has just succeeded, whoever made it, or ask about its receipt."""
    if payment.receipt is None:
        return
    returned = pure.part_of(payment.receipt, kopecks)
    slip = _slip(payment, returned, Kind.REFUND, provider_refund_id, at)
    await _follow(tx, gateway, slip, at)


async def _follow(tx: Tx, gateway: Gateway, slip: Slip, at: datetime) -> None:
    till = gateway.tills.get(slip.shop)
    if till is None:
        # Whoever prints with the payment and cannot be asked has done all that there is to do.
        return
    if till.apart:
        sealed = await contacts.of_payment(tx, slip.payment_id)
        await apart.write(tx, gateway, slip, _customer(gateway, sealed), Tender.CASHLESS)
    else:
        await receipts.insert(tx, slip, _due(gateway, at))


def _customer(gateway: Gateway, sealed: str | None) -> Customer:
    """Return a payment's contact; a lost key costs the receipt, never the payment's success."""
    try:
        return contacts.unseal(gateway.vault, sealed)
    except ValueError:
        return Customer()


def _slip(payment: Payment, printed: Line, kind: Kind, reference: str, at: datetime) -> Slip:
    return Slip(
        id=uuid4(),
        shop=payment.shop,
        kind=kind,
        payment_id=payment.id,
        provider_payment_id=payment.provider_payment_id or "",
        reference=reference,
        line=printed,
        correlation_id=payment.correlation_id,
        created_at=at,
    )


def _due(gateway: Gateway, at: datetime) -> dict[str, Any]:
    return {"due_at": at + pause(gateway.timing.receipts, 1)}
