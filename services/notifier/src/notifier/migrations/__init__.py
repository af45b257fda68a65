"""The notifier's database: its own tables and those every service has."""

from __future__ import annotations

from sqlalchemy import MetaData

from notifier import directory, journal
from shared import conflict, inbox, outbox

SCHEMAS: tuple[MetaData, ...] = (
    directory.schema,
    journal.schema,
    outbox.schema,
    inbox.schema,
    conflict.schema,
)
