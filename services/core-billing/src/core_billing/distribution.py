"""Main and subordinate contracts: what a main contract collects goes on to those below it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from core_billing.changes import Change
from core_billing.rules import Rules
from shared.db import Tx


async def spread(tx: Tx, rules: Rules, changes: Sequence[Change], at: datetime) -> list[Change]:
    """Hand money on from main contracts; return the changes of those that got some."""
    return []
