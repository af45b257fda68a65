"""What the bank's books say, whichever file said it: pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from shared.clock import MOSCOW
from shared.errors import Text
from shared.gateway.provider import Kind


@dataclass(frozen=True, slots=True)
class Expected:
    """Whose books these may be."""

    merchants: Mapping[str, str]
    """What the bank calls an account → what we call it, such as `raiffeisen:MA0000099999`."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One payment or refund as the bank's books hold it: they know no transaction."""

    line: int
    shop: str
    kind: Kind
    at: datetime
    """In Moscow: the minute of a register, the midnight of a statement."""
    amount_kopecks: int
    """Never below zero, a refund's neither."""
    qr_id: str = ""
    order: str = ""
    """Empty in a statement."""
    refund: str = ""
    """The refund's id; empty in a statement."""
    fee_kopecks: int | None = None
    number: str = ""
    """A statement's number of the operation: it may be the transaction's."""

    @property
    def day(self) -> date:
        """Return the day in Moscow."""
        return self.at.astimezone(MOSCOW).date()


@dataclass(frozen=True, slots=True)
class Sheet:
    """All that a file holds, once it was read to its end and its totals were found true."""

    entries: tuple[Entry, ...]
    shops: tuple[str, ...]
    """Whose books it is; also where it holds no entry."""
    days: tuple[date, ...]
    """Which days it tells about; also those without an entry."""
    partial: bool = False
    """A statement: what it lacks may be in the next one, and it tells less of each payment."""
    notes: tuple[Text, ...] = ()
    """What was left out, for people."""
