"""Rows: a RabbitMQ queue that was filled beforehand, emptied into the ledger by real consumers.

All of the consumer's work is in it: signature, inbox, postings, outbox rows, watches. It runs as
two processes, as two replicas would.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection
from typing import Any, Final

from bench import books, paid
from bench.figures import Figure, Round, Row, paired
from bench.stand import Stand, connect, execute
from core_billing import consumer
from core_billing.app import NAME
from core_billing.rules import Rules
from servers.broker import depth
from servers.processes import ServerFailed
from shared import garbage, log, outbox, topology
from shared.clock import system_clock
from shared.crypto import Signer
from shared.db import open_database
from shared.events import encode, sign
from shared.loop import Loop, run_loop
from shared.outbox import Letter, Producer
from shared.rabbit import RabbitBus
from shared.topology import Topology

PROCESSES: Final = 2
ALONE: Final = Row("queue_to_ledger", "filled RabbitMQ queue → ledger", "/s", 1.5)
WITH_RELAY: Final = Row(
    "queue_to_ledger_relaying", "the same while the relay publishes what was posted", "/s", None
)

_LETTERS: Final = 500
_LOOK_SECONDS: Final = 0.05
_READY_SECONDS: Final = 60.0
_DONE_SECONDS: Final = 120.0


@dataclass(frozen=True)
class Job:
    """What a consumer's process needs to know."""

    url: str
    broker: str
    relaying: bool = False

    def bus(self) -> RabbitBus:
        """Return a bus that is not connected yet."""
        known = producer()
        return RabbitBus(self.broker, known.topology, known.signer, system_clock, NAME)


def producer() -> Producer:
    """Return who says what was posted, with every service there to listen."""
    signer = Signer(["a key of nothing but the bench"])
    return Producer(NAME, Topology(frozenset(topology.SERVICES)), signer)


def rules() -> Rules:
    """Return the rules of an operator who has changed none."""
    return Rules(producer(), low_balance_kopecks=10_000, margin_percent=10, cutover_at=None)


def queue(stand: Stand) -> Sequence[Figure]:
    """Measure the way from the queue to the ledger, alone and with the relay."""
    url = stand.database()
    books.load(url, stand.size.contracts, stand.size.contracts)
    rounds: dict[Row, list[Round]] = {ALONE: [], WITH_RELAY: []}
    for number in range(1, stand.size.rounds + 1):
        stand.quiet()
        reference = stand.reference()
        for row, found in rounds.items():
            job = Job(url, stand.broker, relaying=row is WITH_RELAY)
            asyncio.run(_fill(job, stand.size, seed=number))
            execute(url, "TRUNCATE outbox")
            stand.checkpoint()
            found.append((_emptied(job, stand.size.queued), reference))
            stand.say(f"{row.name} {number}: {found[-1][0]:.0f}/s beside {reference:.0f}/s")
    books.prove(url)
    note = f"{PROCESSES} consumer processes, batches of at most {consumer.BATCH_MAX}"
    return [paired(row, found, note) for row, found in rounds.items()]


def _emptied(job: Job, payments: int) -> float:
    """Let the consumers work until all is posted; return the payments a second."""
    before = books.payments(job.url)
    with _consumers(job) as go:
        begun = time.perf_counter()
        go()
        return payments / (asyncio.run(_posted(job, before + payments)) - begun)


async def _posted(job: Job, payments: int) -> float:
    """Wait until the ledger holds so many payments; return the moment."""
    connection = await connect(job.url)
    try:
        async with asyncio.timeout(_DONE_SECONDS):
            # The sequence costs nothing to look at, and is never behind the table.
            for query in ("SELECT last_value FROM payment_id_seq", "SELECT count(*) FROM payment"):
                while await connection.fetchval(query) < payments:  # noqa: ASYNC110 - in a database
                    await asyncio.sleep(_LOOK_SECONDS)
        return time.perf_counter()
    except TimeoutError:
        raise ServerFailed("the consumers do not empty the queue") from None
    finally:
        await connection.close()


async def _fill(job: Job, size: Any, seed: int) -> None:
    """Publish signed events about payments as the gateway does; raises ServerFailed."""
    bus = job.bus()
    await bus.open()
    try:
        letters = _letters(size.contracts, seed)
        for _ in range(0, size.queued, _LETTERS):
            refused = [
                error for error in await bus.publish(list(islice(letters, _LETTERS))) if error
            ]
            if refused:
                raise ServerFailed(f"the broker refuses events: {refused[0]!r}")
        waiting = await depth(job.broker, topology.MONEY)
        if waiting != size.queued:
            raise ServerFailed(f"{waiting} events wait in the queue instead of {size.queued}")
    finally:
        await bus.close()


def _letters(contracts: int, seed: int) -> Iterator[Letter]:
    signer = producer().signer
    for event in paid.events(contracts, seed):
        body = encode(event)
        yield Letter(event.id, event.type, body, sign(signer, body))


@contextmanager
def _consumers(job: Job) -> Iterator[Any]:
    """Start the processes and wait until they could begin; yield what lets them."""
    spawn = multiprocessing.get_context("spawn")
    pipes: list[Connection] = []
    started = []
    for _ in range(PROCESSES):
        ours, theirs = spawn.Pipe()
        process = spawn.Process(target=_consume, args=(theirs, job), daemon=True)
        process.start()
        theirs.close()
        started.append(process)
        pipes.append(ours)
    try:
        for pipe in pipes:
            if not pipe.poll(_READY_SECONDS) or pipe.recv() != "ready":
                raise ServerFailed("a consumer's process does not get ready")
        yield lambda: _begin(pipes)
    finally:
        for process, pipe in zip(started, pipes, strict=True):
            pipe.close()
            process.join(_READY_SECONDS)


def _begin(pipes: Sequence[Connection]) -> None:
    for pipe in pipes:
        pipe.send("go")


def _consume(pipe: Connection, job: Job) -> None:
    log.configure(NAME, "WARNING")
    asyncio.run(_consume_until_closed(pipe, job))


async def _consume_until_closed(pipe: Connection, job: Job) -> None:
    db, bus = open_database(job.url), job.bus()
    money, _ = consumer.consumers(db, rules(), system_clock)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(db.close)
        await bus.open()
        stack.push_async_callback(bus.close)
        stack.push_async_callback(bus.stop)
        garbage.spare_what_is_loaded()
        pipe.send("ready")
        await asyncio.to_thread(pipe.recv)
        if job.relaying:
            stopping = asyncio.Event()
            relay = _relaying(db, bus, stopping)
            stack.push_async_callback(_finish, asyncio.create_task(relay), stopping)
        await bus.consume(money)
        await asyncio.to_thread(_closed, pipe)


def _relaying(db: Any, bus: RabbitBus, stopping: asyncio.Event) -> Any:
    async def step() -> bool:
        return await outbox.relay(db, bus, system_clock, NAME)

    return run_loop(Loop("relay", step, 1.0, db.signal(outbox.SIGNAL)), NAME, stopping)


async def _finish(task: asyncio.Task[None], stopping: asyncio.Event) -> None:
    stopping.set()
    await task


def _closed(pipe: Connection) -> None:
    """Return when the other side has closed."""
    with suppress(EOFError):
        pipe.recv()
