"""The tables of core-billing and how they came to be."""

from typing import Final

from sqlalchemy import MetaData

from core_billing import (
    accounts,
    attempts,
    audit,
    block_rows,
    categories,
    contracts,
    dead,
    desk,
    idempotency,
    policy_rows,
    postings,
    promise_rows,
    refund_rows,
    register,
    sessions,
    subscribers,
    terms,
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
    terms.schema,
    policy_rows.schema,
    categories.schema,
    desk.schema,
    promise_rows.schema,
    block_rows.schema,
    audit.schema,
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
