"""A refund: asked by the shop over the API, or made by its manager in the profile."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from simulators.record import JSON, load
from simulators.record import save as save_record
from simulators.store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS refund (
    id TEXT PRIMARY KEY, shop_id TEXT NOT NULL, payment_id TEXT NOT NULL, status TEXT NOT NULL,
    amount_kopecks INTEGER NOT NULL, currency TEXT NOT NULL, created_at INTEGER NOT NULL,
    settle_at INTEGER, settle_status TEXT, settle_reason TEXT, description TEXT,
    metadata TEXT NOT NULL, cancel_party TEXT, cancel_reason TEXT, rrn TEXT,
    receipt TEXT, receipt_registration TEXT
);
CREATE INDEX IF NOT EXISTS refund_listed ON refund (shop_id, created_at DESC, id DESC);
CREATE INDEX IF NOT EXISTS refund_of ON refund (payment_id);
CREATE INDEX IF NOT EXISTS refund_unsettled ON refund (settle_at) WHERE status = 'pending';
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """Money on its way back, or back."""

    id: str
    shop_id: str
    payment_id: str
    status: str
    amount_kopecks: int
    currency: str
    created_at: int
    settle_at: int | None = None
    """When a pending refund ends, and how: scripted by a test."""
    settle_status: str | None = None
    settle_reason: str | None = None
    description: str | None = None
    metadata: dict[str, str] = field(default_factory=dict, metadata=JSON)
    cancel_party: str | None = None
    cancel_reason: str | None = None
    rrn: str | None = None
    receipt: dict[str, Any] | None = field(default=None, metadata=JSON)
    receipt_registration: str | None = None


def save(store: Store, refund: Refund) -> None:
    """Write the refund over its row."""
    save_record(store, "refund", refund)


def find(store: Store, refund_id: str, shop_id: str | None = None) -> Refund | None:
    """Return the refund; None if it is unknown or, where a shop is given, another shop's."""
    row = store.one("SELECT * FROM refund WHERE id = ?", refund_id)
    if row is None or (shop_id is not None and row["shop_id"] != shop_id):
        return None
    return load(Refund, row)


def reserved(store: Store, payment_id: str) -> int:
    """Return the kopecks of a payment that are returned or about to be."""
    row = store.one(
        "SELECT coalesce(sum(amount_kopecks), 0) AS total FROM refund "
        "WHERE payment_id = ? AND status != 'canceled'",
        payment_id,
    )
    return int(row["total"]) if row else 0


def unsettled(store: Store, now: int, limit: int = 500) -> list[Refund]:
    """Return pending refunds whose time has come."""
    rows = store.all(
        "SELECT * FROM refund WHERE status = 'pending' AND settle_at <= ? LIMIT ?", now, limit
    )
    return [load(Refund, row) for row in rows]
