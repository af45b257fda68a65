"""A fiscal receipt (54-FZ): sent with a payment or refund, or alone by `POST /receipts`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from simulators.record import JSON, load
from simulators.record import save as save_record
from simulators.store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS receipt (
    id TEXT PRIMARY KEY, shop_id TEXT NOT NULL, type TEXT NOT NULL, payment_id TEXT, refund_id TEXT,
    status TEXT NOT NULL, content TEXT NOT NULL, created_at INTEGER NOT NULL,
    register_at INTEGER, registered_at INTEGER, document_number TEXT
);
CREATE INDEX IF NOT EXISTS receipt_listed ON receipt (shop_id, created_at DESC, id DESC);
CREATE INDEX IF NOT EXISTS receipt_unregistered ON receipt (register_at) WHERE status = 'pending';
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One receipt; `content` keeps items, settlements and customer as they were sent."""

    id: str
    shop_id: str
    type: str
    payment_id: str | None = None
    refund_id: str | None = None
    status: str
    content: dict[str, Any] = field(default_factory=dict, metadata=JSON)
    created_at: int
    register_at: int | None = None
    registered_at: int | None = None
    document_number: str | None = None


def save(store: Store, receipt: Receipt) -> None:
    """Write the receipt over its row."""
    save_record(store, "receipt", receipt)


def find(store: Store, receipt_id: str, shop_id: str) -> Receipt | None:
    """Return this shop's receipt, or None."""
    row = store.one("SELECT * FROM receipt WHERE id = ? AND shop_id = ?", receipt_id, shop_id)
    return None if row is None else load(Receipt, row)


def count(store: Store, *, payment_id: str | None, refund_id: str | None) -> int:
    """Return how many receipts a payment or a refund has; the API allows fifty."""
    row = store.one(
        "SELECT count(*) AS n FROM receipt WHERE payment_id IS ? AND refund_id IS ?",
        payment_id,
        refund_id,
    )
    return int(row["n"]) if row else 0


def unregistered(store: Store, now: int, limit: int = 500) -> list[Receipt]:
    """Return receipts whose registration is due."""
    rows = store.all(
        "SELECT * FROM receipt WHERE status = 'pending' AND register_at <= ? LIMIT ?", now, limit
    )
    return [load(Receipt, row) for row in rows]


def registered(store: Store) -> int:
    """Return how many receipts the cash register has issued."""
    row = store.one("SELECT count(*) AS n FROM receipt WHERE status = 'succeeded'")
    return int(row["n"]) if row else 0
