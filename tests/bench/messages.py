"""The command of `make bench-messages`: how fast a queue of messages is prepared and sent.

Queues of two lengths are filled, with a channel that answers at once, on SQLite and PostgreSQL. The
cost of a message must not grow with the queue behind it, and what is urgent must leave first. The
exit status is 1 where a message is lost, doubled or out of order, or where the longer queue is
slower than a bar allows.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import structlog

from notifier import delivery, directory, journal, prepare
from notifier.channels.port import Accepted, ChannelName, Outgoing
from notifier.delivery import Delivery, Patience
from notifier.facts import Access, Fact, LowBalance
from notifier.gate import Rules
from notifier.journal import Notice
from notifier.kinds import KINDS, KindName
from notifier.limits import Limits
from notifier.migrations import SCHEMAS
from notifier.prepare import Preparation
from servers import databases
from servers.postgres import PrivatePostgres
from shared.clock import ManualClock
from shared.crypto import Vault, new_encryption_key
from shared.db import Database, open_database, transaction
from shared.events import ContractChanged, SubscriberChanged

NOON: Final = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
LENGTHS: Final = (1_000, 100_000)
FILL: Final = 2_000
GROWTH_MAX: Final = 1.5
_EMPTY: Final = "sqlite+aiosqlite:///{folder}/notifier.db"


class Recorder:
    """A channel that takes everything at once and remembers in which order."""

    parallel = 50

    def __init__(self, name: ChannelName) -> None:
        self.name: ChannelName = name
        self.taken: list[tuple[UUID, str]] = []

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Remember the message."""
        self.taken.append((outgoing.key, outgoing.kind))
        return Accepted(str(outgoing.key))

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Nothing to hold."""
        yield


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds for a message, and what went wrong."""

    prepare_ms: float
    send_ms: float
    wrong: tuple[str, ...]


FACTS: Final[Mapping[KindName, Fact]] = {
    "low_balance": LowBalance(balance_kopecks=5_000, needed_kopecks=5_000),
    "blocked": Access(reason="below_zero", balance_kopecks=-1, missing_kopecks=1, at=NOON),
}


async def fill(db: Database, vault: Vault, length: int) -> None:
    """Queue so many messages, one for each of as many contracts, urgent ones last."""
    for begin in range(0, length, FILL):
        numbers = range(begin, min(begin + FILL, length))
        async with transaction(db) as tx:
            await directory.keep_contracts(tx, [_contract(n) for n in numbers])
            await directory.keep_subscribers(tx, vault, [_subscriber(n) for n in numbers])
            notices = [_notice(n, length) for n in numbers]
            at = NOON + timedelta(microseconds=begin)
            await journal.add(tx, notices, at, channels=("email",))


def _contract(n: int) -> ContractChanged:
    return ContractChanged(
        contract=f"c-{n}",
        occurred_at=NOON,
        revision=1,
        operator="",
        status="open",
        subscriber_id=f"s-{n}",
    )


def _subscriber(n: int) -> SubscriberChanged:
    return SubscriberChanged(
        occurred_at=NOON,
        revision=1,
        subscriber_id=f"s-{n}",
        name=f"Анна {n}",
        phone=f"+7916{n:07d}",
        email=f"a{n}@example.net",
    )


def _notice(n: int, length: int) -> Notice:
    kind: KindName = "blocked" if n >= length * 99 // 100 else "low_balance"
    return Notice(
        fact=f"fact-{n}",
        contract=f"c-{n}",
        kind=kind,
        facts=FACTS[kind],
        event_id=uuid4(),
        correlation_id="bench",
        expires_at=NOON + timedelta(days=1),
    )


async def drain(url: str, length: int) -> Cost:
    """Fill a queue and empty it; return what that cost."""
    db = open_database(url)
    async with db.engine.begin() as connection:
        for schema in SCHEMAS:
            await connection.run_sync(schema.drop_all)
            await connection.run_sync(schema.create_all)
    vault, clock, channel = Vault([new_encryption_key()]), ManualClock(NOON), Recorder("email")
    await fill(db, vault, length)
    clock.advance(timedelta(minutes=1))
    how = Preparation("Saldo", {}, "https://pay.example.org/", timedelta(days=1), (timedelta(1),))
    begun = time.perf_counter()
    while await prepare.step(db, vault, how, clock):
        pass
    prepared = time.perf_counter()
    patience = Patience(9, (timedelta(seconds=30),), timedelta(seconds=15), 10**9)
    rules = Rules(limits=Limits(5, 15), remind_max=1)
    out = Delivery(db, vault, channel, patience, clock, rules)
    while await delivery.step(out):
        pass
    sent = time.perf_counter()
    await db.close()
    each = 1000 / length
    return Cost((prepared - begun) * each, (sent - prepared) * each, tuple(wrong(channel, length)))


def wrong(channel: Recorder, length: int) -> list[str]:
    """Return what was lost, doubled or out of order."""
    keys = [key for key, _ in channel.taken]
    urgencies = [KINDS[kind].urgency for _, kind in channel.taken]
    found = [] if len(keys) == length else [f"{len(keys)} messages left, not {length}"]
    found += [] if len(set(keys)) == len(keys) else ["a message left twice"]
    late = sum(1 for n, u in enumerate(urgencies) if n and u < urgencies[n - 1])
    # Those of one batch leave side by side.
    found += [] if late <= channel.parallel else [f"{late} urgent messages waited for others"]
    return found


async def compare(name: str, url: str, lengths: Sequence[int]) -> list[str]:
    """Measure queues of several lengths; return what is wrong."""
    found: list[str] = []
    costs = {}
    for length in lengths:
        costs[length] = cost = await drain(url, length)
        rates = f"prepared {1000 / cost.prepare_ms:,.0f}/s, sent {1000 / cost.send_ms:,.0f}/s"
        print(f"{name}: {length:>7} queued: {rates}", flush=True)
        found += [f"{name}, {length}: {what}" for what in cost.wrong]
    short, long = costs[min(lengths)], costs[max(lengths)]
    for what in ("prepare_ms", "send_ms"):
        growth = getattr(long, what) / getattr(short, what)
        if growth > GROWTH_MAX:
            found.append(f"{name}: {what} grows {growth:.1f} times with the queue")
    return found


async def measure(lengths: Sequence[int]) -> list[str]:
    """Measure on both databases."""
    with tempfile.TemporaryDirectory() as folder:
        found = await compare("SQLite", _EMPTY.format(folder=folder), lengths)
    async with aside() as url:
        found += await compare("PostgreSQL", url, lengths)
    return found


@asynccontextmanager
async def aside() -> AsyncIterator[str]:
    """A PostgreSQL database for the time of the block."""
    with PrivatePostgres() as server:
        name = databases.fresh_name("messages")
        url = await databases.create(server.url, name)
        try:
            yield url
        finally:
            await databases.drop(server.url, name)


def main() -> int:
    """Run the command."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lengths", type=int, nargs="+", default=list(LENGTHS))
    given = parser.parse_args()
    found = asyncio.run(measure(given.lengths))
    for what in found:
        print(what, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
