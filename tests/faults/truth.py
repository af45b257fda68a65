"""The provider's own truth, read from its store by SQL while nobody answers for it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Taken:
    """A payment as the provider keeps it."""

    id: str
    status: str
    account_id: str
    kopecks: int
    currency: str
    test: bool


@dataclass(frozen=True, slots=True)
class Callbacks:
    """How many notifications were sent, and what came of them."""

    sent: int
    """Attempts that left the provider, answered or not."""
    answered: Mapping[int, int]
    """Status → attempts."""
    by_kind: Mapping[str, int]
    """True ones, duplicates and forgeries, as attempts."""
    never_delivered: int
    """Notifications that were lost with all their attempts."""

    @property
    def arrived(self) -> int:
        """Attempts that got an answer."""
        return sum(self.answered.values())


def payments(store: Path) -> list[Taken]:
    """Return every payment that exists at the provider."""
    rows = _rows(
        store, "SELECT id, status, account_id, amount_kopecks, currency, test FROM payment"
    )
    return [
        Taken(payment_id, status, account_id, kopecks, currency, bool(test))
        for payment_id, status, account_id, kopecks, currency, test in rows
    ]


def statuses(store: Path) -> Mapping[str, int]:
    """Return status → number of payments."""
    return _counts(_rows(store, "SELECT status, count(*) FROM payment GROUP BY status"))


def callbacks(store: Path) -> Callbacks:
    """Return the account of all notifications."""
    left = "attempt.error IS NULL OR attempt.error <> 'lost on its way'"
    sent = _rows(store, f"SELECT count(*) FROM attempt WHERE {left}")[0][0]
    answered = "SELECT status, count(*) FROM attempt WHERE status IS NOT NULL GROUP BY status"
    kinds = (
        "SELECT kind, count(*) FROM attempt JOIN delivery ON delivery.id = attempt.delivery_id "
        f"WHERE {left} GROUP BY kind"
    )
    lost = "SELECT count(*) FROM delivery WHERE state IN ('lost', 'given_up')"
    return Callbacks(
        sent,
        _counts(_rows(store, answered)),
        _counts(_rows(store, kinds)),
        _rows(store, lost)[0][0],
    )


def undelivered(store: Path) -> int:
    """Return how many notifications are still to be delivered."""
    sql = "SELECT count(*) FROM delivery WHERE state IN ('waiting', 'sending')"
    return int(_rows(store, sql)[0][0])


def _counts(rows: Iterable[tuple[Any, ...]]) -> dict[Any, int]:
    return {value: int(number) for value, number in rows}


def _rows(store: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True, timeout=10)) as opened:
        return opened.execute(sql).fetchall()
