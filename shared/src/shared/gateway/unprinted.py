"""Receipts that a person must look at, and how they are tried again once the fault is mended.

What the provider has is asked about once more. What goes apart and is not there, because it was
refused or nobody found it in the list, is sent again as a new request: whoever names it has looked
into the provider's own list of receipts first.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy import and_, not_, or_, select, update

from shared.db import Tx
from shared.gateway.apart import NO_CONTACT, UNPRINTABLE
from shared.gateway.receipts import BAD, Slip, State, receipt, to_slip
from shared.gateway.till import Kind

LISTED_MAX: Final = 1000


async def listed(tx: Tx) -> Sequence[Slip]:
    """Return the receipts that failed or are overdue, oldest first, at most a thousand."""
    ordered = select(receipt).where(BAD).order_by(receipt.c.created_at, receipt.c.id)
    return [to_slip(row) for row in await tx.execute(ordered.limit(LISTED_MAX))]


async def again(tx: Tx, ids: Sequence[UUID], at: datetime) -> int:
    """Make these due once more, as if they were new; return how many of them could be.

    What was never written as a request, because nobody was there to send it to, stays as it is.
    """
    c = receipt.c
    mine = and_(BAD, c.id.in_(list(ids)))
    never = c.reason.in_([NO_CONTACT, UNPRINTABLE])
    with_it = and_(c.kind != str(Kind.OFFSET), c.request.is_(None), not_(never))
    printed = or_(with_it, c.provider_receipt_id.is_not(None))
    due = {"reason": "", "due_at": at, "created_at": at, "attempts": 0}
    asked = update(receipt).where(mine, printed).values(status=str(State.PENDING), **due)
    count = (await tx.execute(asked)).rowcount
    unsent = {"status": str(State.UNSENT), "first_sent_at": None, "list_at": None, **due}
    # One by one, because each request needs a key of its own.
    for receipt_id in ids:
        lost = and_(BAD, c.id == receipt_id, c.request.is_not(None))
        sent = update(receipt).where(lost).values(key=uuid4().hex, **unsent)
        count += (await tx.execute(sent)).rowcount
    return count
