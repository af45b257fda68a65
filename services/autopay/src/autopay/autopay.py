"""What every part of autopay is given: who speaks, by which clock, and the rules of the house."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from autopay import retry_limits
from autopay.mandate import Limits
from autopay.schedule import Notice
from shared.clock import Clock
from shared.db import Database
from shared.outbox import Producer


@dataclass(frozen=True)
class Rules:
    """What the operator has set."""

    limits: Limits
    notice: Notice
    """Of charges for a fee or a day of the calendar."""
    notice_balance: Notice
    """Of charges for a low balance, and of repeated ones."""
    not_after: timedelta
    unclear_after: timedelta
    late_max: timedelta
    news_wait: timedelta
    link_life: timedelta
    retries: retry_limits.Rules


@dataclass(frozen=True)
class Autopay:
    """The service as its parts know it."""

    db: Database
    clock: Clock
    producer: Producer
    rules: Rules
    public_url: str
