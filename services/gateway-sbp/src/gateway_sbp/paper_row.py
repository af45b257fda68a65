"""A row of a register about a code on paper, and what it has in common with a callback: pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

PREFIX: Final = "row-"
LINE: Final = "line-"
NEAR: Final = timedelta(minutes=1)
"""How far beside its minute a row that is due looks for its payment before it is credited.

Nobody says whether the bank cuts its minutes or rounds them, and a row that was a payment after all
would be money twice. Should the payment be another row's, that one is credited in its place.
"""
"""How the id of a line begins that is nothing we know: nobody is asked about it."""


def made_up(provider_id: str) -> bool:
    """Say whether an id is of our own making: its bank has never heard of it."""
    return provider_id.startswith((PREFIX, LINE))


class State(StrEnum):
    """How far a row has come, never back."""

    WAITING = "waiting"
    """Its callback may still come."""
    MATCHED = "matched"
    """It is a signed payment, which was credited as such."""
    RECOVERED = "recovered"
    """It was credited itself; with a transaction its callback has come afterwards."""


class Key(NamedTuple):
    """What a row and a callback have in common."""

    shop: str
    order: str
    qr_id: str
    """The callback does not sign it; empty where it is not said, then it may be any."""
    amount_kopecks: int
    minute: datetime

    @classmethod
    def of(cls, shop: str, order: str, qr_id: str, amount_kopecks: int, at: datetime) -> Key:
        """Return the key of a payment of this moment."""
        return cls(shop, order, qr_id, amount_kopecks, at.replace(second=0, microsecond=0))

    @property
    def until(self) -> datetime:
        """Return the end of the minute, which is no longer part of it."""
        return self.minute + timedelta(minutes=1)

    @property
    def guard(self) -> str:
        """Return what is locked: whatever may belong together has the same."""
        return f"paper\n{self.shop}\n{self.order}\n{self.amount_kopecks}"

    def id(self, number: int) -> str:
        """Return the id of the row of this number, the same from every file."""
        facts = (self.order, self.qr_id, self.amount_kopecks, self.minute.isoformat())
        digest = hashlib.sha256("\n".join(map(str, facts)).encode()).hexdigest()
        return f"{PREFIX}{digest[:32]}-{number}"


@dataclass(frozen=True, slots=True)
class PaperRow:
    """A row as it stands here."""

    id: str
    key: Key
    number: int
    fee_kopecks: int | None
    state: State
    transaction_id: str | None
    contract: str | None
    due_at: datetime | None

    @property
    def credited_as(self) -> str | None:
        """Return the id of the payment that was credited for it; None while it waits."""
        if self.state is State.RECOVERED:
            return self.id
        return self.transaction_id if self.state is State.MATCHED else None
