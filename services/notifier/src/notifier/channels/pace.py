"""A provider asks for fewer messages: all of them wait a moment, and none of them is to blame."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

import structlog

from notifier.channels.port import ChannelName, Held
from shared.metrics import CHANNEL_THROTTLED

REST_MAX: Final = timedelta(minutes=1)
"""The longest time for which one answer keeps a channel quiet."""
REST: Final = timedelta(seconds=1)
"""For a provider that does not say how long."""

_log = structlog.get_logger(__name__)


class Pace:
    """Remembers until when a channel was asked to be quiet."""

    def __init__(self, name: ChannelName) -> None:
        self._name = name
        self._until = 0.0

    def wait(self) -> timedelta:
        """Return how long the channel is to be quiet yet."""
        left = self._until - asyncio.get_running_loop().time()
        return timedelta(seconds=max(0.0, left))

    def slow(self, asked: timedelta | None) -> Held:
        """Be quiet for as long as was asked, within a limit; return the outcome of the message."""
        pause = max(timedelta(0), min(asked or REST, REST_MAX))
        self._until = max(self._until, asyncio.get_running_loop().time() + pause.total_seconds())
        CHANNEL_THROTTLED.labels(self._name).inc()
        _log.info("channel.throttled", channel=self._name, seconds=pause.total_seconds())
        return Held(pause)
