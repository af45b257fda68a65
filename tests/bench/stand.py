"""The servers of a run: started by it, with settings that stand here for everybody to read."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import asyncpg
from sqlalchemy.engine import make_url

from bench.pgbench import Pgbench
from bench.quiet import BUSY_MAX, Patience
from bench.report import Say
from servers import databases
from servers.guardian import Guardian
from servers.postgres import PrivatePostgres, find_binaries
from servers.rabbitmq import PrivateRabbitMQ
from shared import migrations

SETTINGS: Final = {
    "shared_buffers": "2GB",
    "max_wal_size": "8GB",
    # A run checkpoints before each measurement, so none falls into the middle of one.
    "checkpoint_timeout": "30min",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "200",
}
"""Of the one PostgreSQL that serves both sides of each pair."""

CORE: Final = "core_billing"


@dataclass(frozen=True)
class Size:
    """How long and how much is measured; a test takes less of everything."""

    rounds: int = 3
    seconds: float = 5.0
    """Of one measurement."""
    scale: int = 50
    """Of pgbench."""
    contracts: int = 10_000
    queued: int = 20_000
    """Payments that wait in the queue."""
    grown: int = 1_000_000
    """Payments in the big tables; the small ones have `contracts` of them."""
    stored: int = 100_000
    """Payments over which storage is averaged."""
    travelled: float = 10.0
    """Seconds of payments that are followed from end to end."""
    deliveries: int = 100_000
    patience: float = 60.0
    """Seconds that all measurements together may wait for a quiet machine."""


class Stand:
    """What a measurement stands on: servers, sizes and a place for its files."""

    def __init__(
        self,
        server: str,
        broker: str,
        folder: Path,
        size: Size,
        say: Say,
        guardian: Guardian,
    ) -> None:
        self.server = server
        """The address of PostgreSQL, with a database to connect to."""
        self.broker = broker
        self.folder = folder
        self.guardian = guardian
        """Ends the processes of a run that was killed."""
        self.size = size
        self.say = say
        self._patience = Patience(size.patience)

    @cached_property
    def pgbench(self) -> Pgbench:
        """The reference on the same server; its tables are made at first use."""
        url = make_url(self.server)
        host = str(url.query.get("host", url.host))
        port = int(str(url.query.get("port", url.port)))
        self.say(f"pgbench makes its tables, scale {self.size.scale}")
        made = Pgbench(find_binaries() / "pgbench", host, port)
        asyncio.run(databases.create(self.server, made.database))
        made.fill(self.size.scale)
        return made

    def quiet(self) -> None:
        """Wait for a quiet moment while patience lasts; say so where the machine stays busy."""
        share = self._patience.wait()
        if share > BUSY_MAX:
            self.say(f"others use {share:.0%} of the processors: take this with care")

    def reference(self) -> float:
        """Return the transactions a second of TPC-B-like at 8 clients, after a checkpoint."""
        self.checkpoint()
        return self.pgbench.run(self.size.seconds)

    def checkpoint(self) -> None:
        """Write out what went before, so that each measurement begins alike."""
        execute(self.server, "CHECKPOINT")

    def database(self, package: str = CORE) -> str:
        """Return the address of a fresh database of a service, migrated as an operator would."""
        url = asyncio.run(databases.create(self.server, databases.fresh_name(package)))
        asyncio.run(migrations.migrate(url, package))
        return url


@contextmanager
def stand(folder: Path, size: Size, say: Say) -> Iterator[Stand]:
    """Start PostgreSQL and RabbitMQ; both sides of each pair use PostgreSQL's socket."""
    with ExitStack() as stack:
        postgres = stack.enter_context(PrivatePostgres(SETTINGS))
        rabbitmq = stack.enter_context(PrivateRabbitMQ())
        where = f"host={postgres.directory}&port={postgres.port}"
        server = f"postgresql+asyncpg://postgres@/postgres?{where}"
        guardian = Guardian(folder / "removed by the guardian")
        stack.callback(guardian.close)
        yield Stand(server, rabbitmq.url, folder, size, say, guardian)


def execute(url: str, *statements: str) -> None:
    """Run statements, each in a transaction of its own and with no limit of time."""
    asyncio.run(_execute(url, statements))


def value(url: str, query: str) -> int:
    """Return the one number a query gives."""
    return asyncio.run(_value(url, query))


async def connect(url: str) -> asyncpg.Connection:
    """Open a driver's connection to an address that SQLAlchemy understands."""
    given = make_url(url)
    return await asyncpg.connect(
        host=given.query.get("host", given.host),
        port=int(str(given.query.get("port", given.port))),
        user=given.username,
        password=given.password,
        database=given.database,
    )


async def _execute(url: str, statements: tuple[str, ...]) -> None:
    connection = await connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _value(url: str, query: str) -> int:
    connection = await connect(url)
    try:
        return int(await connection.fetchval(query))
    finally:
        await connection.close()
