"""What the operator has decided and every operation needs to know."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from shared.clock import MOSCOW, Clock
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
    low_balance_days: int = 0
    """How many days before a block contracts are told that say nothing themselves; 0 not at all."""
    fee_notice_days: int = 0
    """How many days before fees that the money does not cover; 0 not at all."""
    zone: ZoneInfo = MOSCOW
    """Where the billing's day begins: fees, blocks, periods and the desk go by it."""

    def day(self, at: datetime) -> date:
        """Return the billing's day of a moment."""
        return at.astimezone(self.zone).date()

    def start(self, day: date) -> datetime:
        """Return the moment at which a day of the billing begins, in UTC."""
        return datetime.combine(day, time(), self.zone).astimezone(UTC)


@dataclass(frozen=True)
class Core:
    """What the addresses and commands of this service work with."""

    db: Database
    rules: Rules
    vault: Vault
    clock: Clock
