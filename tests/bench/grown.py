"""Rows: what a payment costs in big tables beside small ones, and how much room it takes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from typing import Final

from bench import books, crew, paid
from bench.consuming import rules
from bench.crew import Opening, Step
from bench.figures import Figure, Round, Row, Sense, absolute, paired
from bench.posting import BATCH, CLIENTS, PROCESSES, Job, Refused, run, single
from bench.stand import Stand
from core_billing import consumer
from shared import inbox
from shared.clock import system_clock
from shared.db import open_database
from shared.inbox import Outcome

ONE_BY_ONE: Final = Row(
    "growth_one_by_one", "a payment alone, big tables beside small ones", "µs", 1.2, Sense.AT_MOST
)
BATCHES: Final = Row(
    "growth_batches",
    f"a payment in the consumer's batch of {BATCH}, big tables beside small ones",
    "µs",
    1.2,
    Sense.AT_MOST,
)
STORAGE: Final = Row(
    "storage",
    "payment, postings, inbox, balance and their indexes, vacuumed",
    "B",
    700,
    Sense.AT_MOST,
    on_ratio=False,
)


def growth(stand: Stand) -> Sequence[Figure]:
    """Measure the same posting on both databases in turn."""
    size = stand.size
    small, big = stand.database(), stand.database()
    stand.say(f"loading {size.grown} payments")
    books.load(small, size.contracts, size.contracts)
    books.load(big, size.contracts, size.grown)
    figures = [_compared(stand, row, how, big, small) for row, how in _WAYS]
    books.prove(small)
    books.prove(big)
    return figures


def storage(stand: Stand) -> Sequence[Figure]:
    """Post payments as the consumer does, vacuum, and divide what the tables take."""
    url = stand.database()
    books.load(url, stand.size.contracts, stand.size.contracts)
    job = Job(url, stand.size.contracts)
    while (count := books.payments(url)) < stand.size.stored:
        stand.say(f"{STORAGE.name}: {count} payments")
        crew.measure(applied, job, seconds=stand.size.seconds, clients=CLIENTS, processes=PROCESSES)
    books.prove(url)
    return [absolute(STORAGE, [books.bytes_per_payment(url)], f"over {count} payments")]


@asynccontextmanager
async def applied(job: Job, number: int) -> AsyncIterator[Step]:
    """Open a client that does all the consumer does with a batch, but for the broker."""
    db = open_database(job.url, pool_size=1)
    money, _ = consumer.consumers(db, rules(), system_clock)
    source = paid.events(job.contracts, number)

    async def step() -> int:
        results = await inbox.apply(money, list(islice(source, BATCH)), system_clock)
        if any(result.outcome is not Outcome.DONE for result in results):
            raise Refused(str(results))
        return len(results)

    yield step
    await db.close()


_WAYS: Final[Sequence[tuple[Row, Opening]]] = ((ONE_BY_ONE, single), (BATCHES, applied))


def _compared(stand: Stand, row: Row, opening: Opening, big: str, small: str) -> Figure:
    rounds: list[Round] = []
    for number in range(1, stand.size.rounds + 1):
        stand.quiet()
        reference, value = (
            1e6 / run(stand, opening, Job(url, stand.size.contracts)).rate for url in (small, big)
        )
        rounds.append((value, reference))
        stand.say(f"{row.name} {number}: {value:.0f} beside {reference:.0f} µs")
    return paired(row, rounds, f"{stand.size.grown} payments beside {stand.size.contracts}")
