"""Receipts that go by themselves: written down with the very request that asks for them.

The row, the key and the exact bytes are committed with the fact that they are about, and sent
later: whatever keeps a receipt back, its payment never waits for it. One that cannot be made is
written down as failed, and is a person's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from shared.db import Tx, raise_signal
from shared.gateway import receipts, registration
from shared.gateway.gateway import RECEIPTS, Gateway
from shared.gateway.receipt import Customer, NoContact, ReceiptTerms, Tender, settled
from shared.gateway.receipts import Slip, State
from shared.gateway.vat import Vat
from shared.metrics import alarm

NO_CONTACT: Final = "no_contact"
UNPRINTABLE: Final = "unprintable"
"""There is no cash register for it, or that has no words for it, such as for a rate of VAT."""
ANYBODY: Final = ReceiptTerms(Vat.NONE, email_needed=False)
"""The terms of a shop that prints no more and still owes something: its lines are made already."""


async def write(
    tx: Tx,
    gateway: Gateway,
    slip: Slip,
    customer: Customer,
    tender: Tender,
    objection: str | None = None,
) -> None:
    """Have a receipt sent by itself, once; an `objection` says why it must not be.

    The terms are those that hold now; a shop that prints no more still prints what it owes.
    """
    terms = gateway.receipt_terms(slip.shop) or ANYBODY
    till, reason, request = gateway.tills.get(slip.shop), objection, b""
    if till is None:
        reason = reason or UNPRINTABLE
    elif reason is None:
        try:
            wanted = settled(terms, slip.line, tender, customer)
            request = till.receipt_request(slip.kind, wanted, slip.provider_payment_id)
        except NoContact:
            reason = NO_CONTACT
        except ValueError:
            reason = UNPRINTABLE
    if reason is None:
        await _keep(tx, gateway, slip, request)
        return
    failed = replace(slip, status=State.FAILED, reason=reason)
    if await receipts.insert(tx, failed, {}):
        facts = registration.facts(slip)
        alarm("receipt_failed", reason=reason, reference=slip.reference, **facts)


async def _keep(tx: Tx, gateway: Gateway, slip: Slip, request: bytes) -> None:
    extra: dict[str, Any] = {
        "key": slip.id.hex,
        "request": gateway.seal(request),
        "due_at": slip.created_at,
    }
    if await receipts.insert(tx, replace(slip, status=State.UNSENT), extra):
        raise_signal(tx, RECEIPTS)
