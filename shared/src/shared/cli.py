"""The command line every service has: ``serve``, ``migrate``, ``check`` and its own commands."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from sqlalchemy import text

from shared import log, migrations
from shared.clock import Clock, system_clock
from shared.db import is_outage, open_database, reading, sqlstate
from shared.errors import SettingsError
from shared.rabbit import RabbitBus
from shared.rabbit_link import BROKEN
from shared.service import Process, Service, serve
from shared.settings import MEMORY_BUS, Common, read

Answer = TypeVar("Answer")
Build = Callable[[Any, Clock], Service]
Run = Callable[[Any, argparse.Namespace], Awaitable[int]]

OUTAGE: Final = 3
"""The exit status of a command whose database went away; 1 and 2 mean something else."""
_NO_SUCH_DATABASE: Final = "3D000"


def _nothing(_parser: argparse.ArgumentParser) -> None:
    """Add no argument."""


@dataclass(frozen=True)
class Command:
    """A command of one service: returns the exit status."""

    name: str
    help: str
    run: Run
    configure: Callable[[argparse.ArgumentParser], None] = _nothing


def main(
    service: str,
    settings_class: Callable[[], Common],
    build: Build,
    commands: Sequence[Command] = (),
) -> None:
    """Run the command line of a service and exit with its status."""
    package = service.replace("-", "_")

    async def serving(settings: Common, _args: argparse.Namespace) -> int:
        return await _serve(settings, package, build)

    async def migrating(settings: Common, _args: argparse.Namespace) -> int:
        url = settings.database_url_of(package)
        await _answered(migrations.migrate(url, package), package)
        print(f"{package}: the database is at its newest version")
        return 0

    async def checking(settings: Common, _args: argparse.Namespace) -> int:
        return await _check(settings, package)

    own = (
        Command("serve", "run the service", serving),
        Command("migrate", "create or bring up to date its database", migrating),
        Command("check", "say whether settings, database and bus are usable", checking),
    )
    parser = argparse.ArgumentParser(prog=f"python -m {package}")
    subparsers = parser.add_subparsers(dest="command", required=True)
    ready = tuple(replace(each, run=_with_database(package, each.run)) for each in commands)
    for command in (*own, *ready):
        added = subparsers.add_parser(command.name, help=command.help)
        command.configure(added)
        added.set_defaults(run=command.run)
    args = parser.parse_args()
    sys.exit(run(service, settings_class, args))


def run(service: str, settings_class: Callable[[], Common], args: argparse.Namespace) -> int:
    """Read the settings and run one command; mistakes of the settings go to stderr."""
    try:
        settings = read(settings_class)
        log.configure(service, settings.log_level, None if args.command == "serve" else sys.stderr)
        return int(asyncio.run(args.run(settings, args)))
    except SettingsError as error:
        print(f"{service} cannot start:\n{error}", file=sys.stderr)
        return 2


def _with_database(package: str, run: Run) -> Run:
    """Have a command say in one sentence what is wrong with the database, with a status for it."""

    async def guarded(settings: Common, args: argparse.Namespace) -> int:
        await _require_current(settings.database_url_of(package), package)
        try:
            return await run(settings, args)
        except Exception as error:
            if not is_outage(error):
                raise
            print(f"the database went away: {error!r:.300}; repeat the command", file=sys.stderr)
            print("база данных перестала отвечать; повторите команду", file=sys.stderr)
            return OUTAGE

    return guarded


async def _require_current(url: str, package: str) -> None:
    if not await _answered(migrations.is_current(url, package), package):
        raise SettingsError(f"the database is not current: run python -m {package} migrate")


async def _serve(settings: Common, package: str, build: Build) -> int:
    if settings.bus_url == MEMORY_BUS:
        raise SettingsError(f"SALDO_BUS_URL: {MEMORY_BUS} works only within `embedded`")
    url = settings.database_url_of(package)
    await _require_current(url, package)
    service = build(settings, system_clock)
    topology = settings.topology(service.name)
    if service.name not in topology.services:
        raise SettingsError(
            f"SALDO_SERVICES: does not name {service.name}, so nobody would send it events"
        )
    bus = RabbitBus(settings.bus_url, topology, settings.signer(), system_clock, service.name)
    host, _, port = settings.listen.rpartition(":")
    process = Process([service], bus, system_clock)
    await serve(process, host, int(port), lambda chosen: _say(service.name, host, chosen))
    return 0


async def _answered(work: Coroutine[Any, Any, Answer], package: str) -> Answer:
    """Wait for work with the database; raises SettingsError where it cannot be reached."""
    try:
        return await work
    except Exception as error:
        if not is_outage(error):
            raise
        raise SettingsError(f"SALDO_DATABASE_URL: {_unusable(error, package)}") from error


def _unusable(error: Exception, package: str) -> str:
    if sqlstate(error) == _NO_SUCH_DATABASE:
        return f"the database does not exist: run python -m {package} migrate"
    return f"the database does not answer: {error!r:.300}"


def _say(name: str, host: str, port: int) -> None:
    print(f"{name}: listening on {host}:{port}", flush=True)


async def _check(settings: Common, package: str) -> int:
    wrong = [*await _check_database(settings, package), *await _check_bus(settings, package)]
    for line in wrong:
        print(line, file=sys.stderr)
    if not wrong:
        print(f"{package}: settings, database and bus are usable")
    return 1 if wrong else 0


async def _check_database(settings: Common, package: str) -> list[str]:
    url = settings.database_url_of(package)
    db = open_database(url)
    try:
        async with reading(db) as tx:
            await tx.execute(text("SELECT 1"))
        if not await migrations.is_current(url, package):
            return [f"database: not current, run python -m {package} migrate"]
    except Exception as error:
        return [f"database: {_unusable(error, package)}"]
    finally:
        await db.close()
    return []


async def _check_bus(settings: Common, package: str) -> list[str]:
    if settings.bus_url == MEMORY_BUS:
        return []
    topology = settings.topology(package.replace("_", "-"))
    bus = RabbitBus(settings.bus_url, topology, settings.signer(), system_clock)
    try:
        await bus.open()
        return [] if bus.usable() else ["bus: no connection, or the topology was refused"]
    except BROKEN as error:
        return [f"bus: {error!r:.300}"]
    finally:
        await bus.close()
