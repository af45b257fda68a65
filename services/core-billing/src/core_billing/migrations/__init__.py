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
    life,
    pending,
    policy_rows,
    postings,
    promise_rows,
    refund_rows,
    register,
    revisions,
    services,
    sessions,
    subscribers,
    tariffs,
    terms,
    topups,
    uncredited,
    watches,
)
from shared import conflict, idempotency, inbox, outbox

SCHEMAS: Final[tuple[MetaData, ...]] = (
    accounts.schema,
    postings.schema,
    refund_rows.schema,
    register.schema,
    revisions.schema,
    contracts.schema,
    subscribers.schema,
    watches.schema,
    terms.schema,
    policy_rows.schema,
    categories.schema,
    desk.schema,
    promise_rows.schema,
    block_rows.schema,
    tariffs.schema,
    services.schema,
    pending.schema,
    life.schema,
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
