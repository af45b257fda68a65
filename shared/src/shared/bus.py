"""The bus as the services see it, and the rules both kinds follow.

RabbitMQ (`rabbit`) and the memory bus (`memory`) are peers: one test class holds for both. They
share what happens to a delivery: `settle` says whether it is finished, repeated later or dead.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Protocol
from uuid import UUID

from shared.envelope import decode
from shared.errors import Poison
from shared.inbox import Consumer, Outcome, Result
from shared.metrics import CONSUMED
from shared.outbox import Letter
from shared.topology import Topology


class Unroutable(Exception):
    """Nobody is there to take the event; it stays in the outbox."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that cannot be processed, as it came, with the queue it came from."""

    queue: str
    event_id: UUID | None
    type: str
    body: bytes
    signature: str
    attempts: int
    reason: str


StoreDead = Callable[[Sequence[DeadLetter]], Awaitable[None]]
"""Keeps dead letters for a person; the message leaves the bus when this returns."""


Send = Callable[[str, Sequence[Letter]], Awaitable[Sequence[Exception | None]]]
"""Puts letters into one queue, see `Bus.send`."""


class Bus(Protocol):
    """What a process does with the bus."""

    async def open(self) -> None:
        """Connect and declare the whole topology of the deployed services."""

    async def publish(self, letters: Sequence[Letter]) -> Sequence[Exception | None]:
        """Publish by type; None where it is safely in every bound queue, else why not."""

    async def send(self, queue: str, letters: Sequence[Letter]) -> Sequence[Exception | None]:
        """Put letters into one queue, as a replay does."""

    async def consume(self, consumer: Consumer) -> None:
        """Begin to take events from a queue."""

    async def consume_dead(self, store: StoreDead) -> None:
        """Begin to take what reached the dead queue."""

    async def stop(self) -> None:
        """Take nothing new, finish and settle what is held."""

    async def close(self) -> None:
        """Let go of every connection."""

    def usable(self) -> bool:
        """Say whether publishing can work now."""


class Settlement(Enum):
    """What is done with a delivery after it was tried."""

    FINISH = "finish"
    LATER = "later"
    BURY = "bury"


def settle(result: Result, attempt: int, topology: Topology) -> Settlement:
    """Decide by the outcome and by how often it was tried, this time included."""
    if result.outcome is Outcome.POISON:
        return Settlement.BURY
    if result.outcome is Outcome.FAILED:
        return Settlement.BURY if attempt >= topology.attempts_max else Settlement.LATER
    return Settlement.FINISH


def count(queue: str, settlement: Settlement) -> None:
    """Count repetitions and burials; what is finished was counted by the inbox."""
    if settlement is not Settlement.FINISH:
        CONSUMED.labels(queue, "retried" if settlement is Settlement.LATER else "dead").inc()


def reason_of(result: Result) -> str:
    """Return a short reason for the dead letter's page."""
    return repr(result.error)[:500] if result.error else result.outcome.value


def dead_letter(
    queue: str,
    body: bytes,
    signature: str,
    attempts: int,
    reason: str,
    event_id: UUID | None = None,
) -> DeadLetter:
    """Make the letter of a message; its id and type are read from it where it can be read.

    A forger may write zero bytes into texts, which PostgreSQL does not keep; they are replaced.
    """
    kind = ""
    with suppress(Poison):
        event = decode(body)
        event_id, kind = event_id or event.id, event.type
    texts = (text.replace("\x00", "\ufffd") for text in (queue, kind, signature, reason))
    queue, kind, signature, reason = texts
    return DeadLetter(queue, event_id, kind, body, signature, attempts, reason)
