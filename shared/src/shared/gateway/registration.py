"""Receipts on their way to the tax office: asked about until they are registered.

What becomes of a receipt never touches its payment. One that fails, or that is still on its way
after `receipt_overdue`, is a person's: an alarm, and a line of the command `receipts`. The
provider is asked on for a month, because a cash register may be mended. Source: YooKassa,
"Receipts from YooKassa": no notification speaks of receipts; after 3 days ask its support.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import structlog

from shared import log as logs
from shared.db import transaction
from shared.gateway import receipts
from shared.gateway.gateway import RECEIPTS, Gateway, pause
from shared.gateway.provider import Refused, Throttled, Unclear
from shared.gateway.receipts import Lease, Slip, State
from shared.gateway.till import Registered, Registration
from shared.metrics import alarm

CANCELED: Final = "canceled"
OVERDUE: Final = "overdue"

GIVEN_UP_AFTER: Final = timedelta(days=30)
OVERDUE_PAUSE: Final = timedelta(hours=6)

_STATES: Final = {
    Registration.PENDING: State.PENDING,
    Registration.SUCCEEDED: State.SUCCEEDED,
    Registration.FAILED: State.FAILED,
}
_log = structlog.get_logger(__name__)


async def ask(gateway: Gateway, lease: Lease) -> None:
    """Ask how a receipt stands and write it down."""
    slip = lease.slip
    with logs.bind_correlation(slip.correlation_id):
        till = gateway.tills[slip.shop]
        outcome = await till.registration(slip.kind, lease.key if till.apart else slip.about)
        if isinstance(outcome, Registered):
            await write(gateway, lease, outcome)
            return
        why = outcome.reason if isinstance(outcome, Unclear) else type(outcome).__name__.lower()
        _log.warning("receipt.not_fetched", reason=why, attempt=lease.attempt)
        if isinstance(outcome, Refused) and outcome.ours:
            alarm("provider_refuses_us", provider=slip.shop, code=outcome.code)
        asked = outcome.retry_after if isinstance(outcome, Unclear | Throttled) else None
        await _wait(gateway, lease, {}, asked)


async def write(gateway: Gateway, lease: Lease, said: Registered) -> None:
    """Write down what the provider says of a receipt."""
    known: dict[str, Any] = {"provider_receipt_id": said.receipt_id} if said.receipt_id else {}
    if said.registration is Registration.PENDING:
        await _wait(gateway, lease, known)
    elif said.registration is Registration.FAILED:
        if gateway.tills[lease.slip.shop].apart:
            # It is no receipt: printing it once it is mended is another request, under a new key.
            known = {"provider_receipt_id": None}
        await fail(gateway, lease, CANCELED, **known)
    else:
        numbers = {
            "document": said.document or None,
            "storage": said.storage or None,
            "attribute": said.attribute or None,
            "registered_at": said.registered_at or gateway.clock(),
        }
        async with transaction(gateway.db) as tx:
            done = {"status": str(State.SUCCEEDED), "reason": "", **known, **numbers}
            await receipts.release(tx, lease, None, **done)
        _log.info("receipt.registered", **facts(lease.slip))


async def fail(gateway: Gateway, lease: Lease, reason: str, **known: Any) -> None:
    """Write down that there will be no receipt, and have a person told."""
    async with transaction(gateway.db) as tx:
        ended = {"status": str(State.FAILED), "reason": reason, **known}
        mine = await receipts.release(tx, lease, None, **ended)
    if mine:
        alarm("receipt_failed", reason=reason, **facts(lease.slip))


async def _wait(
    gateway: Gateway, lease: Lease, known: dict[str, Any], asked: timedelta | None = None
) -> None:
    slip, at = lease.slip, gateway.clock()
    age = at - slip.created_at
    if age >= GIVEN_UP_AFTER:
        await fail(gateway, lease, OVERDUE, **known)
        return
    first = slip.status is State.UNSENT
    # What has just been sent is asked about as soon as what went with its payment.
    attempt = 1 if first else lease.attempt + 1
    after = pause(gateway.timing.receipts, attempt, asked)
    late = age >= gateway.timing.receipt_overdue
    if late:
        after = max(after, OVERDUE_PAUSE)
    waits = {"status": str(State.PENDING), "reason": OVERDUE if late else "", **known}
    async with transaction(gateway.db) as tx:
        await receipts.release(
            tx, lease, at + after, attempts=0 if first else lease.attempt, **waits
        )
    gateway.wake(RECEIPTS, after)
    if late and slip.reason != OVERDUE:
        alarm("receipt_failed", reason=OVERDUE, **facts(lease.slip))


def facts(slip: Slip) -> dict[str, Any]:
    """Return what an alarm or a log line says of a receipt."""
    return {
        "receipt_id": str(slip.id),
        "receipt_of": str(slip.kind),
        "provider": slip.shop,
        "provider_payment_id": slip.provider_payment_id,
        "correlation_id": slip.correlation_id,
    }
