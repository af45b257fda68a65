"""Advances that a service has used up: a receipt of their own for each part of a fee.

Core says which payments' money settles a fee. Each of them that was printed as an advance gets one
receipt more, of a full payment by prepayment, exactly once: the row, the key and the exact bytes
are committed before they are sent, an unclear outcome is sent again, and what is still unclear
after `list_after` is looked for among the payment's receipts and never sent again. Source: 54-FZ,
article 1.2; YooKassa, `POST /receipts`, of which a payment may have 50.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final
from uuid import uuid4

import structlog

from shared import log as logs
from shared.db import Tx, transaction
from shared.events import Event
from shared.events_gateway import FeeCharged
from shared.gateway import apart, contacts, payments, receipts, registration
from shared.gateway import receipt as pure
from shared.gateway.gateway import RECEIPTS, Gateway, pause
from shared.gateway.payments import Named
from shared.gateway.provider import Failure, Missing, Refused, Unclear, tries
from shared.gateway.receipt import Line, Tender
from shared.gateway.receipts import Lease, Slip
from shared.gateway.settle import Payment
from shared.gateway.till import Issued, Kind, Registered
from shared.metrics import alarm

RECEIPTS_MAX: Final = 50
"""Of one payment at its provider."""
TOO_MANY: Final = "too_many"
TOO_MUCH: Final = "more_than_the_advance"
UNMADE: Final = "unmade"

_log = structlog.get_logger(__name__)


async def take(tx: Tx, gateway: Gateway, events: Sequence[Event]) -> None:
    """Write down the receipts that charged fees make necessary; each part of a fee once."""
    for event in events:
        if event.type == FeeCharged.TYPE:
            await _take(tx, gateway, FeeCharged.of(event), event.correlation_id)


async def send(gateway: Gateway, lease: Lease) -> None:
    """Send a receipt, the first time or again, and write down what came of it."""
    slip = lease.slip
    with logs.bind_correlation(slip.correlation_id):
        request = gateway.unsealed(lease.request)
        outcome = await gateway.tills[slip.shop].create_receipt(lease.key, request)
        if isinstance(outcome, Issued):
            await registration.write(gateway, lease, outcome.registered)
        elif isinstance(outcome, Refused):
            await _refused(gateway, lease, outcome)
        else:
            await _unclear(gateway, lease, outcome)


async def look(gateway: Gateway, lease: Lease) -> None:
    """Look for a receipt among its payment's, because its request may not be sent again.

    A cash register that knows receipts by their keys is asked about that one.
    """
    slip = lease.slip
    till = gateway.tills[slip.shop]
    with logs.bind_correlation(slip.correlation_id):
        if till.apart:
            await _ask(gateway, lease, UNMADE)
            return
        listed = await till.receipts_of(slip.provider_payment_id)
        if isinstance(listed, Failure):
            await _unclear(gateway, lease, listed)
            return
        found = await _bound(gateway, lease, listed)
        if found is not None:
            await registration.write(gateway, lease, found.registered)
        else:
            await registration.fail(gateway, lease, UNMADE)


async def _ask(gateway: Gateway, lease: Lease, unmade: str) -> None:
    """Ask about a receipt by its key; `unmade` is why there is none, where there is none."""
    slip = lease.slip
    outcome = await gateway.tills[slip.shop].registration(slip.kind, lease.key)
    if isinstance(outcome, Registered):
        await registration.write(gateway, lease, outcome)
    elif isinstance(outcome, Missing):
        await registration.fail(gateway, lease, unmade)
    else:
        await _unclear(gateway, lease, outcome)


async def _take(tx: Tx, gateway: Gateway, fee: FeeCharged, correlation_id: str) -> None:
    parts: Counter[Named] = Counter()
    for part in fee.settled_by:
        if gateway.receipt_terms(part.provider) is not None:
            parts[Named(part.provider, part.provider_payment_id, None)] += part.amount_kopecks
    # Locked in one order for everybody, so that two fees never use one advance up twice.
    found = await payments.lock_by_provider(tx, list(parts))
    for named, kopecks in parts.items():
        payment = found.get(named)
        if payment is None:
            alarm(
                "offset_of_unknown_payment",
                provider=named.shop,
                provider_payment_id=named.provider_id,
                fee_id=fee.fee_id,
                correlation_id=correlation_id,
            )
        elif payment.receipt is not None and payment.receipt.mode.ahead:
            await _offset(tx, gateway, fee, payment, kopecks, correlation_id)


async def _offset(
    tx: Tx, gateway: Gateway, fee: FeeCharged, payment: Payment, kopecks: int, correlation_id: str
) -> None:
    terms = gateway.receipt_terms(payment.shop)
    if terms is None:
        return
    line = pure.offset_line(terms, kopecks, fee.occurred_at, service=fee.service, period=fee.period)
    slip = Slip(
        id=uuid4(),
        shop=payment.shop,
        kind=Kind.OFFSET,
        payment_id=payment.id,
        provider_payment_id=payment.provider_payment_id or "",
        reference=fee.fee_id,
        line=line,
        correlation_id=correlation_id,
        created_at=gateway.clock(),
    )
    contact = contacts.unseal(gateway.vault, await contacts.of_payment(tx, payment.id))
    objection = await _objection(tx, payment, kopecks)
    await apart.write(tx, gateway, slip, contact, Tender.PREPAYMENT, objection)


async def _objection(tx: Tx, payment: Payment, kopecks: int) -> str | None:
    """Say why a payment's money cannot be used up by another receipt."""
    count, used_kopecks = await receipts.used_up(tx, payment.id)
    if used_kopecks + kopecks > (payment.received_kopecks or 0):
        return TOO_MUCH
    return TOO_MANY if count >= RECEIPTS_MAX else None


async def _refused(gateway: Gateway, lease: Lease, refused: Refused) -> None:
    _log.warning("receipt.refused", code=refused.code, detail=refused.detail[:200])
    if refused.ours:
        # Not this receipt is at fault, so it waits until a person has mended the shop's rights.
        alarm("provider_refuses_us", provider=lease.slip.shop, code=refused.code)
        await _unclear(gateway, lease, refused)
    elif lease.attempt == 1:
        await registration.fail(gateway, lease, refused.code)
    elif gateway.tills[lease.slip.shop].apart:
        await _ask(gateway, lease, refused.code)
    else:
        # An earlier sending may have been taken, so this refusal proves nothing: ask the list.
        when = gateway.clock() + gateway.timing.doubt
        async with transaction(gateway.db) as tx:
            await receipts.release(tx, lease, when, list_at=when)


async def _unclear(gateway: Gateway, lease: Lease, outcome: Failure) -> None:
    asked = None if isinstance(outcome, Refused) else outcome.retry_after
    after = pause(gateway.timing.retry, lease.attempt, asked)
    why = outcome.reason if isinstance(outcome, Unclear) else type(outcome).__name__.lower()
    _log.warning("receipt.unclear", attempt=lease.attempt, reason=why)
    attempts = tries(outcome, lease.attempt)
    # What has not left us is sent as new, however long that takes.
    unsent = {"first_sent_at": None, "list_at": None} if attempts == 0 else {}
    async with transaction(gateway.db) as tx:
        due_at = gateway.clock() + after
        await receipts.release(tx, lease, due_at, attempts=attempts, **unsent)
    gateway.wake(RECEIPTS, after)


async def _bound(gateway: Gateway, lease: Lease, listed: Sequence[Issued]) -> Issued | None:
    """Return the oldest listed receipt that is what was asked for and nobody else's yet."""
    slip = lease.slip
    async with transaction(gateway.db) as tx:
        # The payment is locked, so that two receipts alike do not both take the same one.
        await payments.lock(tx, slip.payment_id)
        others = await receipts.ids_of_others(tx, slip)
        found = [one for one in listed if one.id not in others and _alike(one, slip.line)]
        if found:
            await receipts.bind(tx, lease, found[-1].id)
    return found[-1] if found else None


def _alike(one: Issued, line: Line) -> bool:
    """Say whether a listed receipt is what was asked for; nothing of ours comes back in it."""
    return (one.text, one.mode, one.kopecks) == (line.text, str(line.mode), line.kopecks)
