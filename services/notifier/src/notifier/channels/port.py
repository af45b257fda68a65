"""The port between delivery and the ways out: give a message away, learn what became of it."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

from notifier.content import Content

ChannelName = Literal["sms", "email"]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message on its way. The same key always means the same message, whatever the attempt."""

    key: UUID
    content: Content
    correlation_id: str
    created_at: datetime
    doubtful: bool = False
    """An earlier attempt may have succeeded: its outcome was never learnt."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has taken the message; `id` is how it is called there."""

    id: str


@dataclass(frozen=True, slots=True)
class Temporary:
    """Not now; the same message may be given again later."""

    reason: str
    unknown: bool = False
    """The provider may have taken it all the same."""
    ours: bool = False
    """The fault is on the operator's side, such as a wrong password: a person must act."""


@dataclass(frozen=True, slots=True)
class Permanent:
    """Never: repeating this message cannot help."""

    reason: str
    ours: bool = False


Outcome = Accepted | Temporary | Permanent


class Channel(Protocol):
    """A way out. Entered once before the first message, left after the last one."""

    @property
    def name(self) -> ChannelName:
        """Which messages leave here."""

    @property
    def parallel(self) -> int:
        """How many messages may be on their way at once."""

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Give one message away; expected failures are outcomes, not exceptions."""

    def opened(self) -> AbstractAsyncContextManager[None]:
        """Hold what sending needs, such as connections, for the time of the block."""
