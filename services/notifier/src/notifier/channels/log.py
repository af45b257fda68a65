"""A channel that only writes to the log: for installations without a provider."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from notifier.addresses import masked
from notifier.channels.port import Accepted, ChannelName, Outcome, Outgoing
from notifier.content import shown

_log = structlog.get_logger(__name__)


class Log:
    """Takes every message and shows its text; whom it was for stays masked."""

    parallel = 1

    def __init__(self, name: ChannelName) -> None:
        self.name: ChannelName = name

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Nothing to hold."""
        yield

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Write the message to the log."""
        content = outgoing.content
        _log.info(
            "message.logged",
            channel=self.name,
            message_id=str(outgoing.key),
            to=masked(content.to),
            text=shown(content.subject or content.text),
        )
        return Accepted(f"log:{outgoing.key}")
