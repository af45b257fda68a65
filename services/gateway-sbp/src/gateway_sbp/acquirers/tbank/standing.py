"""How a payment stands: what the bank tells of it, beside what only we know."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gateway_sbp.acquirers.tbank import refund_rows
from gateway_sbp.acquirers.tbank.terminal import Terminal, read
from gateway_sbp.acquirers.tbank.wire import payments
from gateway_sbp.acquirers.tbank.wire.payments import Known
from gateway_sbp.acquirers.tbank.wire.refunds import State
from shared.db import reading
from shared.gateway.payments import find_provided
from shared.gateway.provider import Failure, Missing, ProviderPayment
from shared.metrics import alarm


async def known(terminal: Terminal, payment: str) -> Known | None:
    """Return what we know of a payment ourselves."""
    async with reading(terminal.db) as tx:
        ours = await find_provided(tx, terminal.shop, payment)
        if ours is None:
            return None
        rows = await refund_rows.of_payment(tx, terminal.shop, payment)
    done = sum(row.amount_kopecks for row in rows if row.state is State.DONE)
    kopecks = ours.received_kopecks or ours.amount_kopecks
    return Known(kopecks, ours.created_at, ours.expires_at, done)


async def fetch(
    terminal: Terminal, payment: str, asked: Mapping[str, Any] | None = None
) -> ProviderPayment | Missing | Failure:
    """Ask how a payment stands; `asked` is its request, where our row does not name it yet.

    Money that somebody has sent back without us is an alarm where the bank does not say how much.
    """
    said = await terminal.state(payment)
    if isinstance(said, Missing):
        return said
    at = terminal.clock()
    ours = await known(terminal, payment)
    if ours is None and asked is not None:
        ours = Known(asked["Amount"], at, until(asked))
    test = terminal.account.test
    found = read(lambda value: payments.payment(terminal.shop, value, ours, at, test=test), said)
    if isinstance(found, ProviderPayment) and _untold(found):
        facts = {"provider": terminal.shop, "provider_payment_id": payment}
        alarm("refund_of_unknown_amount", **facts)
    return found


def until(asked: Mapping[str, Any]) -> datetime:
    """Return when what is asked for can no longer be paid."""
    return datetime.fromisoformat(asked["RedirectDueDate"])


def _untold(found: ProviderPayment) -> bool:
    return found.said == payments.PARTIAL and not found.refunded_kopecks
