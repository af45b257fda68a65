"""An operation on the ledger that is no payment from outside: transfer, write-off, distribution.

It is written like a payment, under a source of its own, and followed by the same consequences.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from core_billing import accounts, consequences, ledger
from core_billing.accounts import Kept
from core_billing.changes import Change
from core_billing.drafts import Draft, Part, Payment
from core_billing.ledger import Receipt
from core_billing.rules import Rules
from shared import outbox
from shared.db import Tx
from shared.events import Event


async def carry_out(
    tx: Tx,
    rules: Rules,
    payment: Payment,
    parts: Sequence[Part],
    at: datetime,
    correlation_id: str,
) -> Receipt | None:
    """Write the first revision of an operation with these lines, say and do what follows.

    None where the operation is known already: then nothing has been written.
    """
    receipt, said = await written(tx, rules, payment, parts, at, correlation_id)
    await outbox.add(tx, rules.producer, said, at)
    return receipt


async def written(
    tx: Tx,
    rules: Rules,
    payment: Payment,
    parts: Sequence[Part],
    at: datetime,
    correlation_id: str,
) -> tuple[Receipt | None, list[Event]]:
    """Do as `carry_out`, but leave it to the caller to say the returned events with others."""
    kept = await accounts.lock(tx, {part.account for part in parts if part.account is not None})
    source = (await accounts.sources(tx, [payment.source]))[payment.source]
    draft = Draft(payment, source, 1, tuple(parts), None)
    receipt = (await ledger.write(tx, [draft], kept, at)).get(payment.reference)
    if receipt is None:
        return None, []
    changes = changes_of(kept, correlation_id, receipt.payment_id)
    return receipt, await consequences.follow(tx, rules, changes, at)


def changes_of(
    kept: dict[str, Kept], correlation_id: str, payment_id: int | None = None
) -> list[Change]:
    """Return the changes of locked contracts that no money from outside has touched."""
    return [
        Change(
            account_id=one.account_id,
            number=accounts.number_of(name),
            correlation_id=correlation_id,
            tied=one.tied,
            payment_id=payment_id,
        )
        for name, one in kept.items()
    ]
