"""The consent journal: who agreed to what, refused what, when, from where and on whose page.

It is only ever added to. The terms stand beside each act, so that a row proves what was agreed to
without any other row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, Column, Index, Integer, Row, Table, Text, Uuid, insert, select

from shared.db import Instant, Tx, metadata

HISTORY_MAX: Final = 500

schema = metadata()
consent = Table(
    "consent",
    schema,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("mandate_id", Uuid, nullable=False),
    Column("contract", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("address", Text),
    Column("channel", Text, nullable=False),
    Column("terms", Text, nullable=False),
    Column("detail", Text, nullable=False, server_default=""),
)
Index("ix_consent_mandate", consent.c.mandate_id, consent.c.id)


@dataclass(frozen=True, slots=True)
class Consent:
    """Proof of one act of a subscriber, or of who acted for them."""

    version: str
    """Names the text that was on the page; empty where an act needs none."""
    at: datetime
    address: str | None
    """The IP address it came from, where it is known."""
    channel: str
    """`page`, `skip_link`, `api:<caller>`, or `autopay` for what follows by itself."""


async def add(
    tx: Tx,
    mandate_id: UUID,
    contract: str,
    act: str,
    given: Consent,
    terms: str,
    detail: str = "",
) -> None:
    """Write down one act: create, change, pause, resume, skip or revoke."""
    row = {
        "mandate_id": mandate_id,
        "contract": contract,
        "act": act,
        "version": given.version,
        "at": given.at,
        "address": given.address,
        "channel": given.channel,
        "terms": terms,
        "detail": detail,
    }
    await tx.execute(insert(consent).values(row))


async def history(tx: Tx, mandate_id: UUID) -> Sequence[Row[Any]]:
    """Return the newest acts of a mandate, oldest first, at most 500."""
    newest = select(consent).where(consent.c.mandate_id == mandate_id)
    newest = newest.order_by(consent.c.id.desc()).limit(HISTORY_MAX)
    return list((await tx.execute(newest)).all())[::-1]
