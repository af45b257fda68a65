"""SMS over SMPP against a message centre on loopback: what arrives, and what each answer means."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from notifier.channels.port import Accepted, Held, Outgoing, Permanent, Report, Temporary
from notifier.channels.smpp import Smpp, Writing
from notifier.channels.smpp_keeper import Keeper, parse_url
from notifier.channels.smpp_wire import Address
from shared.clock import system_clock
from simulators.smpp import peer as centre
from simulators.smpp.peer import Peer

KEY = UUID("00000000-0000-5000-8000-0000000000a7")
TO = "+79161234567"
LONG = "Баланс договора 100245: −550,00 ₽. Услуги будут отключены 12 декабря. " * 3
SOURCE = Address(5, 0, "SALDO")


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    """A message centre: system_id `saldo`, password `secret`."""
    async with centre.running(Peer()) as running:
        yield running


class Kept:
    """Takes reports, and fails as often as it is told to."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.failures = 0

    async def __call__(self, reports: Sequence[Report]) -> None:
        """Keep them."""
        if self.failures:
            self.failures -= 1
            raise ConnectionError("no database")
        self.reports += reports


@asynccontextmanager
async def channel(peer: Peer, kept: Kept | None = None, **given: Any) -> AsyncIterator[Smpp]:
    """Yield the channel to a message centre, open."""
    password, long = given.pop("password", "secret"), given.pop("long", "udh")
    source = given.pop("source", SOURCE)
    known = parse_url(f"smpp://saldo@127.0.0.1:{peer.port}", password)
    how = {"timeout": 5.0, "pauses": (0.01,)} | given
    keeper = Keeper(replace(known, **how), kept or Kept(), system_clock)
    smpp = Smpp(keeper, Writing(source, long), parallel_max=4)
    async with smpp.opened():
        yield smpp


Make = Callable[..., Outgoing]


@pytest.fixture
def sms(outgoing: Make) -> Make:
    """Make an SMS on its way."""
    return lambda **given: outgoing(**{"to": TO, **given})


async def test_a_short_text_arrives(peer: Peer, sms: Make) -> None:
    async with channel(peer) as smpp:
        assert await smpp.send(sms(text="Balance: 650.00 {x} ~ €")) == Accepted("00000001")
    (taken,) = peer.taken
    assert peer.texts() == [("79161234567", "Balance: 650.00 {x} ~ €")]
    assert (taken.short.source, taken.short.coding, taken.short.receipt) == ("SALDO", 0, True)
    assert taken.short.destination_kind == (1, 1)


@pytest.mark.parametrize("long", ["udh", "sar", "payload"])
@pytest.mark.parametrize("text", [LONG, "Balance [650.00] " * 30, "😀" * 100])
async def test_a_long_text_arrives_as_one(peer: Peer, sms: Make, long: str, text: str) -> None:
    async with channel(peer, long=long) as smpp:
        sent = await smpp.send(sms(text=text, key=KEY))
    assert peer.texts() == [("79161234567", text)]
    assert sent == Accepted(peer.taken[-1].id)
    assert [each.short.receipt for each in peer.taken] == [False] * (len(peer.taken) - 1) + [True]


async def test_over_tls(certificate: ssl.SSLContext, sms: Make) -> None:
    async with centre.running(Peer(tls=certificate)) as peer:
        async with channel(peer, tls=True) as smpp:
            assert isinstance(await smpp.send(sms()), Accepted)
        async with channel(peer, tls=False, timeout=0.3) as smpp:
            refused = await smpp.send(sms())
    assert isinstance(refused, Temporary)
    assert (refused.channel, refused.unknown) == (True, False)


async def test_one_that_is_not_let_in_for_long(sms: Make) -> None:
    gone: list[asyncio.Task[None]] = []

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the other side has had enough
        writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        gone.append(asyncio.create_task(wait(reader, writer)))

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        peer = Peer(port=server.sockets[0].getsockname()[1])
        async with channel(peer, timeout=0.3) as smpp:
            assert await smpp.send(sms()) == Temporary("smpp: still connecting", channel=True)
        await asyncio.gather(*gone, return_exceptions=True)


async def test_one_connection_serves_many_at_once(peer: Peer, sms: Make) -> None:
    async with channel(peer, window=3) as smpp:
        outcomes = await asyncio.gather(*(smpp.send(sms(text=str(n))) for n in range(20)))
    assert all(isinstance(each, Accepted) for each in outcomes)
    assert len({each.id for each in outcomes if isinstance(each, Accepted)}) == 20
    assert peer.binds == 1


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (0x0B, Permanent("smpp 0x0B: wrong number", dead=True)),
        (0x0A, Temporary("smpp 0x0A: the sender's name is refused", ours=True, channel=True)),
        (0x08, Temporary("smpp 0x08: an error of the provider's system", channel=True)),
        (0x45, Temporary("smpp 0x45: the submit failed")),
        (0x400, Temporary("smpp 0x400: unknown error", ours=True)),
    ],
)
async def test_refusals(peer: Peer, sms: Make, status: int, expected: Any) -> None:
    peer.script.append(status)
    async with channel(peer) as smpp:
        assert await smpp.send(sms()) == expected
        assert isinstance(await smpp.send(sms()), Accepted)
    assert peer.binds == 1


@pytest.mark.parametrize("status", [0x58, 0x14])
async def test_asked_to_be_slower_all_messages_wait(peer: Peer, sms: Make, status: int) -> None:
    peer.script.append(status)
    async with channel(peer) as smpp:
        assert isinstance(await smpp.send(sms()), Held)
        assert smpp.parallel == 0
        assert isinstance(await smpp.send(sms()), Held), "not even tried"
        smpp._pace._until = 0.0
        assert smpp.parallel == 4
        assert isinstance(await smpp.send(sms()), Accepted)
    assert len(peer.taken) == 1


async def test_half_a_message_waits_for_its_turn(peer: Peer, sms: Make) -> None:
    peer.script += [0, 0x58]
    async with channel(peer) as smpp:
        assert isinstance(await smpp.send(sms(text=LONG)), Accepted)
    assert peer.texts() == [("79161234567", LONG)]


async def test_half_a_message_that_fails_is_in_doubt(peer: Peer, sms: Make) -> None:
    peer.script += [0, 0x08]
    message = sms(text=LONG, key=KEY)
    async with channel(peer) as smpp:
        failed = await smpp.send(message)
        assert isinstance(failed, Temporary)
        assert failed.unknown
        again = await smpp.send(replace(message, doubtful=True))
    assert isinstance(again, Accepted)
    assert again.perhaps_twice
    assert peer.texts() == [("79161234567", LONG)], "the parts fit together all the same"


@pytest.mark.parametrize(
    ("fault", "taken", "binds"),
    [("silent", 1, 1), ("deaf", 0, 1), ("drop", 1, 2), ("half", 1, 2)],
)
async def test_without_an_answer_the_outcome_is_unknown(
    peer: Peer, sms: Make, fault: str, taken: int, binds: int
) -> None:
    peer.script.append(fault)
    async with channel(peer, timeout=0.3) as smpp:
        lost = await smpp.send(sms())
        assert isinstance(lost, Temporary)
        assert (lost.unknown, lost.channel) == (True, True)
        assert len(peer.taken) == taken
        await peer.until(lambda: peer.binds == binds)
        assert isinstance(await smpp.send(sms()), Accepted)


@pytest.mark.parametrize(("password", "source"), [("wrong", "0x0E"), ("x" * 60, "0x0E")])
async def test_a_wrong_password_is_ours_to_mend(
    peer: Peer, sms: Make, password: str, source: str
) -> None:
    async with channel(peer, password=password) as smpp:
        refused = await smpp.send(sms())
    assert isinstance(refused, Temporary)
    assert (refused.ours, refused.channel, refused.unknown) == (True, True, False)
    assert source in refused.reason
    assert peer.taken == []


async def test_nobody_listens_and_then_somebody_does(sms: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        peer = Peer(port=probe.getsockname()[1])
    async with channel(peer) as smpp, AsyncExitStack() as stack:
        refused = await smpp.send(sms())
        assert isinstance(refused, Temporary)
        assert (refused.channel, refused.unknown) == (True, False)
        await stack.enter_async_context(centre.running(peer))
        await peer.until(lambda: peer.binds)
        assert isinstance(await smpp.send(sms()), Accepted)


async def test_a_connection_that_was_cut_is_made_anew(peer: Peer, sms: Make) -> None:
    async with channel(peer) as smpp:
        assert isinstance(await smpp.send(sms()), Accepted)
        for session in list(peer.sessions):
            session.writer.transport.abort()
        await peer.until(lambda: peer.binds == 2)
        assert isinstance(await smpp.send(sms()), Accepted)
    assert len(peer.taken) == 2
    assert peer.unbinds == 1, "we say goodbye"


async def test_signs_of_life(peer: Peer) -> None:
    async with channel(peer, alive_every=0.01):
        await peer.until(lambda: peer.alive > 2)
    assert peer.binds == 1


@pytest.mark.parametrize(("to", "text"), [("+7916", "x" * 40_000), ("не номер", "x")])
async def test_what_no_sms_can_be_made_of(peer: Peer, sms: Make, to: str, text: str) -> None:
    async with channel(peer) as smpp:
        refused = await smpp.send(sms(to=to, text=text))
    assert isinstance(refused, Permanent)
    assert refused.ours
    assert peer.taken == []


async def test_receipts_become_reports(peer: Peer) -> None:
    kept = Kept()
    async with channel(peer, kept):
        await peer.until(lambda: peer.binds)
        await peer.report("0000000A")
        await peer.report("0000000B", "UNDELIV")
        await peer.report("0000000C", "ENROUTE")
        await peer.report("0000000D", "ACCEPTD", id=b"REAL\0", state=b"\x03")
        await peer.write("STOP")
        await peer.until(lambda: len(peer.answered) == 5)
    assert [(each.id, each.fate) for each in kept.reports] == [
        ("0000000A", "delivered"),
        ("0000000B", "undelivered"),
        ("0000000C", None),
        ("REAL", "expired"),
    ]
    assert peer.answered == [0, 0, 0, 0, 0]


async def test_a_receipt_that_cannot_be_stored_is_wanted_again(peer: Peer) -> None:
    kept = Kept()
    kept.failures = 1
    async with channel(peer, kept):
        await peer.until(lambda: peer.binds)
        await peer.report("0000000A")
        await peer.until(lambda: peer.answered == [0x64])
        await peer.report("0000000A")
        await peer.until(lambda: peer.answered == [0x64, 0])
    assert [each.id for each in kept.reports] == ["0000000A"]


async def test_a_receipt_may_come_before_the_answer(peer: Peer, sms: Make) -> None:
    peer.receipts, kept = True, Kept()
    async with channel(peer, kept) as smpp:
        sent = await smpp.send(sms())
        await peer.until(lambda: peer.answered)
    assert isinstance(sent, Accepted)
    assert [each.id for each in kept.reports] == [sent.id]
