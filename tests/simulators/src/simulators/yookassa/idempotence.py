"""The store of Idempotence-Keys.

YooKassa API v3, "Interaction format": a repeat of the same data under the same key is answered with
the first operation's result for 24 hours; other data under the key is 400. Data are compared as
parsed JSON together with the address. What a refusal leaves under its key is not documented: here,
nothing.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from simulators.clock import DAY
from simulators.record import dumps
from simulators.store import Store
from simulators.yookassa.errors import ApiError, bad

SCHEMA = """
CREATE TABLE IF NOT EXISTS idempotence (
    shop_id TEXT NOT NULL, key TEXT NOT NULL, first_at INTEGER NOT NULL, address TEXT NOT NULL,
    data TEXT NOT NULL, object_id TEXT NOT NULL, answer TEXT NOT NULL, PRIMARY KEY (shop_id, key)
);
CREATE INDEX IF NOT EXISTS idempotence_age ON idempotence (first_at);
"""

HEADER = "Idempotence-Key"
LONGEST = 64
ALLOWED = re.compile(r"[0-9a-zA-Z+-_.]+")
"""As the OpenAPI document writes it, with its accidental range from `+` to `_`."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One POST, as far as its repetition is concerned."""

    shop_id: str
    key: str
    address: str
    data: Any

    @property
    def canonical(self) -> str:
        """Return the data with the members in order, so that only their meaning is compared."""
        return json.dumps(self.data, sort_keys=True, ensure_ascii=False)


def checked(key: str | None) -> str:
    """Return the key; raises ApiError for none, too long or strange characters."""
    if not key:
        raise bad(HEADER, "Idempotence key is empty")
    if len(key) > LONGEST:
        raise bad(HEADER, f"Idempotence key is too long. Max. length is {LONGEST}")
    if not ALLOWED.fullmatch(key):
        raise bad(HEADER, "Idempotence key is illegal")
    return key


def once(
    store: Store, now: int, asked: Asked, operation: Callable[[], dict[str, Any]]
) -> tuple[dict[str, Any], bool]:
    """Do the operation, or return the answer that its first run gave and True.

    The key is kept in the operation's own transaction. Raises ApiError 400 for a key that stands
    for other data.
    """
    row = store.one(
        "SELECT * FROM idempotence WHERE shop_id = ? AND key = ?", asked.shop_id, asked.key
    )
    if row is not None and row["first_at"] > now - DAY:
        if (row["address"], row["data"]) != (asked.address, asked.canonical):
            raise ApiError("invalid_request", "Idempotence key duplicated", HEADER)
        return json.loads(row["answer"]), True
    with store.transaction():
        answer = operation()
        store.run(
            "INSERT OR REPLACE INTO idempotence VALUES (?, ?, ?, ?, ?, ?, ?)",
            asked.shop_id,
            asked.key,
            now,
            asked.address,
            asked.canonical,
            answer["id"],
            dumps(answer),
        )
    return answer, False


def forget(store: Store, now: int) -> None:
    """Drop the keys that are older than a day."""
    store.run("DELETE FROM idempotence WHERE first_at <= ?", now - DAY)


@dataclass(slots=True)
class KeyLocks:
    """One lock a key while it is in use: equal requests run one after the other."""

    held: dict[tuple[str, str], tuple[asyncio.Lock, int]] = field(default_factory=dict)

    @asynccontextmanager
    async def of(self, shop_id: str, key: str) -> AsyncIterator[None]:
        """Wait for the key and hold it."""
        name = (shop_id, key)
        lock, users = self.held.get(name, (asyncio.Lock(), 0))
        self.held[name] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            lock, users = self.held.pop(name)
            if users > 1:
                self.held[name] = (lock, users - 1)
