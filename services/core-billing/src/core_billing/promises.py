"""Promised payments: they move no money, they lower the floor of a contract for a while."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from core_billing.changes import Change
from core_billing.rules import Rules
from shared.db import Tx
from shared.events import Event


async def repay(tx: Tx, rules: Rules, changes: Sequence[Change], at: datetime) -> list[Event]:
    """Count what was paid towards the promises of these contracts; return what is to be said."""
    return []
