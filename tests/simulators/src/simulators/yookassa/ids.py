"""Identifiers as YooKassa makes them.

The first eight hexadecimal digits of a payment's id are the seconds since 2000-01-01T12:00:00Z
(seen on every example of the documentation). It is decoration: a client must never read it.
"""

from __future__ import annotations

import secrets
import uuid

EPOCH = 946_728_000
"""2000-01-01T12:00:00Z in seconds since 1970."""


def payment_id(now: int) -> str:
    """Make the id of a payment or a saved method; `now` in milliseconds."""
    return _timed(now, "000f")


def refund_id(now: int) -> str:
    """Make the id of a refund; `now` in milliseconds."""
    return _timed(now, "0015")


def receipt_id() -> str:
    """Make the id of a receipt: `rt-` and a UUID, 39 characters."""
    return f"rt-{uuid.uuid4()}"


def _timed(now: int, kind: str) -> str:
    seconds = (now // 1_000 - EPOCH) & 0xFFFFFFFF
    return f"{seconds:08x}-{kind}-5000-8000-{secrets.token_hex(6)}"
