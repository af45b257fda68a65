"""What T-Bank remembers: payments, what went back of them, and bound accounts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from simulators.record import JSON, load, save
from simulators.store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS tbank_payment (
    id INTEGER PRIMARY KEY, order_id TEXT NOT NULL, amount_kopecks INTEGER NOT NULL,
    status TEXT NOT NULL, paid INTEGER NOT NULL DEFAULT 0, created_at INTEGER NOT NULL,
    expires_at INTEGER, asked TEXT NOT NULL, qr_id TEXT, payload TEXT,
    returned_kopecks INTEGER NOT NULL DEFAULT 0, cancel_code TEXT, binding TEXT,
    charged INTEGER NOT NULL DEFAULT 0, error_code TEXT NOT NULL DEFAULT '0',
    becomes TEXT, settles_at INTEGER
);
CREATE INDEX IF NOT EXISTS tbank_payment_order ON tbank_payment (order_id);
CREATE INDEX IF NOT EXISTS tbank_payment_qr ON tbank_payment (qr_id);
CREATE INDEX IF NOT EXISTS tbank_payment_due ON tbank_payment (expires_at)
    WHERE status IN ('NEW', 'FORM_SHOWED');
CREATE INDEX IF NOT EXISTS tbank_payment_settles ON tbank_payment (settles_at)
    WHERE settles_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS tbank_refund (
    id INTEGER PRIMARY KEY, payment_id INTEGER NOT NULL, amount_kopecks INTEGER NOT NULL,
    external_id TEXT, done_at INTEGER NOT NULL, state TEXT NOT NULL, code TEXT
);
CREATE INDEX IF NOT EXISTS tbank_refund_going ON tbank_refund (done_at) WHERE state = 'going';
CREATE TABLE IF NOT EXISTS tbank_binding (
    request_key TEXT PRIMARY KEY, status TEXT NOT NULL, account_token TEXT NOT NULL,
    bank TEXT NOT NULL, qr_id TEXT NOT NULL, payload TEXT NOT NULL, created_at INTEGER NOT NULL,
    description TEXT NOT NULL, expires_at INTEGER, settles_at INTEGER
);
CREATE INDEX IF NOT EXISTS tbank_binding_qr ON tbank_binding (qr_id);
CREATE INDEX IF NOT EXISTS tbank_binding_settles ON tbank_binding (settles_at)
    WHERE settles_at IS NOT NULL;
"""
TABLES = ("tbank_payment", "tbank_refund", "tbank_binding")
FIRST = 4_000_000_001


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment by a code, or a charge of a bound account."""

    id: int
    order_id: str
    amount_kopecks: int
    status: str
    created_at: int
    expires_at: int | None
    asked: dict[str, Any] = field(metadata=JSON)
    paid: bool = False
    qr_id: str | None = None
    payload: str | None = None
    returned_kopecks: int = 0
    """What went back of it."""
    cancel_code: str | None = None
    """Why the last refund did not go through."""
    binding: str | None = None
    """The `RequestKey` of what it is charged by, or of what is bound while it is paid."""
    charged: bool = False
    error_code: str = "0"
    """Why the payer's bank refused."""
    becomes: str | None = None
    """What a payment on its way comes to at `settles_at`."""
    settles_at: int | None = None


@dataclass(frozen=True, slots=True)
class Binding:
    """An account bound for charges."""

    request_key: str
    status: str
    account_token: str
    bank: str
    qr_id: str
    payload: str
    created_at: int
    description: str
    expires_at: int | None = None
    settles_at: int | None = None
    """When one that is being processed becomes active."""


def keep(store: Store, record: Payment | Binding) -> None:
    """Insert it, or replace what had its key."""
    save(store, "tbank_payment" if isinstance(record, Payment) else "tbank_binding", record)


def new_id(store: Store) -> int:
    """Return the id of the next payment."""
    row = store.one("SELECT max(id) AS last FROM tbank_payment")
    return (row["last"] + 1) if row is not None and row["last"] else FIRST


def payment(store: Store, payment_id: int) -> Payment | None:
    """Return a payment."""
    row = store.one("SELECT * FROM tbank_payment WHERE id = ?", payment_id)
    return None if row is None else load(Payment, row)


def payments_of(store: Store, column: str, value: str) -> list[Payment]:
    """Return the payments of an order or a code, newest first."""
    sql = f"SELECT * FROM tbank_payment WHERE {column} = ? ORDER BY id DESC LIMIT 100"
    return [load(Payment, row) for row in store.all(sql, value)]


def binding(store: Store, column: str, value: str) -> Binding | None:
    """Return a bound account by its key, its token or its code."""
    row = store.one(f"SELECT * FROM tbank_binding WHERE {column} = ?", value)
    return None if row is None else load(Binding, row)


def bindings(store: Store) -> list[Binding]:
    """Return the bound accounts, newest first."""
    sql = "SELECT * FROM tbank_binding ORDER BY created_at DESC, request_key LIMIT 1000"
    return [load(Binding, row) for row in store.all(sql)]


def going_back(store: Store, payment_id: int) -> int:
    """Return the kopecks that are on their way back."""
    row = store.one(
        "SELECT coalesce(sum(amount_kopecks), 0) AS kopecks FROM tbank_refund "
        "WHERE payment_id = ? AND state = 'going'",
        payment_id,
    )
    return 0 if row is None else int(row["kopecks"])
