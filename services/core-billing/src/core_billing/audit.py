"""The audit log: every act of a person or another system, in the transaction of the act."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, Row, Table, Text, select

from shared.db import Instant, Tx, metadata

schema = metadata()
audit = Table(
    "audit",
    schema,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", Instant, nullable=False),
    # The name of the token that was used: a manager or a system.
    Column("actor", Text, nullable=False),
    # What was done, such as ``payment.correct``.
    Column("action", Text, nullable=False),
    # What it was done to, such as ``contract:100245`` or ``payment:17``.
    Column("subject", Text, nullable=False),
    Column("asked", JSON, nullable=False),
    Column("correlation_id", Text, nullable=False),
)
Index("ix_audit_subject", audit.c.subject, audit.c.id)
Index("ix_audit_actor", audit.c.actor, audit.c.id)
# Moments grow with the ids.
Index(
    "ix_audit_at",
    audit.c.at,
    postgresql_using="brin",
    postgresql_with={"autosummarize": "on"},
)


async def add(
    tx: Tx,
    at: datetime,
    actor: str,
    action: str,
    subject: str,
    asked: Mapping[str, Any],
    correlation_id: str,
) -> None:
    """Write an act down; `asked` is the body it was asked with, free of passwords and addresses."""
    row = {
        "at": at,
        "actor": actor,
        "action": action,
        "subject": subject,
        "asked": dict(asked),
        "correlation_id": correlation_id,
    }
    await tx.execute(audit.insert().values(row))


@dataclass(frozen=True, slots=True)
class Filter:
    """Which acts are asked for; what is None is not asked. The period is half-open."""

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    begins: datetime | None = None
    ends: datetime | None = None


async def page(tx: Tx, asked: Filter, after: int | None, limit: int) -> Sequence[Row[Any]]:
    """Return at most `limit` acts that follow the one with the id `after`, newest first."""
    wanted = select(audit).order_by(audit.c.id.desc()).limit(limit)
    for column, value in (
        (audit.c.actor, asked.actor),
        (audit.c.action, asked.action),
        (audit.c.subject, asked.subject),
    ):
        if value is not None:
            wanted = wanted.where(column == value)
    if asked.begins is not None:
        wanted = wanted.where(audit.c.at >= asked.begins)
    if asked.ends is not None:
        wanted = wanted.where(audit.c.at < asked.ends)
    if after is not None:
        wanted = wanted.where(audit.c.id < after)
    return (await tx.execute(wanted)).all()
