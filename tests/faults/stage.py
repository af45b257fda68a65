"""Where a run takes place: servers of its own and real processes, real or embedded."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp

from faults import settings
from faults.sbp import BANKS
from faults.settings import Addresses
from faults.supervised import Supervised, run_once
from faults.tables import PostgresTables, SqliteTables, Tables
from servers.guardian import Guardian
from servers.postgres import PrivatePostgres
from servers.processes import LOOPBACK, free_ports
from servers.rabbitmq import PrivateRabbitMQ

CORE: Final = "core-billing"
GATEWAY: Final = "gateway-yookassa"
GATEWAY_SBP: Final = "gateway-sbp"
AUTOPAY: Final = "autopay"
NOTIFIER: Final = "notifier"
SERVICES: Final[Mapping[str, str]] = {
    CORE: "core_billing",
    GATEWAY: "gateway_yookassa",
    GATEWAY_SBP: "gateway_sbp",
    AUTOPAY: "autopay",
    NOTIFIER: "notifier",
}
"""Name → import name: who is deployed on either stage."""


@dataclass
class Stage:
    """Everything a run needs to reach, strike and read."""

    urls: Mapping[str, str]
    """Where each service answers."""
    sandbox_url: str
    store: Path
    """The simulators' own file."""
    tables: Tables
    settings: Mapping[str, str]
    sandbox: Supervised
    processes: Mapping[str, Supervised]
    """What may be killed."""
    session: aiohttp.ClientSession
    postgres: PrivatePostgres | None = None
    rabbitmq: PrivateRabbitMQ | None = None


@asynccontextmanager
async def real(folder: Path, seed: int) -> AsyncIterator[Stage]:
    """Start PostgreSQL, RabbitMQ, the simulators and each service as a process of its own."""
    async with AsyncExitStack() as stack:
        postgres = stack.enter_context(PrivatePostgres())
        rabbitmq = stack.enter_context(PrivateRabbitMQ())
        place = _place(stack, folder)
        sandbox_port, *ports = free_ports(1 + len(SERVICES))
        urls = {name: _url(port) for name, port in zip(SERVICES, ports, strict=True)}
        database_url = postgres.url.removesuffix("postgres") + "{service}"
        common = _settings(sandbox_port, urls, database_url, rabbitmq.url, BANKS)
        for package in SERVICES.values():
            run_once(["-m", package, "migrate"], common)
        stage = Stage(
            urls=urls,
            sandbox_url=_sandbox_url(sandbox_port),
            store=place.store,
            tables=PostgresTables(LOOPBACK, postgres.port),
            settings=common,
            sandbox=place.sandbox(sandbox_port, urls, seed),
            processes={
                name: place.service(name, SERVICES[name], common, port)
                for name, port in zip(SERVICES, ports, strict=True)
            },
            session=await _session(stack),
            postgres=postgres,
            rabbitmq=rabbitmq,
        )
        await _start(stack, stage)
        yield stage


@asynccontextmanager
async def embedded(folder: Path, seed: int) -> AsyncIterator[Stage]:
    """Start all services as one process on SQLite, and the simulators beside it."""
    async with AsyncExitStack() as stack:
        place = _place(stack, folder)
        sandbox_port, port = free_ports(2)
        urls = dict.fromkeys(SERVICES, _url(port))
        database_url = f"sqlite+aiosqlite:///{folder}/{{service}}.db"
        # The other bank makes new codes here.
        common = _settings(sandbox_port, urls, database_url, "memory://", BANKS[::-1])
        stage = Stage(
            urls=urls,
            sandbox_url=_sandbox_url(sandbox_port),
            store=place.store,
            tables=SqliteTables(folder),
            settings=common,
            sandbox=place.sandbox(sandbox_port, urls, seed),
            processes={"embedded": place.service("embedded", "embedded", common, port)},
            session=await _session(stack),
        )
        await _start(stack, stage)
        yield stage


@dataclass(frozen=True)
class _Place:
    """Where the logs and files of a stage lie, and who ends its processes if we are killed."""

    folder: Path
    guardian: Guardian

    @property
    def store(self) -> Path:
        return self.folder / "sandbox.db"

    def service(self, name: str, package: str, common: Mapping[str, str], port: int) -> Supervised:
        given = dict(common) | settings.listening(port)
        return self._program(name, ["-m", package, "serve"], given, f"{_url(port)}/readyz")

    def sandbox(self, port: int, urls: Mapping[str, str], seed: int) -> Supervised:
        command = settings.sandbox_command(port, urls[GATEWAY], urls[GATEWAY_SBP], self.store, seed)
        answers_at = f"{_sandbox_url(port)}/yookassa/control/clock"
        return self._program("sandbox", command, {}, answers_at)

    def _program(
        self, name: str, command: Sequence[str], given: Mapping[str, str], answers_at: str
    ) -> Supervised:
        log = self.folder / f"{name}.log"
        return Supervised(name, command, given, answers_at, log, self.guardian)


def _place(stack: AsyncExitStack, folder: Path) -> _Place:
    guardian = Guardian(folder / "removed by the guardian")
    stack.callback(guardian.close)
    return _Place(folder, guardian)


def _settings(
    sandbox_port: int,
    urls: Mapping[str, str],
    database_url: str,
    bus_url: str,
    banks: Sequence[str],
) -> Mapping[str, str]:
    addresses = Addresses(_sandbox_url(sandbox_port), urls[GATEWAY], database_url, bus_url)
    return settings.common(addresses, urls, banks)


async def _start(stack: AsyncExitStack, stage: Stage) -> None:
    for process in (stage.sandbox, *stage.processes.values()):
        stack.push_async_callback(process.stop)
        await process.start()


async def _session(stack: AsyncExitStack) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=0)
    return await stack.enter_async_context(aiohttp.ClientSession(connector=connector))


def _sandbox_url(port: int) -> str:
    return f"{_url(port)}/sandbox"


def _url(port: int) -> str:
    return f"http://{LOOPBACK}:{port}"
