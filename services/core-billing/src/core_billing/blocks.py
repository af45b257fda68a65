"""Blocking: who has run out of money is cut off, and let in again with the money."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from core_billing.changes import Change
from core_billing.rules import Rules
from shared.db import Tx
from shared.events import Event


async def lift(tx: Tx, rules: Rules, changes: Sequence[Change], at: datetime) -> list[Event]:
    """Unblock those of these contracts that may be used again; return what is to be said."""
    return []
