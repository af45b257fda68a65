"""The tables of core-billing and how they came to be."""

from typing import Final

from sqlalchemy import MetaData

from core_billing import (
    accounts,
    attempts,
    contracts,
    dead,
    idempotency,
    postings,
    refund_rows,
    register,
    sessions,
    subscribers,
    topups,
    uncredited,
    watches,
)
from shared import conflict, inbox, outbox

SCHEMAS: Final[tuple[MetaData, ...]] = (
    accounts.schema,
    postings.schema,
    refund_rows.schema,
    register.schema,
    contracts.schema,
    subscribers.schema,
    watches.schema,
    uncredited.schema,
    idempotency.schema,
    dead.schema,
    sessions.schema,
    attempts.schema,
    topups.schema,
    outbox.schema,
    inbox.schema,
    conflict.schema,
)
