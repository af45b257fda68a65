"""Autopay's database: its own tables and those every service has."""

from __future__ import annotations

from sqlalchemy import MetaData

from autopay import (
    accounts,
    charges,
    consents,
    directory,
    mandate_table,
    methods,
    occasions,
    pauses,
    watches,
)
from shared import conflict, idempotency, inbox, outbox

SCHEMAS: tuple[MetaData, ...] = (
    directory.schema,
    accounts.schema,
    methods.schema,
    mandate_table.schema,
    consents.schema,
    occasions.schema,
    charges.schema,
    watches.schema,
    pauses.schema,
    idempotency.schema,
    outbox.schema,
    inbox.schema,
    conflict.schema,
)
