"""Contracts whose services do not depend on the balance: their tariffs say that nobody is cut off.

A contract without services is not among them: nothing says that it may be used for nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from shared.db import Tx


async def exempt(tx: Tx, contract_ids: Collection[int], day: date) -> set[int]:
    """Return those of these contracts that have services on a day, none of which blocks."""
    return set()
