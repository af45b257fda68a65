"""Payment categories: what a payment was for, with the code by which 1C knows it.

Category 0 is built in: it is there without a row, and its row, once it has one, holds only what a
manager has said about it. A deleted category stays for the payments that bear it.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Index, Integer, Table, Text

from shared.db import Instant, metadata

BUILT_IN: Final = 0

schema = metadata()
category = Table(
    "category",
    schema,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("external_code", Text),
    Column("revision", Integer, nullable=False),
    Column("changed_by", Text, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("deleted_at", Instant),
)
_kept = category.c.deleted_at.is_(None)
Index("uq_category_name", category.c.name, unique=True, postgresql_where=_kept, sqlite_where=_kept)
Index(
    "uq_category_external_code",
    category.c.external_code,
    unique=True,
    postgresql_where=_kept,
    sqlite_where=_kept,
)
