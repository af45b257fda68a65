"""Keeps an SMPP connection: makes it, makes it anew when it is lost, and takes in its receipts.

A receipt is answered when it is stored; what cannot be stored is asked for again.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

import structlog

from notifier.channels import smpp_errors, smpp_receipt
from notifier.channels import smpp_wire as wire
from notifier.channels.port import Report, Reporting, Temporary
from notifier.channels.smpp_link import Link, Lost, Refused, bound
from notifier.channels.smpp_receipt import IdForm
from notifier.channels.smpp_wire import Pdu
from shared.clock import Clock

PROVIDER: Final = "smpp"
_PORTS: Final = {"smpp": 2775, "smpps": 3550}
_PAUSES: Final = (0.5, 1.0, 5.0, 10.0, 30.0)
_STEADY_SECONDS: Final = 10.0
"""A connection that lasted longer is made anew at once."""
_RECEIPTS_WAITING_MAX: Final = 1000
_RECEIPTS_AT_ONCE: Final = 200

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Peer:
    """The provider and how we present ourselves there."""

    host: str
    port: int
    tls: bool
    who: wire.Bind
    timeout: float = 15.0
    """Seconds for one answer."""
    window: int = 10
    """How many submits may wait for their answers."""
    alive_every: float = 30.0
    """Seconds between signs of life."""
    receipt_ids: IdForm = "as_is"
    pauses: tuple[float, ...] = _PAUSES
    """Seconds between attempts to connect; the last one repeats."""


def parse_url(url: str, password: str, system_type: str = "") -> Peer:
    """Read `smpp://system_id@host:port` or `smpps://...`.

    Raises ValueError that says what is wrong and repeats no password.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname or not parts.username:
        raise ValueError("expected smpp://system_id@host:port or smpps://...")
    if parts.password or parts.path not in ("", "/") or parts.query:
        raise ValueError("expected smpp://system_id@host:port; the password is SMPP_PASSWORD")
    who = wire.Bind(unquote(parts.username), password, system_type)
    wire.bind(who)
    return Peer(parts.hostname, parts.port or _PORTS[parts.scheme], parts.scheme == "smpps", who)


class Keeper:
    """One connection at a time, for as long as `running` lasts."""

    def __init__(self, peer: Peer, report: Reporting, clock: Clock) -> None:
        self._peer = peer
        self._report = report
        self._clock = clock
        self._link: Link | None = None
        self._down = Temporary("smpp: not connected yet", channel=True)
        self._tried = asyncio.Event()
        """Clear while an attempt to connect is under way."""
        self._receipts: asyncio.Queue[Pdu] = asyncio.Queue(_RECEIPTS_WAITING_MAX)

    async def link(self) -> Link | Temporary:
        """Return the connection, or why there is none; waits a little for one that is being made.

        Not for long: who waits has little time, and must know in the end that nothing was sent.
        """
        try:
            async with asyncio.timeout(self._peer.timeout / 3):
                await self._tried.wait()
        except TimeoutError:
            return Temporary("smpp: still connecting", channel=True)
        return self._link or self._down

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep the connection until the end."""
        task = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _keep(self) -> None:
        failures = 0
        while True:
            self._tried.clear()
            begun = asyncio.get_running_loop().time()
            try:
                await self._connection()
            except Refused as error:
                self._down = _refusal(error)
            except Exception as error:
                if not isinstance(error, OSError | EOFError | TimeoutError | wire.Malformed):
                    _log.exception("smpp.broken")
                what = f"smpp: no connection ({type(error).__name__})"
                self._down = Temporary(what, channel=True)
            lived = asyncio.get_running_loop().time() - begun
            steady = self._link is not None and lived >= _STEADY_SECONDS
            failures = 0 if steady else failures + 1
            self._link = None
            _log.warning("smpp.disconnected", reason=self._down.reason, failures=failures)
            if failures:
                self._tried.set()
                pauses = self._peer.pauses
                await asyncio.sleep(pauses[min(failures, len(pauses)) - 1])

    async def _connection(self) -> None:
        """Connect, and stay until the connection is lost; raises what it was lost by."""
        peer = self._peer
        # Those of an older connection were never answered there: they come again.
        self._receipts = asyncio.Queue(_RECEIPTS_WAITING_MAX)
        async with bound(
            peer.host,
            peer.port,
            peer.who,
            tls=ssl.create_default_context() if peer.tls else None,
            timeout=peer.timeout,
            window=peer.window,
            deliver=self._deliver,
        ) as (link, hearing):
            self._link = link
            self._tried.set()
            _log.info("smpp.bound")
            others = (
                asyncio.create_task(link.stay_alive(peer.alive_every)),
                asyncio.create_task(self._take_receipts(link)),
            )
            try:
                ended, _ = await asyncio.wait(
                    (hearing, *others), return_when=asyncio.FIRST_COMPLETED
                )
                link.end(Lost("lost"))
                for task in ended:
                    task.result()
            finally:
                for task in others:
                    task.cancel()
                await asyncio.gather(*others, return_exceptions=True)

    def _deliver(self, pdu: Pdu) -> bool:
        try:
            self._receipts.put_nowait(pdu)
        except asyncio.QueueFull:
            return False
        return True

    async def _take_receipts(self, link: Link) -> None:
        while True:
            batch = [await self._receipts.get()]
            while not self._receipts.empty() and len(batch) < _RECEIPTS_AT_ONCE:
                batch.append(self._receipts.get_nowait())
            status = await self._store(batch)
            for pdu in batch:
                await link.answer(pdu, status, b"\0")

    async def _store(self, batch: Sequence[Pdu]) -> int:
        reports = [report for pdu in batch if (report := self._read(pdu)) is not None]
        try:
            if reports:
                await self._report(reports)
        except Exception:
            _log.exception("smpp.receipts_not_stored", count=len(reports))
            return wire.REJECTED_FOR_NOW
        return wire.OK

    def _read(self, pdu: Pdu) -> Report | None:
        """Return the report; None for what a subscriber writes, and for what cannot be read."""
        try:
            given = wire.delivered(pdu.body)
        except wire.Malformed:
            _log.warning("smpp.malformed_receipt")
            return None
        receipt = smpp_receipt.read(given, self._peer.receipt_ids) if given.receipt else None
        if receipt is None:
            _log.info("smpp.ignored", receipt=given.receipt)
            return None
        return Report(
            PROVIDER, "sms", receipt.message_id, receipt.fate, receipt.reason, self._clock()
        )


def _refusal(error: Refused) -> Temporary:
    meant = smpp_errors.meaning(error.status)
    ours = meant.ours if isinstance(meant, Temporary) else True
    return Temporary(f"{meant.reason}, at the bind", ours=ours, channel=True)
