"""The notifier's database: its own tables and those every service has."""

from __future__ import annotations

from sqlalchemy import MetaData

from notifier import access, access_leases, directory, journal, report_table
from shared import conflict, inbox, outbox

SCHEMAS: tuple[MetaData, ...] = (
    directory.schema,
    journal.schema,
    report_table.schema,
    access.schema,
    access_leases.schema,
    outbox.schema,
    inbox.schema,
    conflict.schema,
)
