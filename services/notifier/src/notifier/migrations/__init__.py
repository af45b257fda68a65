"""The notifier's database: its own tables and those every service has."""

from __future__ import annotations

from sqlalchemy import MetaData

from notifier import (
    access,
    access_leases,
    balances,
    confirmations,
    directory,
    journal,
    preferences,
    report_table,
    template_store,
    unreachable,
)
from shared import conflict, inbox, outbox

SCHEMAS: tuple[MetaData, ...] = (
    directory.schema,
    journal.schema,
    report_table.schema,
    preferences.schema,
    confirmations.schema,
    balances.schema,
    template_store.schema,
    unreachable.schema,
    access.schema,
    access_leases.schema,
    outbox.schema,
    inbox.schema,
    conflict.schema,
)
