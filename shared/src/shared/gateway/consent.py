"""What a payer agreed to when a card or account was saved: the proof that is kept beside it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Self

import orjson


@dataclass(frozen=True, slots=True)
class Consent:
    """Which text was agreed to, when, from which address, and on whose page."""

    version: str
    """Names the text that the payer saw."""
    given_at: datetime
    address: str | None
    """The payer's IP address, where it is known."""
    channel: str
    """`page` for our own page, `order` for a signed order, else the API's caller."""

    def written(self) -> str:
        """Return the form that is stored."""
        said = [self.version, self.given_at.isoformat(), self.address, self.channel]
        return orjson.dumps(said).decode()

    @classmethod
    def read(cls, stored: str) -> Self:
        """Return a stored consent."""
        version, given_at, address, channel = orjson.loads(stored)
        return cls(version, datetime.fromisoformat(given_at), address, channel)
