"""The command of `make notices-month`: who is told of a low balance in a month, and who is not.

Contracts fall below their threshold by core's own rule; the notifier's own consumer, preparation
and delivery run on a virtual clock, with an SMS channel that remembers. Events come late, doubled
and out of order, sends fail, and the process dies between a send and its mark. Afterwards each
crossing is held against what was sent. The exit status is 1 where somebody was told twice for one
crossing, was missed, or was told after the notifier had heard of the payment.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import func, select

from bench.notice_town import DAYS, START, Crossing, Happened, Month, event_of, people
from bench.notice_verdict import AGE, QUIET, REMIND_AFTER, judge
from notifier import consumer, delivery, prepare
from notifier.channels.port import Accepted, ChannelName, Outcome, Outgoing, Temporary
from notifier.consumer import Freshness
from notifier.delivery import Delivery, Patience
from notifier.gate import Rules
from notifier.limits import Limits
from notifier.message_table import UNSENT, message
from notifier.migrations import SCHEMAS
from notifier.prepare import Preparation
from notifier.reach import Reaching
from servers import databases
from servers.postgres import PrivatePostgres
from shared import inbox
from shared.clock import ManualClock
from shared.crypto import Vault, new_encryption_key
from shared.db import Database, open_database, reading
from shared.events import Event

CONTRACTS: Final = 100_000
BATCH: Final = 500
STEP: Final = timedelta(minutes=30)
REACHING: Final = Reaching(channels=("sms",))
RULES: Final = Rules(QUIET, Limits(5, 15), REMIND_AFTER, 1)
PATIENCE: Final = Patience(9, (timedelta(seconds=30),), timedelta(seconds=15), 10**9)


class Killed(BaseException):
    """Stands in for SIGKILL: nothing after it runs."""


@dataclass
class Provider:
    """An SMS provider that can be asked, forgets nothing, and sometimes fails."""

    clock: ManualClock
    dice: random.Random
    name: ChannelName = "sms"
    parallel: int = 20
    sent: dict[UUID, datetime] = field(default_factory=dict)
    twice: int = 0
    kills: int = 0
    doubts: int = 0

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Take a message; one that may have come before is looked up first."""
        if outgoing.doubtful:
            self.doubts += 1
            if outgoing.key in self.sent:
                return Accepted(str(outgoing.key))
        chance = self.dice.random()
        if chance < 0.01:
            return Temporary("busy")
        self.twice += outgoing.key in self.sent
        self.sent[outgoing.key] = self.clock()
        if chance > 0.9995:
            self.kills += 1
            raise Killed
        return Accepted(str(outgoing.key))

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Nothing to hold."""
        yield


@dataclass
class Town:
    """The notifier of one month, its clock, and what happens in it."""

    url: str
    contracts: int
    seed: int
    days: int = DAYS
    step: timedelta = STEP
    clock: ManualClock = field(default_factory=lambda: ManualClock(START))
    vault: Vault = field(default_factory=lambda: Vault([new_encryption_key()]))
    crossings: list[Crossing] = field(default_factory=list)
    heard: int = 0
    steps: int = 0

    async def run(self) -> Provider:
        """Live through the month and two days more; return the provider."""
        provider = Provider(self.clock, random.Random(self.seed))
        db = open_database(self.url)
        async with db.engine.begin() as connection:
            for schema in SCHEMAS:
                await connection.run_sync(schema.create_all)
        await self._hear(db, people(self.contracts))
        coming = self._coming()
        waiting = next(coming, None)
        end = START + timedelta(days=self.days + 4)
        while self.clock() < end:
            # Steps in which nothing is due are passed over.
            told = waiting.heard_at if waiting is not None else end
            soon = min(told, await next_due(db), end) - self.clock()
            self.clock.advance(max(1, -(-soon // self.step)) * self.step)
            due: list[Happened] = []
            while waiting is not None and waiting.heard_at <= self.clock():
                due.append(waiting)
                waiting = next(coming, None)
            await self._hear(db, map(event_of, due))
            self.steps += 1
            if self.steps % 100 == 0:
                print(f"{self.clock():%d %B %H:%M}: {len(provider.sent)} sent", flush=True)
            try:
                await self._work(db, provider)
            except Killed:
                await db.close()
                db = open_database(self.url)
        await db.close()
        return provider

    def _coming(self) -> Iterator[Happened]:
        happened: list[Happened] = []
        for contract in range(self.contracts):
            month = Month(contract, self.seed, self.days)
            happened += month.happened
            self.crossings += month.crossings
        happened.sort(key=lambda said: said.heard_at)
        return iter(happened)

    async def _hear(self, db: Database, events: Iterable[Event]) -> None:
        freshness = Freshness(timedelta(days=3), AGE)
        listening = consumer.make(db, self.vault, freshness, self.clock, REACHING)
        rest = iter(events)
        while batch := list(islice(rest, BATCH)):
            await inbox.apply(listening, batch, self.clock)
            self.heard += len(batch)

    async def _work(self, db: Database, provider: Provider) -> None:
        how = Preparation(
            "Связь",
            {},
            "https://pay.example.org/",
            timedelta(days=1),
            (timedelta(minutes=1),),
            reaching=REACHING,
            quiet=QUIET,
        )
        out = Delivery(db, self.vault, provider, PATIENCE, self.clock, RULES, REACHING)
        more = True
        while more:
            while await prepare.step(db, self.vault, how, self.clock):
                pass
            # Of a text whose money has changed the next preparation writes another.
            more = await delivery.step(out)


async def next_due(db: Database) -> datetime:
    """Return when the first message is due, far away where none waits."""
    async with reading(db) as tx:
        first = (await tx.execute(select(func.min(message.c.due_at)).where(UNSENT))).scalar()
    return first or START + timedelta(days=1000)


async def live(town: Town) -> tuple[str, list[str]]:
    """Live through the month; return a report and what is wrong."""
    begun = time.monotonic()
    provider = await town.run()
    counts, found = judge(town.crossings, provider.sent, 3 * town.step)
    if provider.twice:
        found.append(f"{provider.twice} messages were sent twice")
    lines = [f"{town.contracts} contracts, {town.days} days in {time.monotonic() - begun:,.0f} s"]
    lines.append(f"{town.heard} events heard, {len(provider.sent)} messages sent")
    lines.append(f"{provider.kills} kills, {provider.doubts} messages in doubt were asked about")
    lines += [f"{count:>8} {what}" for what, count in sorted(counts.items())]
    return "\n".join(lines), found


def main(given: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="make notices-month", description=__doc__)
    parser.add_argument("--contracts", type=int, default=CONTRACTS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sqlite", action="store_true", help="instead of PostgreSQL")
    args = parser.parse_args(given)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    if args.sqlite:
        with tempfile.TemporaryDirectory() as folder:
            url = f"sqlite+aiosqlite:///{folder}/notifier.db"
            report, found = asyncio.run(live(Town(url, args.contracts, args.seed)))
    else:
        # What is proved here does not hang on the disk.
        with PrivatePostgres({"fsync": "off", "synchronous_commit": "off"}) as server:
            url = asyncio.run(databases.create(server.url, databases.fresh_name("month")))
            report, found = asyncio.run(live(Town(url, args.contracts, args.seed)))
    print(report)
    for line in found[:50]:
        print(f"WRONG {line}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
