"""What SBP, or a bank of it, has not got: said once, and taken up by name."""

from __future__ import annotations

from datetime import datetime

from shared.gateway.provider import Failure, Page, ProviderPayment, Refused


class NoHolds:
    """SBP moves money at once: there is nothing to hold and to take later."""

    def capture_request(self, amount_kopecks: int) -> bytes:
        """Return nothing."""
        return b""

    async def capture(
        self, provider_payment_id: str, key: str, request: bytes
    ) -> ProviderPayment | Failure:
        """Refuse."""
        return Refused("no_holds")


class NoLists:
    """A bank without a list of payments: each is asked about by itself."""

    async def listed(self, since: datetime, until: datetime, cursor: str | None) -> Page | Failure:
        """Return an empty page."""
        return Page((), None)

    async def captured(
        self, since: datetime, until: datetime, cursor: str | None
    ) -> Page | Failure:
        """Return an empty page."""
        return Page((), None)
