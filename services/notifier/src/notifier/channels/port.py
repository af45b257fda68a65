"""The port between delivery and the ways out: give a message away, learn what became of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, Protocol, get_args
from uuid import UUID

from notifier.content import Content

ChannelName = Literal["sms", "email", "bot", "webhook"]
CHANNEL_NAMES: Final[tuple[ChannelName, ...]] = get_args(ChannelName)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message on its way. The same key always means the same message, whatever the attempt."""

    key: UUID
    content: Content
    correlation_id: str
    created_at: datetime
    doubtful: bool = False
    """An earlier attempt may have succeeded: its outcome was never learnt."""
    kind: str = ""
    contract: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has taken the message; `id` is how it is called there."""

    id: str
    perhaps_twice: bool = False
    """An earlier attempt may have been taken, too, and this provider cannot be asked."""


@dataclass(frozen=True, slots=True)
class Temporary:
    """Not now; the same message may be given again later."""

    reason: str
    unknown: bool = False
    """The provider may have taken it all the same."""
    ours: bool = False
    """The fault is on the operator's side, such as a wrong password: a person must act."""
    channel: bool = False
    """The way out itself fails, whoever is written to: it counts against the channel's breaker."""
    after: timedelta | None = None
    """How long the provider asks to be left alone with this message."""


@dataclass(frozen=True, slots=True)
class Permanent:
    """Never: repeating this message cannot help."""

    reason: str
    ours: bool = False
    dead: bool = False
    """The address is what is wrong: nothing will ever arrive there."""


@dataclass(frozen=True, slots=True)
class Held:
    """Not tried at all, because the channel rests: no attempt counts, and the lease is given back.

    `wait` is how long it rests at least.
    """

    wait: timedelta


Outcome = Accepted | Temporary | Permanent

Fate = Literal["delivered", "undelivered", "expired"]


@dataclass(frozen=True, slots=True)
class Report:
    """What a provider says later of a message that it has accepted.

    `fate` is None while the message is on its way; `id` is that of `Accepted`.
    """

    provider: str
    channel: ChannelName
    id: str
    fate: Fate | None
    reason: str
    at: datetime
    dead: bool = False
    """The number itself is wrong or out of service: nothing will ever arrive there."""


Reporting = Callable[[Sequence[Report]], Awaitable[None]]
"""Keeps reports for good; raises where it cannot, and then the provider is to say them again."""


class Channel(Protocol):
    """A way out. Entered once before the first message, left after the last one."""

    @property
    def name(self) -> ChannelName:
        """Which messages leave here."""

    @property
    def parallel(self) -> int:
        """How many messages may be on their way at once; none while the channel rests."""

    async def send(self, outgoing: Outgoing) -> Outcome | Held:
        """Give one message away; expected failures are outcomes, not exceptions."""

    def opened(self) -> AbstractAsyncContextManager[None]:
        """Hold what sending needs, such as connections, for the time of the block."""
