"""A channel behind a circuit breaker: while its provider fails, messages wait, unspent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from notifier.channels.port import Channel, ChannelName, Held, Outcome, Outgoing, Temporary
from shared.breaker import Breaker, State


class Guarded:
    """Counts failures of the channel itself; a refusal of one address or text is an answer."""

    def __init__(self, channel: Channel, breaker: Breaker) -> None:
        self._channel = channel
        self._breaker = breaker

    @property
    def name(self) -> ChannelName:
        """Which messages leave here."""
        return self._channel.name

    @property
    def parallel(self) -> int:
        """As many as the channel takes; none while it rests, one as a probe."""
        allowed = self._channel.parallel
        if self._breaker.state is State.CLOSED:
            return allowed
        return 0 if self._breaker.wait() else min(1, allowed)

    async def send(self, outgoing: Outgoing) -> Outcome | Held:
        """Give the message to the channel; Held where it rests."""
        entered = self._breaker.enter()
        if isinstance(entered, timedelta):
            return Held(entered)
        # What is cut off has hung: it counts as a failure, as does an error of our own. One that
        # asks for fewer messages is there.
        answered = False
        try:
            outcome = await self._channel.send(outgoing)
            answered = not (isinstance(outcome, Temporary) and outcome.channel)
            return outcome
        finally:
            self._breaker.leave(entered, answered)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Hold what the channel holds."""
        async with self._channel.opened():
            yield
