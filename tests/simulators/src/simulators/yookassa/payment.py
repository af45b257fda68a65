"""A payment: the row that is the provider's truth.

The columns are read by other processes (fault runs, benches): `status`, `paid`, `amount_kopecks`,
`refunded_kopecks`, `shop_id`, `test`, `metadata` keep their names. Moments are milliseconds since
1970.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from simulators.record import JSON, load
from simulators.record import save as save_record
from simulators.store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS payment (
    id TEXT PRIMARY KEY, shop_id TEXT NOT NULL, account_id TEXT NOT NULL, gateway_id TEXT NOT NULL,
    status TEXT NOT NULL, amount_kopecks INTEGER NOT NULL, currency TEXT NOT NULL,
    paid INTEGER NOT NULL, test INTEGER NOT NULL, capture INTEGER NOT NULL,
    created_at INTEGER NOT NULL, confirm_by INTEGER, captured_at INTEGER, expires_at INTEGER,
    refunded_kopecks INTEGER NOT NULL, income_kopecks INTEGER,
    description TEXT, metadata TEXT NOT NULL, merchant_customer_id TEXT,
    method_type TEXT, method TEXT, save_method INTEGER NOT NULL, confirmation TEXT,
    authorization TEXT, cancel_party TEXT, cancel_reason TEXT, attempt_reason TEXT,
    receipt TEXT, receipt_registration TEXT
);
CREATE INDEX IF NOT EXISTS payment_listed ON payment (shop_id, created_at DESC, id DESC);
CREATE INDEX IF NOT EXISTS payment_unconfirmed ON payment (confirm_by) WHERE status = 'pending';
CREATE INDEX IF NOT EXISTS payment_held ON payment (expires_at)
    WHERE status = 'waiting_for_capture';
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One payment as it stands; a change makes a new value, saved over the old row."""

    id: str
    shop_id: str
    account_id: str
    gateway_id: str
    status: str
    amount_kopecks: int
    currency: str
    paid: bool = False
    test: bool
    capture: bool
    created_at: int
    confirm_by: int | None = None
    """The end of the term to confirm; None once nobody is waited for."""
    captured_at: int | None = None
    expires_at: int | None = None
    """When a held sum is released by itself."""
    refunded_kopecks: int = 0
    income_kopecks: int | None = None
    description: str | None = None
    metadata: dict[str, str] = field(default_factory=dict, metadata=JSON)
    merchant_customer_id: str | None = None
    method_type: str | None = None
    """None while the payer has not chosen on the page."""
    method: dict[str, Any] | None = field(default=None, metadata=JSON)
    save_method: bool = False
    confirmation: dict[str, Any] | None = field(default=None, metadata=JSON)
    authorization: dict[str, Any] | None = field(default=None, metadata=JSON)
    cancel_party: str | None = None
    cancel_reason: str | None = None
    attempt_reason: str | None = None
    """Why the last attempt on the page failed; the payment stays pending."""
    receipt: dict[str, Any] | None = field(default=None, metadata=JSON)
    receipt_registration: str | None = None

    @property
    def refundable(self) -> bool:
        """Whether something is left to be returned."""
        return self.status == "succeeded" and self.refunded_kopecks < self.amount_kopecks


def save(store: Store, payment: Payment) -> None:
    """Write the payment over its row."""
    save_record(store, "payment", payment)


def find(store: Store, payment_id: str, shop_id: str | None = None) -> Payment | None:
    """Return the payment; None if it is unknown or, where a shop is given, another shop's."""
    row = store.one("SELECT * FROM payment WHERE id = ?", payment_id)
    if row is None or (shop_id is not None and row["shop_id"] != shop_id):
        return None
    return load(Payment, row)


def overdue(store: Store, now: int, limit: int = 500) -> list[Payment]:
    """Return payments whose term to confirm or to capture is over."""
    rows = store.all(
        "SELECT * FROM payment WHERE status = 'pending' AND confirm_by <= ? "
        "UNION ALL SELECT * FROM payment WHERE status = 'waiting_for_capture' AND expires_at <= ? "
        "LIMIT ?",
        now,
        now,
        limit,
    )
    return [load(Payment, row) for row in rows]
