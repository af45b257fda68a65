"""A channel that delivers one queue, and what its messages say of themselves."""

from __future__ import annotations

import asyncio
from typing import Any

from aiormq.abc import AbstractChannel, DeliveredMessage

from shared.loop import sleep_until
from shared.rabbit_link import ATTEMPT, SIGNATURE


class Tap:
    """One channel that delivers one queue into a buffer no larger than the prefetch."""

    def __init__(self, channel: AbstractChannel, queue: str) -> None:
        self._channel = channel
        self._queue = queue
        self._buffer: asyncio.Queue[DeliveredMessage | None] = asyncio.Queue()
        self._tag: str | None = None

    async def open(self) -> None:
        """Let messages flow."""
        if self._tag is None:
            ok = await self._channel.basic_consume(self._queue, self._arrived)
            self._tag = ok.consumer_tag

    async def shut(self) -> None:
        """Take nothing new; what is in hand stays in hand."""
        tag, self._tag = self._tag, None
        if tag is not None:
            await self._channel.basic_cancel(tag)

    def wake(self) -> None:
        """Make a waiting `take` return."""
        self._buffer.put_nowait(None)

    async def take(self, most: int, not_before: float = 0.0) -> list[DeliveredMessage]:
        """Return what has arrived, at least one message unless woken, at most `most`.

        Until the moment `not_before` of the event loop's clock fewer than that wait for others.
        """
        taken: list[DeliveredMessage] = []
        item = await self._buffer.get()
        if item is not None and self._buffer.qsize() + 1 < most:
            await sleep_until(not_before)
        while item is not None:
            taken.append(item)
            if len(taken) == most or self._buffer.empty():
                break
            item = self._buffer.get_nowait()
        return taken

    @property
    def flowing(self) -> bool:
        """Say whether new messages may arrive."""
        return self._tag is not None

    @property
    def empty(self) -> bool:
        """Say whether nothing is in hand."""
        return self._buffer.empty()

    async def ack(self, tag: int, *, multiple: bool = False) -> None:
        """Finish one message, or every unsettled one up to the tag."""
        await self._channel.basic_ack(tag, multiple=multiple)

    async def reject(self, tag: int) -> None:
        """Send one message to the dead queue."""
        await self._channel.basic_reject(tag, requeue=False)

    async def _arrived(self, message: DeliveredMessage) -> None:
        self._buffer.put_nowait(message)


def attempt_of(message: DeliveredMessage) -> int:
    """Return which attempt this delivery is, from our own header; 1 where there is none."""
    attempt = headers_of(message).get(ATTEMPT)
    return attempt if type(attempt) is int and attempt > 0 else 1


def headers_of(message: DeliveredMessage) -> dict[str, Any]:
    """Return the headers; anybody who may publish may have written them."""
    return dict(message.header.properties.headers or {})


def signature_of(message: DeliveredMessage) -> str:
    """Return the signature as it came; whatever is no text is only a wrong one."""
    signature = headers_of(message).get(SIGNATURE, "")
    known = signature.decode("ascii", "replace") if isinstance(signature, bytes) else signature
    return known if isinstance(known, str) else ""


def tag_of(message: DeliveredMessage) -> int:
    """Return the number under which the channel settles the message."""
    return int(message.delivery_tag or 0)
