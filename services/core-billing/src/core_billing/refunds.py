"""Refunds asked for here: money is taken at once, and sent back by the provider later.

Meanwhile it lies in ``refund:<provider>``. Where the provider will not send it, it is given back.
What gateways say about refunds is booked in `refund_booking`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from core_billing import (
    accounts,
    corrections,
    holdings,
    ledger,
    operations,
    refund_rows,
    watches,
)
from core_billing import refund_refusals as refusals
from core_billing.accounts import Kept
from core_billing.changes import Change
from core_billing.correction_refusals import PAYMENT_UNKNOWN
from core_billing.drafts import Draft, Part, Payment, Reference
from core_billing.holdings import Holder, Holding
from core_billing.refund_rows import Refund
from core_billing.rules import Rules
from shared import log, outbox
from shared.db import Tx
from shared.events import Allocation
from shared.events_gateway import RefundRequested
from shared.money import Money

REASON_MAX: Final = 250
"""An event carries no longer one."""

ANSWERED_WITHIN: Final = timedelta(minutes=10)
"""What no gateway has answered by then is asked for again, see `refund_reminders`."""


async def request_refund(
    tx: Tx,
    rules: Rules,
    reference: Reference,
    amount_kopecks: int | None,
    reason: str,
    at: datetime,
) -> str:
    """Take money of a payment from its holders and ask the provider to send it back.

    No amount is all that refunds have left of it. Returns the id under which the refund is known
    to us. Raises the refusals of `refund_refusals`.
    """
    provider = accounts.provider_of(reference[0])
    if provider is None or not reference[0].startswith(accounts.PAYMENT):
        raise refusals.NOT_REFUNDABLE()
    if len(reason) > REASON_MAX:
        raise refusals.REASON_TOO_LONG(max=REASON_MAX)
    holding = await _holding(tx, reference, amount_kopecks)
    if amount_kopecks is None:
        amount_kopecks = holding.rest_kopecks
    split = holding.split(amount_kopecks)
    body = requested(
        split,
        occurred_at=at,
        refund_id=str(uuid4()),
        provider=provider,
        provider_payment_id=reference[1],
        amount_kopecks=amount_kopecks,
        reason=reason,
    )
    taken = (accounts.REQUEST + provider, body.refund_id)
    kept = await _move(tx, Payment(*taken, -amount_kopecks, (), at), 1, taking(split), at)
    names = ("provider", "provider_payment_id", "amount_kopecks", "refund_id", "reason")
    correlation_id = log.correlation_id() or log.new_correlation_id()
    row = body.model_dump(include=set(names)) | {"correlation_id": correlation_id}
    await refund_rows.add(tx, **row, requested_at=at, say_at=at + ANSWERED_WITHIN)
    event = body.event(
        rules.producer.name,
        subject=body.refund_id,
        revision=body.refund_id,
        correlation_id=correlation_id,
    )
    await outbox.add(tx, rules.producer, [event], at)
    touched = {one.account_id: correlation_id for one in kept.values()}
    await watches.judge(tx, rules, touched, at)
    return body.refund_id


def requested(split: Mapping[Holder, int], **said: Any) -> RefundRequested:
    """Return the request for a refund that is taken from these holders."""
    return RefundRequested(contract=_only(split), allocations=_allocations(split), **said)


async def give_back(
    tx: Tx, known: Refund, said_at: datetime, at: datetime, correlation_id: str
) -> list[Change]:
    """Reverse what was taken for a refund that will not happen; return what it has changed.

    It is no payment from outside: it repays no promise, but an overdue one or a block may end.
    """
    taken = known.operations[0]
    lines = await corrections.newest(tx, taken)
    undone = [corrections.undo(row) for row in lines]
    await refund_rows.change(tx, known.id, failed_at=at)
    kept = await _move(tx, Payment(*taken, 0, (), said_at), 2, undone, at)
    return operations.changes_of(kept, correlation_id)


def taking(split: Mapping[Holder, int]) -> tuple[Part, ...]:
    """Return the lines that take these kopecks from these holders."""
    return tuple(
        Part(line, holder, -kopecks) for line, (holder, kopecks) in enumerate(split.items(), 1)
    )


async def _holding(tx: Tx, reference: Reference, amount_kopecks: int | None) -> Holding:
    """Lock a payment and return who holds it; raises what `request_refund` does."""
    await holdings.lock(tx, [reference])
    holding = (await holdings.find(tx, [reference])).get(reference)
    if holding is None:
        raise PAYMENT_UNKNOWN(id=reference[1])
    if amount_kopecks == 0:
        raise refusals.AMOUNT_ZERO()
    if amount_kopecks is not None and amount_kopecks < 0:
        raise refusals.AMOUNT_NEGATIVE()
    if not holding.rest_kopecks:
        raise refusals.NOTHING_TO_REFUND()
    if amount_kopecks is not None and amount_kopecks > holding.rest_kopecks:
        raise refusals.ABOVE_REST(rest=Money(holding.rest_kopecks))
    return holding


async def _move(
    tx: Tx, payment: Payment, revision: int, parts: Sequence[Part], at: datetime
) -> dict[str, Kept]:
    """Write one revision of what was taken for a refund; return the contracts it touches."""
    kept = await accounts.lock(tx, {part.account for part in parts if part.account is not None})
    source = (await accounts.sources(tx, [payment.source]))[payment.source]
    await ledger.write(tx, [Draft(payment, source, revision, tuple(parts), None)], kept, at)
    return kept


def _only(split: Mapping[Holder, int]) -> str | None:
    """Return the contract that all of it is taken from, if there is one."""
    allocations = _allocations(split)
    return allocations[0].contract if len(allocations) == len(split) == 1 else None


def _allocations(split: Mapping[Holder, int]) -> tuple[Allocation, ...]:
    return tuple(
        Allocation(contract=accounts.number_of(holder), amount_kopecks=kopecks)
        for holder, kopecks in split.items()
        if holder is not None
    )
