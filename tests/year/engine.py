"""The service under a year that is played: its own code on a real database, and what kills it.

It dies as a process does, between two statements that matter: before a commit, so that everything
is undone, or after one, before the next transaction. What it held in memory is gone; a new one is
made from the database. A clock that jumps and hours in which nothing runs belong here, too.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography.fernet import Fernet
from sqlalchemy import event as listening
from sqlalchemy import text

from autopay import app, consumer
from autopay.app import NAME
from autopay.autopay import Autopay
from autopay.settings import Settings
from shared import inbox, migrations, outbox
from shared.db import Database, Instant, transaction
from shared.envelope import decode
from shared.events import Event
from shared.inbox import Consumer, Outcome
from shared.loop import Loop
from shared.outbox import Letter
from shared.topology import KNOWN
from year import at_once

STEPS_MAX: Final = 100_000
LEASE: Final = outbox.LEASE + timedelta(seconds=10)
"""After a death what it had in hand is free again."""
SLOWLY: Final = timedelta(seconds=24)
"""For each second of a process a slow loop waits so long here."""
SLOW_LEAST: Final = timedelta(hours=1)
NEXT: Final = {
    "announce": "SELECT min(announce_at) FROM charge WHERE state = 'planned'",
    "request": "SELECT min(charge_at) FROM charge WHERE state IN ('planned', 'announced')"
    " AND (state = 'announced' OR announce_at IS NULL)",
    "look": "SELECT min(look_at) FROM mandate WHERE state = 'active' AND look_at IS NOT NULL",
}
"""When each of the quick loops will find something; the others are slow."""
DUE: Final = text(
    f"SELECT {', '.join(f'({each}) AS {name}' for name, each in NEXT.items())}"
).columns(**dict.fromkeys(NEXT, Instant))
NEVER: Final = datetime.max.replace(tzinfo=UTC)
ENCRYPTION_KEY: Final = Fernet.generate_key().decode()


class Killed(BaseException):
    """The service has died here."""


class Clock:
    """The virtual clock as the service reads it: it may be wrong for a while."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.wrong_by = timedelta()

    def __call__(self) -> datetime:
        """Return the moment the service believes it is."""
        return self.now + self.wrong_by


def settings_of(url: str, **said: Any) -> Settings:
    """Return the settings of autopay on a database; nothing but the retry calendar differs."""
    values = {
        "database_url": url,
        "bus_url": "memory://",
        "public_url": "http://127.0.0.1:8080",
        "signing_keys": "a signing key of the year",
        "encryption_keys": ENCRYPTION_KEY,
        "services": KNOWN,
        **said,
    }
    return Settings(**values)


class Engine:
    """Autopay without a process around it."""

    def __init__(self, settings: Settings, clock: Clock, seed: int, deaths: float) -> None:
        self.settings = settings
        self.clock = clock
        self.deaths = deaths
        """How many transactions out of one the service does not survive."""
        self.restarts = 0
        self._fate = random.Random(seed)
        self._dies_next = False
        self._ran: dict[str, datetime] = {}
        self.free_at: datetime | None = None
        """When what somebody who died had in hand can be published; None: nobody had anything."""
        self.autopay: Autopay
        self.consumer: Consumer
        self.loops: Sequence[Loop]
        self.start()

    @property
    def db(self) -> Database:
        """Return the database of the running service."""
        return self.autopay.db

    def start(self) -> None:
        """Make the service from the database alone."""
        self.autopay = app.made(self.settings, self.clock)
        self.consumer = consumer.make(self.autopay)
        self.loops = app.loops(self.settings, self.autopay)
        engine = self.autopay.db.engine.sync_engine
        if not self.db.postgres:
            at_once.use(self.autopay.db.engine)
            listening.listen(engine, "connect", _carelessly)
        listening.listen(engine, "begin", self._after_commit)
        listening.listen(engine, "commit", self._before_commit)

    async def restart(self) -> None:
        """Come back after a death."""
        self.restarts += 1
        self.free_at = max(self.clock.now, self.clock()) + LEASE
        await self.db.close()
        self.start()

    async def hear(self, events: Sequence[Event]) -> None:
        """Apply events as the bus would; raises Killed, and SystemError for one that fails."""
        for result in await inbox.apply(self.consumer, events, self.clock):
            if result.outcome not in (Outcome.DONE, Outcome.REPEAT):
                raise SystemError(f"{result.outcome}: {result.error!r}") from result.error

    async def work(self) -> datetime:
        """Run the loops that find something; return when they next will, by the service's clock."""
        for loop in self.loops:
            if loop.name not in NEXT and self._paused(loop):
                await self._run(loop)
        due = await self._due()
        now = self.clock()
        for loop in self.loops:
            if due.get(loop.name, NEVER) <= now:
                await self._run(loop)
        return await self.next_due() if min(due.values()) <= now else min(due.values())

    async def next_due(self) -> datetime:
        """Return when the quick loops will find something, if nobody is told of anything."""
        return min((await self._due()).values())

    async def _due(self) -> Mapping[str, datetime]:
        async with self.db.engine.connect() as connection:
            row = (await connection.execute(DUE)).one()
        return {name: at or NEVER for name, at in zip(NEXT, row, strict=True)}

    def _paused(self, loop: Loop) -> bool:
        """Say whether a slow loop has waited long enough: it finds nothing that cannot wait."""
        pause = max(SLOW_LEAST, SLOWLY * loop.every_seconds)
        if self.clock.now - self._ran.get(loop.name, self.clock.now - pause) < pause:
            return False
        self._ran[loop.name] = self.clock.now
        return True

    async def _run(self, loop: Loop) -> None:
        for _ in range(STEPS_MAX):
            if not await loop.step():
                return
        raise SystemError(f"the loop {loop.name} never ends")

    async def relay(self, hear: Callable[[Event], None]) -> bool:
        """Publish what is due; return whether anything was."""
        signal = self.db.signal(outbox.SIGNAL)
        # Nobody has written anything since, unless one who has died had it in hand.
        if not (signal.is_set() or self.free_at):
            return False
        signal.clear()
        publisher = _Publisher(hear)
        for _ in range(STEPS_MAX):
            vault = self.autopay.producer.vault
            if not await outbox.relay(self.db, publisher, self.clock, app.NAME, vault):
                break
        if self.free_at is not None and self.clock() >= self.free_at:
            self.free_at = None
        return publisher.published > 0

    async def tidy(self) -> None:
        """Prune as the service's housekeeping does."""
        while await outbox.prune(self.db, self.clock()) >= outbox.PRUNE_MAX:
            pass
        while await inbox.prune(self.db, self.clock()) >= inbox.PRUNE_MAX:
            pass

    def _before_commit(self, _connection: object) -> None:
        fate = self._fate.random()
        if fate < self.deaths / 2:
            raise Killed
        self._dies_next = self._dies_next or fate < self.deaths

    def _after_commit(self, _connection: object) -> None:
        if self._dies_next:
            self._dies_next = False
            raise Killed


class _Publisher:
    """A bus that hands on at once what it is given."""

    def __init__(self, hear: Callable[[Event], None]) -> None:
        self._hear = hear
        self.published = 0

    async def publish(self, letters: Sequence[Letter]) -> Sequence[None]:
        """Hand every letter on."""
        for letter in letters:
            self._hear(decode(letter.body))
            self.published += 1
        return [None] * len(letters)


def _carelessly(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous=OFF")
    cursor.close()


async def migrate(url: str) -> None:
    """Make the tables of autopay."""
    await migrations.migrate(url, NAME)


async def hurry(db: Database, url: str) -> None:
    """Let a database of a played year forget the last moments if its server is killed."""
    if db.postgres:
        name = url.rpartition("/")[2].partition("?")[0]
        async with transaction(db) as tx:
            await tx.execute(text(f'ALTER DATABASE "{name}" SET synchronous_commit = off'))
        await db.close()
