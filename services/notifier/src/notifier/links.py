"""Signed links that a message carries: to its reader's preferences, and out of its kind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from shared.crypto import Link, Signer, write_link

AUDIENCE: Final = "notifier"
PREFERENCES: Final = "preferences"
UNSUBSCRIBE: Final = "unsubscribe"
PREFERENCES_AGE: Final = timedelta(days=30)
UNSUBSCRIBE_AGE: Final = timedelta(days=365)
"""Mail is opened late, and who may not leave calls it spam."""


@dataclass(frozen=True)
class Links:
    """What signs links, and the address under which the pages are served."""

    signer: Signer
    public_url: str

    def preferences(self, contract: str, at: datetime) -> str:
        """Return the address of a contract's preferences."""
        return self._url(Link(AUDIENCE, PREFERENCES, contract, at + PREFERENCES_AGE, {}))

    def unsubscribe(self, contract: str, kind: str, channel: str, at: datetime) -> str:
        """Return the address under which one kind is refused on one channel."""
        claims = {"kind": kind, "channel": channel}
        return self._url(Link(AUDIENCE, UNSUBSCRIBE, contract, at + UNSUBSCRIBE_AGE, claims))

    def _url(self, link: Link) -> str:
        token = urlencode({"token": write_link(self.signer, link)})
        return f"{self.public_url}/notifier/{link.purpose}?{token}"
