"""Against another implementation of SMPP 3.4, written by others: it must read us as we mean it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
import smpp34

from notifier.channels.port import Accepted, Held, Outgoing, Permanent, Report
from notifier.channels.smpp import Smpp, Writing
from notifier.channels.smpp_keeper import Keeper, parse_url
from notifier.channels.smpp_wire import Address
from shared.clock import system_clock
from simulators.smpp.pdu import readable

LONG = "Баланс договора 100245: −550,00 ₽. Услуги будут отключены 12 декабря. " * 3


@dataclass
class Centre:
    """What their server has seen."""

    port: int
    taken: list[smpp34.SubmitSmEvent] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)


@asynccontextmanager
async def their_server() -> AsyncIterator[Centre]:
    """Run their server; it answers as `statuses` say, and reports each message it takes."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        centre = Centre(probe.getsockname()[1])
    server = smpp34.Server(host="127.0.0.1", port=centre.port, system_id="theirs")
    await server.start()

    async def answer() -> None:
        esme: smpp34.Esme | None = None
        while True:
            event = await server.next()
            if isinstance(event, smpp34.Esme):
                esme = event
            elif isinstance(event, smpp34.SubmitSmEvent):
                if status := centre.statuses.pop(0) if centre.statuses else 0:
                    event.reject(status)
                    continue
                centre.taken.append(event)
                this = f"id-{len(centre.taken)}"
                event.accept(this)
                if esme is not None and event.registered_delivery:
                    text = f"id:{this} sub:001 dlvrd:001 stat:DELIVRD err:000 text:".encode()
                    await esme.deliver_sm("SALDO", text, source_addr="7916", esm_class=4)

    task = asyncio.create_task(answer())
    try:
        yield centre
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await server.stop()


@pytest.mark.parametrize("long", ["udh", "payload", "sar"])
async def test_their_server_reads_us(outgoing: Callable[..., Outgoing], long: str) -> None:
    reports: asyncio.Queue[Report] = asyncio.Queue()

    async def keep(new: Sequence[Report]) -> None:
        for each in new:
            reports.put_nowait(each)

    async with their_server() as centre:
        peer = parse_url(f"smpp://saldo@127.0.0.1:{centre.port}", "secret", "ISP")
        peer = replace(peer, timeout=5.0, pauses=(0.05,))
        keeper = Keeper(peer, keep, system_clock)
        smpp = Smpp(keeper, Writing(Address(5, 0, "SALDO"), long), 10)  # type: ignore[arg-type]
        centre.statuses = [smpp34.ESME_RINVDSTADR, smpp34.ESME_RTHROTTLED]
        async with asyncio.timeout(20), smpp.opened():
            refused = await smpp.send(outgoing(to="+79161234567", text="x"))
            assert refused == Permanent("smpp 0x0B: wrong number", dead=True)
            assert isinstance(await smpp.send(outgoing(to="+79161234567")), Held)
            smpp._pace._until = 0.0
            short = await smpp.send(outgoing(to="+79161234567", text="Balance [1]"))
            sent = await smpp.send(outgoing(to="+79161234567", text=LONG))
            assert isinstance(short, Accepted)
            assert isinstance(sent, Accepted)
            heard = [await reports.get(), await reports.get()]
    assert [(each.id, each.fate) for each in heard] == [
        (short.id, "delivered"),
        (sent.id, "delivered"),
    ]
    first, *parts = centre.taken
    assert (first.source_addr, first.destination_addr) == ("SALDO", "79161234567")
    assert readable(first.short_message, first.data_coding) == "Balance [1]"
    header = 6 if long == "udh" else 0
    octets = [part.short_message[header:] or part.tlvs[0].value for part in parts]
    assert "".join(readable(each, 8) for each in octets) == LONG
