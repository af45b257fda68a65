"""A message centre that speaks SMPP 3.4 and keeps what it is given.

What it does wrong is told beforehand, one word for each of the next submits:

- a number: that command status;
- `silent`: taken, and never answered; `deaf`: neither taken nor answered;
- `drop`: taken, and the connection cut before the answer; `half`: cut in the middle of it.
"""

from __future__ import annotations

import asyncio
import struct
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ssl import SSLContext

from simulators.smpp import pdu
from simulators.smpp.pdu import Short

Fault = int | str


@dataclass(frozen=True, slots=True)
class Taken:
    """A short message that was taken: a whole text, or one part of it."""

    id: str
    short: Short
    reference: int | None = None
    total: int = 1
    number: int = 1

    @property
    def text(self) -> str:
        """What it says."""
        octets = self.short.octets or self.short.options.get(pdu.PAYLOAD, b"")
        if self.short.esm_class & 0x40:
            octets = octets[octets[0] + 1 :]
        return pdu.readable(octets, self.short.coding)


@dataclass
class Peer:
    """The provider; one account."""

    system_id: str = "saldo"
    password: str = "secret"
    port: int = 0
    tls: SSLContext | None = None
    receipts: bool = False
    """Report a message as delivered at once, even before its submit is answered."""
    taken: list[Taken] = field(default_factory=list)
    script: deque[Fault] = field(default_factory=lambda: deque(maxlen=1000))
    binds: int = 0
    unbinds: int = 0
    alive: int = 0
    """Signs of life that were asked for."""
    answered: list[int] = field(default_factory=list)
    """Statuses with which our deliver_sm were answered."""
    sessions: set[Session] = field(default_factory=set)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def texts(self) -> list[tuple[str, str]]:
        """Return number and text of each whole message, as phones would show them."""
        long: dict[tuple[str, int], dict[int, Taken]] = defaultdict(dict)
        whole = []
        for each in self.taken:
            if each.reference is None:
                whole.append((each.short.destination, each.text))
                continue
            parts = long[each.short.destination, each.reference]
            parts[each.number] = each
            if len(parts) == each.total:
                text = "".join(parts[n].text for n in sorted(parts))
                whole.append((each.short.destination, text))
                del long[each.short.destination, each.reference]
        return whole

    async def report(self, message_id: str, stat: str = "DELIVRD", **given: bytes) -> None:
        """Send a receipt to a session that is bound."""
        tail = b"".join(
            pdu.option({"id": pdu.RECEIPTED_ID, "state": pdu.STATE}[name], value)
            for name, value in given.items()
        )
        text = (
            f"id:{message_id} sub:001 dlvrd:001 submit date:2611281200 done date:2611281201"
            f" stat:{stat} err:000 text:"
        )
        body = pdu.deliver("79161234567", "SALDO", text.encode(), 0x04, tail)
        await self._session().push(body)

    async def write(self, text: str) -> None:
        """Send a message of a subscriber."""
        await self._session().push(pdu.deliver("79161234567", "SALDO", text.encode(), 0))

    async def until(self, holds: object) -> None:
        """Wait until a function of no arguments returns something true."""
        async with asyncio.timeout(10), self.changed:
            await self.changed.wait_for(holds)  # type: ignore[arg-type]

    def _session(self) -> Session:
        return next(each for each in self.sessions if each.bound)


class Session:
    """One connection of a client."""

    def __init__(
        self, peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.peer = peer
        self.reader = reader
        self.writer = writer
        self.bound = False
        self.sequence = 0

    async def serve(self) -> None:
        """Answer until the connection ends."""
        self.peer.sessions.add(self)
        try:
            while True:
                size, command, status, sequence = struct.unpack(
                    ">4I", await self.reader.readexactly(16)
                )
                body = await self.reader.readexactly(size - 16)
                await self._take(command, status, sequence, body)
                async with self.peer.changed:
                    self.peer.changed.notify_all()
        except (OSError, EOFError):
            pass
        finally:
            self.peer.sessions.discard(self)
            self.writer.close()

    async def push(self, body: bytes) -> None:
        """Send a deliver_sm."""
        self.sequence += 1
        self.writer.write(pdu.pack(pdu.DELIVER_SM, pdu.OK, self.sequence, body))
        await self.writer.drain()

    async def _take(self, command: int, status: int, sequence: int, body: bytes) -> None:
        if command == pdu.BIND_TRANSCEIVER:
            await self._bind(sequence, body)
        elif command == pdu.ENQUIRE_LINK:
            self.peer.alive += 1
            await self._answer(command, pdu.OK, sequence)
        elif command == pdu.DELIVER_SM | pdu.RESPONSE:
            self.peer.answered.append(status)
        elif command == pdu.UNBIND:
            self.peer.unbinds += 1
            await self._answer(command, pdu.OK, sequence)
        elif command == pdu.SUBMIT_SM:
            await self._submit(sequence, body)
        else:
            self.writer.write(pdu.pack(pdu.GENERIC_NACK, pdu.RINVCMDID, sequence))

    async def _bind(self, sequence: int, body: bytes) -> None:
        fields = pdu.Fields(body)
        name, password, _ = fields.text(), fields.text(), fields.text()
        status = pdu.OK
        if name != self.peer.system_id:
            status = pdu.RINVSYSID
        elif password != self.peer.password:
            status = pdu.RINVPASWD
        self.bound = status == pdu.OK
        self.peer.binds += self.bound
        await self._answer(pdu.BIND_TRANSCEIVER, status, sequence, b"centre\0")

    async def _submit(self, sequence: int, body: bytes) -> None:
        short = pdu.short(body)
        fault = self._fault(short)
        if fault == "deaf":
            return
        if isinstance(fault, int) and fault:
            await self._answer(pdu.SUBMIT_SM, fault, sequence)
            return
        this = f"{len(self.peer.taken) + 1:08X}"
        self.peer.taken.append(_taken(this, short))
        if fault == "drop":
            raise EOFError
        if self.peer.receipts and short.receipt:
            await self.peer.report(this)
        answer = pdu.pack(pdu.SUBMIT_SM | pdu.RESPONSE, pdu.OK, sequence, this.encode() + b"\0")
        if fault != "silent":
            self.writer.write(answer[:18] if fault == "half" else answer)
            await self.writer.drain()
        if fault == "half":
            raise EOFError

    def _fault(self, short: Short) -> Fault:
        fault = self.peer.script.popleft() if self.peer.script else pdu.OK
        if not self.bound:
            return pdu.RINVBNDSTS
        if fault == pdu.OK and not short.destination.isdigit():
            return pdu.RINVDSTADR
        return fault

    async def _answer(self, command: int, status: int, sequence: int, body: bytes = b"") -> None:
        self.writer.write(pdu.pack(command | pdu.RESPONSE, status, sequence, body))
        await self.writer.drain()


@asynccontextmanager
async def running(peer: Peer) -> AsyncIterator[Peer]:
    """Listen on the peer's port, or on a free one; cut every connection at the end."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Session(peer, reader, writer).serve()

    server = await asyncio.start_server(accept, "127.0.0.1", peer.port, ssl=peer.tls)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        for session in list(peer.sessions):
            session.writer.transport.abort()
        await server.wait_closed()


def _taken(this: str, short: Short) -> Taken:
    """Tell which part of which text it is."""
    if short.esm_class & 0x40 and short.octets[1:3] == b"\x00\x03":
        reference, total, number = short.octets[3:6]
        return Taken(this, short, reference, total, number)
    if pdu.SAR_TOTAL in short.options:
        options = short.options
        reference = int.from_bytes(options[pdu.SAR_REFERENCE], "big")
        return Taken(this, short, reference, options[pdu.SAR_TOTAL][0], options[pdu.SAR_NUMBER][0])
    return Taken(this, short)
