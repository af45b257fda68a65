"""Reconciles a register with our books, and says each of its rows.

A thousand rows at a time: each batch, its differences, its events and how far it went are one
transaction. So whoever is stopped goes on from there when the same file is given again; given once
more after that, it changes nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import IO, Final

from shared import outbox
from shared.db import Tx, transaction
from shared.errors import Text
from shared.events import Event
from shared.events_gateway import RegisterRow
from shared.gateway import books, differences, ours, registers
from shared.gateway.differences import Difference
from shared.gateway.gateway import Gateway
from shared.gateway.ours import Ours, Span
from shared.gateway.provider import Kind
from shared.gateway.register import Register, Row
from shared.gateway.registers import Taken
from shared.gateway.spool import Spool

BATCH_MAX: Final = 1000
CHUNK: Final = 1024 * 1024

Put = Callable[[Row], None]
Read = Callable[[IO[bytes], str, Put], Register]
"""Reads a file of this name and hands on each row; raises WrongRegister."""
Progress = Callable[[int, int], None]
"""Hears how many rows are done, and of how many."""


@dataclass(frozen=True)
class Opened:
    """A register whose file was read and found true; `close` it when it is applied."""

    taken: Taken
    spool: Spool
    notes: Sequence[Text] = ()
    """What of the file was left out, for whoever sent it."""

    def close(self) -> None:
        """Forget the rows."""
        self.spool.close()


Receive = Callable[[Gateway, IO[bytes], str], Awaitable[Sequence[Opened]]]
"""Reads a file of this name and writes down the registers it holds; raises WrongRegister."""


def single(read: Read) -> Receive:
    """Return how files come in that hold one register each."""

    async def opened(gateway: Gateway, file: IO[bytes], name: str) -> Sequence[Opened]:
        return (await receive(gateway, read, file, name),)

    return opened


async def receive(gateway: Gateway, read: Read, file: IO[bytes], name: str) -> Opened:
    """Read a whole file, then write the register down; nothing of it is applied yet.

    Raises WrongRegister for a file of which nothing is taken.
    """
    spool = Spool()
    try:
        found, digest = await asyncio.to_thread(_read, read, file, name, spool)
        async with transaction(gateway.db) as tx:
            return Opened(await registers.take(tx, found, name, digest, gateway.clock()), spool)
    except BaseException:
        spool.close()
        raise


async def apply(
    gateway: Gateway, taken: Taken, spool: Spool, progress: Progress | None = None
) -> Taken:
    """Compare every row that is not done yet, then look for what the register lacks.

    Raises Elsewhere where somebody else is at it.
    """
    if taken.finished_at is not None:
        return taken
    found: list[Difference] = []
    for batch in spool.batches(BATCH_MAX, skip=taken.done):
        async with transaction(gateway.db) as tx:
            new = await _apply_batch(tx, gateway, taken, batch, partial=spool.partial)
            done = await registers.advance(tx, taken, len(batch), len(new), gateway.clock())
        found += new
        taken = done
        if progress is not None:
            progress(taken.done, taken.register.rows)
    missing = [] if spool.partial else await _find_missing(gateway, taken, spool.ids())
    async with transaction(gateway.db) as tx:
        taken = await registers.finish(tx, taken, len(missing), gateway.clock())
    differences.cry(taken.books, [*found, *missing], correlation_id=taken.id.hex)
    return taken


async def _apply_batch(
    tx: Tx, gateway: Gateway, taken: Taken, batch: Sequence[Row], *, partial: bool
) -> list[Difference]:
    shop, kind, at = taken.register.shop, taken.register.kind, gateway.clock()
    known = await ours.standings(tx, kind, shop, [row.id for row in batch])
    found = books.differences(batch, known)
    await differences.note(tx, taken.books, list(found.values()), at)
    alike = [row.id for row in batch if row.id not in found]
    await differences.agree(tx, taken.books, kind, alike, at)
    if not partial:
        events = [_event(gateway, taken, row, found.get(row.id)) for row in batch]
        await outbox.add(tx, gateway.producer, events, at)
    return list(found.values())


async def _find_missing(gateway: Gateway, taken: Taken, there: set[str]) -> list[Difference]:
    """Note our successes of the day that the register does not hold.

    What was paid and sent back whole on the same day may be left out, as providers have done.
    """
    kind, shop, span = taken.register.kind, taken.register.shop, Span.of(taken.register.day)
    found: list[Difference] = []
    last: Ours | None = None
    while True:
        async with transaction(gateway.db) as tx:
            page = await ours.succeeded(tx, kind, shop, span, last)
            lacking = [one for one in page if one.id not in there]
            undone = await ours.undone(tx, shop, span, [one.payment_id for one in lacking])
            missing = [
                books.missing(kind, one.id, one.payment_id, one.amount_kopecks)
                for one in lacking
                if one.payment_id not in undone
            ]
            await differences.note(tx, taken.books, missing, gateway.clock())
        found += missing
        if len(page) < ours.PAGE_MAX:
            return found
        last = page[-1]


def _event(gateway: Gateway, taken: Taken, row: Row, found: Difference | None) -> Event:
    """Return what is said of a row; what differed and agrees in a later file is said anew."""
    day = taken.register.day
    body = RegisterRow(
        occurred_at=Span.of(day).since,
        provider=taken.register.shop,
        day=day,
        kind="refund" if row.kind is Kind.REFUND else "payment",
        provider_id=row.id,
        provider_payment_id=row.payment_id,
        amount_kopecks=row.amount_kopecks,
        fee_kopecks=row.fee_kopecks,
        fee_vat_kopecks=row.vat_kopecks,
        net_kopecks=row.net_kopecks,
        difference=str(found.name) if found else None,
    )
    revision = f"{day}:{found.name}" if found else str(day)
    source = gateway.producer.name
    return body.event(source, subject=row.id, revision=revision, correlation_id=taken.id.hex)


def _read(read: Read, file: IO[bytes], name: str, spool: Spool) -> tuple[Register, bytes]:
    found = read(file, name, spool.put)
    file.seek(0)
    digest = hashlib.sha256()
    while chunk := file.read(CHUNK):
        digest.update(chunk)
    return found, digest.digest()
