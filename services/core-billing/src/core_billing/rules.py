"""What the operator has decided and every operation needs to know."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shared.clock import Clock
from shared.crypto import Vault
from shared.db import Database
from shared.outbox import Producer


@dataclass(frozen=True)
class Rules:
    """The operator's decisions, and who speaks for this service."""

    producer: Producer
    low_balance_kopecks: int
    """The threshold of contracts that have none of their own."""
    margin_percent: int
    """How far above its threshold a balance must rise before it counts as recovered."""
    cutover_at: datetime | None
    """What came earlier was credited by the billing before us."""


@dataclass(frozen=True)
class Core:
    """What the addresses and commands of this service work with."""

    db: Database
    rules: Rules
    vault: Vault
    clock: Clock
