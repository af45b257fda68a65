"""What the bank remembers: codes, payments, refunds, orders, subscriptions, receipts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from simulators.record import JSON, load, save
from simulators.store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS raiffeisen_qr (
    id TEXT PRIMARY KEY, merchant TEXT NOT NULL, type TEXT NOT NULL, order_id TEXT,
    amount_kopecks INTEGER, status TEXT NOT NULL, payload TEXT NOT NULL,
    created_at INTEGER NOT NULL, expires_at INTEGER, asked TEXT NOT NULL, subscription_id TEXT,
    declined INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS raiffeisen_qr_order ON raiffeisen_qr (order_id);
CREATE INDEX IF NOT EXISTS raiffeisen_qr_due ON raiffeisen_qr (expires_at)
    WHERE status IN ('NEW', 'INACTIVE');
CREATE TABLE IF NOT EXISTS raiffeisen_payment (
    transaction_id INTEGER PRIMARY KEY, qr_id TEXT NOT NULL, order_id TEXT, merchant TEXT NOT NULL,
    amount_kopecks INTEGER NOT NULL, status TEXT NOT NULL, paid_at INTEGER NOT NULL,
    subscription_id TEXT, type TEXT NOT NULL, becomes TEXT NOT NULL DEFAULT 'SUCCESS',
    settles_at INTEGER
);
CREATE INDEX IF NOT EXISTS raiffeisen_payment_due ON raiffeisen_payment (settles_at)
    WHERE status = 'IN_PROGRESS';
CREATE INDEX IF NOT EXISTS raiffeisen_payment_qr ON raiffeisen_payment (qr_id);
CREATE INDEX IF NOT EXISTS raiffeisen_payment_order ON raiffeisen_payment (order_id);
CREATE TABLE IF NOT EXISTS raiffeisen_refund (
    id TEXT NOT NULL, merchant TEXT NOT NULL, order_id TEXT, transaction_id INTEGER NOT NULL,
    qr_id TEXT NOT NULL, amount_kopecks INTEGER NOT NULL, status TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '', created_at INTEGER NOT NULL, done_at INTEGER NOT NULL,
    becomes TEXT NOT NULL, PRIMARY KEY (merchant, id)
);
CREATE INDEX IF NOT EXISTS raiffeisen_refund_due ON raiffeisen_refund (done_at)
    WHERE status = 'IN_PROGRESS';
CREATE INDEX IF NOT EXISTS raiffeisen_refund_of ON raiffeisen_refund (transaction_id);
CREATE TABLE IF NOT EXISTS raiffeisen_order (
    id TEXT PRIMARY KEY, merchant TEXT NOT NULL, amount_kopecks INTEGER NOT NULL,
    status TEXT NOT NULL, changed_at INTEGER NOT NULL, expires_at INTEGER, qr_id TEXT,
    asked TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS raiffeisen_subscription (
    id TEXT PRIMARY KEY, merchant TEXT NOT NULL, status TEXT NOT NULL, bank TEXT NOT NULL,
    qr_id TEXT NOT NULL, payload TEXT NOT NULL, created_at INTEGER NOT NULL, asked TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS raiffeisen_receipt (
    number TEXT NOT NULL, kind TEXT NOT NULL, merchant TEXT NOT NULL, status TEXT NOT NULL,
    body TEXT NOT NULL, ready_at INTEGER, becomes TEXT NOT NULL DEFAULT 'DONE',
    PRIMARY KEY (merchant, kind, number)
);
"""
TABLES = (
    "raiffeisen_qr",
    "raiffeisen_payment",
    "raiffeisen_refund",
    "raiffeisen_order",
    "raiffeisen_subscription",
    "raiffeisen_receipt",
)


@dataclass(frozen=True, slots=True)
class Qr:
    """A code. Of a static one `status` stays NEW, however often it is paid."""

    id: str
    merchant: str
    type: str
    order_id: str | None
    amount_kopecks: int | None
    status: str
    payload: str
    created_at: int
    expires_at: int | None
    asked: dict[str, Any] = field(metadata=JSON)
    subscription_id: str | None = None
    declined: bool = False

    def now(self, moment: int) -> str:
        """Return the status at a moment: a code that nobody paid in time has expired."""
        late = self.expires_at is not None and moment >= self.expires_at
        return "EXPIRED" if late and self.status in ("NEW", "INACTIVE") else self.status


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment by a code, or a charge."""

    transaction_id: int
    qr_id: str
    order_id: str | None
    merchant: str
    amount_kopecks: int
    status: str
    paid_at: int
    type: str
    subscription_id: str | None = None
    becomes: str = "SUCCESS"
    settles_at: int | None = None
    """When one that is in progress becomes what it becomes."""


@dataclass(frozen=True, slots=True)
class Refund:
    """Money sent back, or on its way."""

    id: str
    merchant: str
    order_id: str | None
    transaction_id: int
    qr_id: str
    amount_kopecks: int
    status: str
    created_at: int
    done_at: int
    becomes: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """An order of the desk, which makes a variable code payable."""

    id: str
    merchant: str
    amount_kopecks: int
    status: str
    changed_at: int
    expires_at: int | None
    qr_id: str | None
    asked: dict[str, Any] = field(metadata=JSON)


@dataclass(frozen=True, slots=True)
class Subscription:
    """An account bound for charges."""

    id: str
    merchant: str
    status: str
    bank: str
    qr_id: str
    payload: str
    created_at: int
    asked: dict[str, Any] = field(metadata=JSON)


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt of the bank's fiscal service."""

    number: str
    kind: str
    merchant: str
    status: str
    body: dict[str, Any] = field(metadata=JSON)
    ready_at: int | None = None
    becomes: str = "DONE"


def keep(store: Store, record: Qr | Payment | Refund | Order | Subscription | Receipt) -> None:
    """Insert it, or replace what had its key."""
    save(store, _TABLES[type(record)], record)


def qr(store: Store, qr_id: str) -> Qr | None:
    """Return a code."""
    row = store.one("SELECT * FROM raiffeisen_qr WHERE id = ?", qr_id)
    return None if row is None else load(Qr, row)


def payments(store: Store, column: str, value: str | int) -> list[Payment]:
    """Return the payments with this value, newest first."""
    sql = f"SELECT * FROM raiffeisen_payment WHERE {column} = ? ORDER BY transaction_id DESC"
    return [load(Payment, row) for row in store.all(sql, value)]


def refund(store: Store, merchant: str, refund_id: str) -> Refund | None:
    """Return a refund."""
    sql = "SELECT * FROM raiffeisen_refund WHERE merchant = ? AND id = ?"
    row = store.one(sql, merchant, refund_id)
    return None if row is None else load(Refund, row)


def returned(store: Store, transaction_id: int) -> int:
    """Return the kopecks of a payment that are back or on their way."""
    row = store.one(
        "SELECT coalesce(sum(amount_kopecks), 0) AS kopecks FROM raiffeisen_refund "
        "WHERE transaction_id = ? AND status != 'DECLINED'",
        transaction_id,
    )
    return 0 if row is None else int(row["kopecks"])


def order(store: Store, order_id: str) -> Order | None:
    """Return an order."""
    row = store.one("SELECT * FROM raiffeisen_order WHERE id = ?", order_id)
    return None if row is None else load(Order, row)


def subscription(store: Store, column: str, value: str) -> Subscription | None:
    """Return a subscription by its id or its code."""
    row = store.one(f"SELECT * FROM raiffeisen_subscription WHERE {column} = ?", value)
    return None if row is None else load(Subscription, row)


def receipt(store: Store, merchant: str, kind: str, number: str) -> Receipt | None:
    """Return a receipt."""
    sql = "SELECT * FROM raiffeisen_receipt WHERE merchant = ? AND kind = ? AND number = ?"
    row = store.one(sql, merchant, kind, number)
    return None if row is None else load(Receipt, row)


_TABLES = {
    Qr: "raiffeisen_qr",
    Payment: "raiffeisen_payment",
    Refund: "raiffeisen_refund",
    Order: "raiffeisen_order",
    Subscription: "raiffeisen_subscription",
    Receipt: "raiffeisen_receipt",
}
