"""Against another implementation of SMPP 3.4, written by others: it must read us as we mean it."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from notifier.channels.port import Accepted, Held, Outgoing, Permanent, Report
from notifier.channels.smpp import Long, Smpp, Writing
from notifier.channels.smpp_keeper import Keeper, parse_url
from notifier.channels.smpp_wire import Address
from shared.clock import system_clock
from simulators.smpp.pdu import readable

LONG = "Баланс договора 100245: −550,00 ₽. Услуги будут отключены 12 декабря. " * 3
WRONG_NUMBER, THROTTLED = 0x0B, 0x58


@dataclass
class Theirs:
    """Their message centre."""

    port: int
    lines: asyncio.StreamReader

    async def seen(self) -> dict[str, Any]:
        """Return what it has read next."""
        line: dict[str, Any] = json.loads(await self.lines.readline())
        return line


@asynccontextmanager
async def their_centre(*statuses: int) -> AsyncIterator[Theirs]:
    """Run it; it answers the first submits with the statuses."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    script = Path(__file__).with_name("their_centre.py")
    given = (str(script), str(port), *map(str, statuses))
    process = await asyncio.create_subprocess_exec(sys.executable, *given, stdin=PIPE, stdout=PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        theirs = Theirs(port, process.stdout)
        assert await theirs.seen() == {"ready": port}
        yield theirs
    finally:
        process.stdin.close()
        await process.wait()


@pytest.mark.parametrize("long", ["udh", "payload", "sar"])
async def test_their_server_reads_us(outgoing: Callable[..., Outgoing], long: Long) -> None:
    reports: asyncio.Queue[Report] = asyncio.Queue()

    async def keep(new: Sequence[Report]) -> None:
        for each in new:
            reports.put_nowait(each)

    async with asyncio.timeout(30), their_centre(WRONG_NUMBER, THROTTLED) as theirs:
        peer = parse_url(f"smpp://saldo@127.0.0.1:{theirs.port}", "secret", "ISP")
        keeper = Keeper(replace(peer, timeout=10.0, pauses=(0.05,)), keep, system_clock)
        smpp = Smpp(keeper, Writing(Address(5, 0, "SALDO"), long), 10)
        async with smpp.opened():
            refused = await smpp.send(outgoing(to="+79161234567", text="x"))
            assert refused == Permanent("smpp 0x0B: wrong number", dead=True)
            assert isinstance(await smpp.send(outgoing(to="+79161234567")), Held)
            smpp._pace._until = 0.0
            short = await smpp.send(outgoing(to="+79161234567", text="Balance [1]"))
            sent = await smpp.send(outgoing(to="+79161234567", text=LONG))
            assert isinstance(short, Accepted)
            assert isinstance(sent, Accepted)
            heard = {(each.id, each.fate) for each in [await reports.get(), await reports.get()]}
        assert heard == {(short.id, "delivered"), (sent.id, "delivered")}
        first, *parts = [await theirs.seen() for _ in range(int(sent.id.removeprefix("id-")))]
    assert (first["source"], first["destination"]) == ("SALDO", "79161234567")
    assert readable(bytes.fromhex(first["text"]), first["coding"]) == "Balance [1]"
    header = 6 if long == "udh" else 0
    octets = [bytes.fromhex(part["text"])[header:] for part in parts]
    if long == "payload":
        octets = [bytes.fromhex(part["options"][str(0x0424)]) for part in parts]
    assert "".join(readable(each, 8) for each in octets) == LONG
