"""One SMPP connection: questions and their answers, life signs, and what the provider sends us."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from ssl import SSLContext
from typing import Final

import structlog

from notifier.channels import smpp_wire as wire
from notifier.channels.smpp_wire import Malformed, Pdu

_GOODBYE_SECONDS: Final = 2.0

_log = structlog.get_logger(__name__)


class Lost(ConnectionError):
    """The connection is gone; what had been asked may have been done."""


class Unsent(Lost):
    """The connection was gone before anything was asked."""


class Refused(Exception):
    """The provider did not let us in; `status` is its command status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"bind refused with status 0x{status:02X}")
        self.status = status


class Link:
    """A bound connection. Its `window` bounds the questions that wait for an answer."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        timeout: float,
        window: int,
        deliver: Callable[[Pdu], bool],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._timeout = timeout
        self._window = asyncio.Semaphore(window)
        self._deliver = deliver
        self._waiting: dict[int, asyncio.Future[Pdu]] = {}
        self._sequence = 0
        self._lost: Exception | None = None

    async def ask(self, command: int, body: bytes = b"") -> Pdu:
        """Send a question and return its answer, whatever status it has.

        Raises TimeoutError where none came in time, Lost where none can come any more, and Unsent
        where nothing could be asked.
        """
        if self._lost is not None:
            raise Unsent(str(self._lost)) from self._lost
        self._sequence = self._sequence % wire.SEQUENCE_MAX + 1
        this = self._sequence
        answer: asyncio.Future[Pdu] = asyncio.get_running_loop().create_future()
        self._waiting[this] = answer
        try:
            async with asyncio.timeout(self._timeout):
                await self._write(Pdu(command, wire.OK, this, body))
                return await answer
        finally:
            del self._waiting[this]
            answer.cancel()

    async def submit(self, body: bytes) -> Pdu:
        """Ask a submit_sm when the window has room for it; raises as `ask` does."""
        async with self._window:
            return await self.ask(wire.SUBMIT_SM, body)

    async def answer(self, question: Pdu, status: int, body: bytes = b"") -> None:
        """Answer a question of the provider; one that is gone meanwhile is left alone."""
        with suppress(OSError):
            command = question.command | wire.ANSWER
            await self._write(Pdu(command, status, question.sequence, body))

    async def hear(self) -> None:
        """Read until the connection ends; raises what ended it."""
        try:
            while True:
                header = await self._reader.readexactly(wire.HEADER.size)
                body = await self._reader.readexactly(wire.body_size(header))
                await self._take(wire.decode(header, body))
        except (OSError, EOFError, Malformed) as error:
            self.end(error)
            raise

    async def stay_alive(self, every: float) -> None:
        """Ask for a sign of life now and then; raises as `ask` does where there is none."""
        while True:
            await asyncio.sleep(every)
            await self.ask(wire.ENQUIRE_LINK)

    def end(self, error: Exception) -> None:
        """Tell everybody who waits that no answer will come."""
        self._lost = self._lost or error
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(Lost(f"{type(error).__name__}: {error}"))
        self._writer.transport.abort()

    async def _take(self, pdu: Pdu) -> None:
        if pdu.command & wire.ANSWER:
            answer = self._waiting.get(pdu.sequence)
            if answer is not None and not answer.done():
                answer.set_result(pdu)
        elif pdu.command == wire.ENQUIRE_LINK:
            await self.answer(pdu, wire.OK)
        elif pdu.command == wire.DELIVER_SM:
            if not self._deliver(pdu):
                await self.answer(pdu, wire.QUEUE_FULL, b"\0")
        elif pdu.command == wire.UNBIND:
            await self.answer(pdu, wire.OK)
            raise EOFError("the provider has unbound us")
        else:
            _log.warning("smpp.unknown_command", command=hex(pdu.command))
            nack = Pdu(wire.GENERIC_NACK, wire.INVALID_COMMAND, pdu.sequence)
            await self._write(nack)

    async def _write(self, pdu: Pdu) -> None:
        self._writer.write(wire.encode(pdu))
        await self._writer.drain()


@asynccontextmanager
async def bound(
    host: str,
    port: int,
    who: wire.Bind,
    *,
    tls: SSLContext | None,
    timeout: float,
    window: int,
    deliver: Callable[[Pdu], bool],
) -> AsyncIterator[tuple[Link, asyncio.Task[None]]]:
    """Connect and bind as a transceiver; unbind at the end.

    With the link comes the task that reads it: it ends when the connection does. Raises OSError,
    TimeoutError, Lost, or Refused where the provider does not let us in.
    """
    async with asyncio.timeout(timeout):
        reader, writer = await asyncio.open_connection(host, port, ssl=tls)
    link = Link(reader, writer, timeout=timeout, window=window, deliver=deliver)
    hearing = asyncio.create_task(link.hear())
    try:
        said = await link.ask(wire.BIND_TRANSCEIVER, wire.bind(who))
        if said.status != wire.OK:
            raise Refused(said.status)
        try:
            yield link, hearing
        finally:
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(_GOODBYE_SECONDS):
                    await link.ask(wire.UNBIND)
    finally:
        hearing.cancel()
        await asyncio.gather(hearing, return_exceptions=True)
        link.end(Lost("closed"))
