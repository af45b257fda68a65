"""The ledger as the checker sees it: plain rows, read by SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from faults.tables import Tables

CORE: Final = "core_billing"
CONTRACT: Final = "contract:"
SUSPENSE: Final = "suspense:"

_LINES: Final = """
SELECT source.name, payment.external_id, payment.revision, payment.amount_kopecks,
    posting.amount_kopecks, debit.name, credit.name
FROM payment JOIN source ON source.id = payment.source_id
LEFT JOIN posting ON posting.payment_id = payment.id
LEFT JOIN account AS debit ON debit.id = posting.debit_id
LEFT JOIN account AS credit ON credit.id = posting.credit_id
"""
_BALANCES: Final = """
SELECT account.name, balance.kopecks, CAST(
    COALESCE((SELECT SUM(amount_kopecks) FROM posting WHERE credit_id = account.id), 0)
    - COALESCE((SELECT SUM(amount_kopecks) FROM posting WHERE debit_id = account.id), 0)
    AS BIGINT)
FROM balance JOIN account ON account.id = balance.account_id
"""
_STRAYS: Final = """
SELECT COUNT(*) FROM posting LEFT JOIN payment ON payment.id = posting.payment_id
WHERE payment.id IS NULL
"""


@dataclass(frozen=True, slots=True)
class Line:
    """One posting of one payment; a payment without postings has one line with None in it."""

    source: str
    payment_id: str
    """The provider's own id."""
    revision: int
    payment_kopecks: int
    kopecks: int | None
    debit: str | None
    credit: str | None


@dataclass(frozen=True, slots=True)
class Balance:
    """What is kept beside an account's postings, and what they add up to."""

    account: str
    kept_kopecks: int
    posted_kopecks: int


@dataclass(frozen=True, slots=True)
class Books:
    """Everything the ledger says."""

    lines: Sequence[Line]
    balances: Sequence[Balance]
    stray_postings: int = 0
    """Postings that belong to no payment."""


async def read(tables: Tables) -> Books:
    """Read the whole ledger."""
    lines = [Line(*row) for row in await tables.rows(CORE, _LINES)]
    balances = [Balance(*row) for row in await tables.rows(CORE, _BALANCES)]
    return Books(lines, balances, (await tables.rows(CORE, _STRAYS))[0][0])
