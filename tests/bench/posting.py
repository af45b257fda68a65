"""Rows: one payment per transaction, and batches that know the outcome of each payment."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from bench import books, crew, paid
from bench.crew import Opening, Run, Step
from bench.figures import Figure, Round, Row, paired, percentile
from bench.stand import Stand
from core_billing import ledger
from core_billing.ledger import Outcome
from core_billing.single import posting_one_by_one
from shared.clock import system_clock
from shared.db import open_database, transaction

CLIENTS: Final = 8
PROCESSES: Final = 2
BATCH: Final = 50

THROUGH_SQLALCHEMY: Final = Row(
    "one_by_one_sqlalchemy", "one payment per transaction through SQLAlchemy", "/s", 0.7
)
THROUGH_DRIVER: Final = Row(
    "one_by_one_driver", "one payment per transaction through the driver", "/s", 1.0
)
BATCHES: Final = Row("batches", f"batches of {BATCH}, the outcome known per payment", "/s", 4.0)


@dataclass(frozen=True)
class Job:
    """Where clients post, and how."""

    url: str
    contracts: int
    driver: bool = False


class Refused(Exception):
    """The ledger did not simply post a payment, so the figure would mean something else."""


def one_by_one(stand: Stand) -> Sequence[Figure]:
    """Measure one payment per transaction, both ways beside the same reference."""
    job = Job(_books(stand), stand.size.contracts)
    straight = replace(job, driver=True)
    return _against(stand, {THROUGH_SQLALCHEMY: (single, job), THROUGH_DRIVER: (single, straight)})


def batches(stand: Stand) -> Sequence[Figure]:
    """Measure batches."""
    return _against(stand, {BATCHES: (batched, Job(_books(stand), stand.size.contracts))})


def run(stand: Stand, opening: Opening, job: Job) -> Run:
    """Let the clients post for the time of one measurement, after a checkpoint."""
    stand.checkpoint()
    seconds = stand.size.seconds
    return crew.measure(opening, job, seconds=seconds, clients=CLIENTS, processes=PROCESSES)


@asynccontextmanager
async def single(job: Job, number: int) -> AsyncIterator[Step]:
    """Open a client that posts payments one by one."""
    db = open_database(job.url, pool_size=1)
    source = paid.payments(job.contracts, number)

    async with posting_one_by_one(db, driver=job.driver) as post_one:

        async def step() -> int:
            receipt = await post_one(next(source), system_clock())
            return _posted([receipt.outcome])

        yield step
    await db.close()


@asynccontextmanager
async def batched(job: Job, number: int) -> AsyncIterator[Step]:
    """Open a client that posts batches."""
    db = open_database(job.url, pool_size=1)
    source = paid.payments(job.contracts, number)

    async def step() -> int:
        async with transaction(db) as tx:
            receipts = await ledger.post(tx, list(islice(source, BATCH)), system_clock())
        return _posted([receipt.outcome for receipt in receipts])

    yield step
    await db.close()


def _against(stand: Stand, ways: Mapping[Row, tuple[Opening, Job]]) -> list[Figure]:
    """Measure ways of posting in turn with the reference; then prove the books they wrote."""
    rounds: dict[Row, list[Round]] = {row: [] for row in ways}
    latencies: dict[Row, list[float]] = {row: [] for row in ways}
    for number in range(1, stand.size.rounds + 1):
        stand.quiet()
        reference = stand.reference()
        for row, (opening, job) in ways.items():
            done = run(stand, opening, job)
            rounds[row].append((done.rate, reference))
            latencies[row] += done.latencies
            stand.say(f"{row.name} {number}: {done.rate:.0f}/s beside {reference:.0f}/s")
    for _, job in ways.values():
        books.prove(job.url)
    return [paired(row, rounds[row], _note(latencies[row])) for row in ways]


def _note(latencies: Sequence[float]) -> str:
    late = percentile(latencies, 0.99) * 1000
    return f"{CLIENTS} clients in {PROCESSES} processes; p99 {late:.1f} ms"


def _books(stand: Stand) -> str:
    url = stand.database()
    books.load(url, stand.size.contracts, stand.size.contracts)
    return url


def _posted(outcomes: Sequence[Outcome]) -> int:
    if any(outcome is not Outcome.POSTED for outcome in outcomes):
        raise Refused(str(set(outcomes)))
    return len(outcomes)
