"""A saved means of payment: kept during a payment, or bound by `POST /payment_methods`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from simulators.record import JSON, load
from simulators.record import save as save_record
from simulators.store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS method (
    id TEXT PRIMARY KEY, shop_id TEXT NOT NULL, gateway_id TEXT NOT NULL, type TEXT NOT NULL,
    status TEXT NOT NULL, saved INTEGER NOT NULL, title TEXT, card TEXT, confirmation TEXT,
    created_at INTEGER NOT NULL, confirm_by INTEGER
);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A means of payment that may be charged without its owner while it is active."""

    id: str
    shop_id: str
    gateway_id: str
    type: str
    status: str
    """`pending` (a binding not confirmed yet), `active` or `inactive`."""
    saved: bool
    title: str | None = None
    card: dict[str, Any] | None = field(default=None, metadata=JSON)
    confirmation: dict[str, Any] | None = field(default=None, metadata=JSON)
    created_at: int
    confirm_by: int | None = None


def save(store: Store, method: Method) -> None:
    """Write the method over its row."""
    save_record(store, "method", method)


def find(store: Store, method_id: str, shop_id: str) -> Method | None:
    """Return this shop's method, or None."""
    row = store.one("SELECT * FROM method WHERE id = ? AND shop_id = ?", method_id, shop_id)
    return None if row is None else load(Method, row)


def latest(store: Store, limit: int) -> list[Method]:
    """Return the newest methods of all shops."""
    newest = "SELECT * FROM method ORDER BY created_at DESC, id DESC LIMIT ?"
    return [load(Method, row) for row in store.all(newest, limit)]


def expire(store: Store, now: int) -> int:
    """Make bindings inactive whose link (one hour) was not used; there is no event for that."""
    return store.run(
        "UPDATE method SET status = 'inactive', confirmation = NULL, confirm_by = NULL "
        "WHERE status = 'pending' AND confirm_by <= ?",
        now,
    )
