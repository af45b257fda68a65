"""A refund is asked for again, ever more slowly, until a gateway has answered.

What was taken for it lies in the reserve meanwhile, so a request that was lost by a purged queue or
a restored gateway would keep a subscriber's money for ever. A gateway sends each request once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from core_billing import acknowledgements, corrections, holdings, refund_rows, refunds
from core_billing.refund_rows import Refund
from core_billing.rules import Core
from shared import log
from shared.db import transaction
from shared.events import Event
from shared.events_gateway import RefundRequested
from shared.metrics import alarm

BATCH_MAX: Final = 100
PAUSES: Final = (
    refunds.ANSWERED_WITHIN,
    timedelta(minutes=30),
    timedelta(hours=1),
    timedelta(hours=6),
)
"""Before it is asked for the second time, the third, and so on; the last one stays."""
ALARM_AFTER: Final = timedelta(hours=1)


async def step(core: Core) -> bool:
    """Ask for one batch of unanswered refunds again; return whether more may be due."""
    at = core.clock()
    async with transaction(core.db) as tx:
        due = await refund_rows.unanswered(tx, at, BATCH_MAX)
        # What was taken for it, and so from whom, stands in the ledger.
        taken = [(one, await corrections.newest(tx, one.operations[0])) for one in due]
        bodies = [(one, _body(one, holdings.taken_from(lines))) for one, lines in taken]

        def make(suffix: str) -> list[Event]:
            return [_event(core, one, body, suffix) for one, body in bodies]

        await acknowledgements.repeat(tx, core.rules.producer, make, at)
        for one in due:
            await refund_rows.asked_again(tx, one, at + PAUSES[min(one.says, len(PAUSES) - 1)])
    _complain(due, at)
    return len(due) == BATCH_MAX


def _body(one: Refund, split: dict[holdings.Holder, int]) -> RefundRequested:
    return refunds.requested(
        split,
        occurred_at=one.requested_at,
        refund_id=one.refund_id,
        provider=one.provider,
        provider_payment_id=one.provider_payment_id,
        amount_kopecks=one.amount_kopecks,
        reason=one.reason,
    )


def _event(core: Core, one: Refund, body: RefundRequested, suffix: str) -> Event:
    return body.event(
        core.rules.producer.name,
        subject=body.refund_id,
        revision=f"{body.refund_id}{suffix}",
        correlation_id=one.correlation_id or log.new_correlation_id(),
    )


def _complain(due: Sequence[Refund], at: datetime) -> None:
    late = [one for one in due if one.requested_at and at - one.requested_at >= ALARM_AFTER]
    if late:
        first = min(late, key=lambda one: one.requested_at or at)
        alarm(
            "refund_unanswered",
            count=len(late),
            since=first.requested_at and first.requested_at.isoformat(),
            payment=":".join(first.payment),
            refund_id=first.refund_id,
            correlation_id=first.correlation_id,
        )
