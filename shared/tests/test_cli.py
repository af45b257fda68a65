"""The command line: exit statuses, and mistakes said in sentences on stderr."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shared import log
from shared.cli import OUTAGE, Command, main
from shared.crypto import new_encryption_key
from shared.errors import SettingsError
from shared.outbox import Producer
from shared.service import Service
from shared.settings import Common

PACKAGE = "sample_service"
MIGRATION = """
from shared.migrations import create_shared_tables
revision, down_revision = "1", None
def upgrade():
    create_shared_tables()
"""
MAIN = """
from shared.cli import main
from shared.service import Service
from shared.settings import Common
from sample_service import build
main("sample-service", Common, build)
"""
BUILD = """
from shared.service import Service
def build(settings, clock):
    name = "notifier"
    return Service(name, settings.database("sample_service"), settings.producer(name), {})
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The settings of a service on SQLite, without a broker."""
    return {
        "SALDO_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path}/{{service}}.db",
        "SALDO_BUS_URL": "memory://",
        "SALDO_PUBLIC_URL": "http://127.0.0.1:8080",
        "SALDO_SIGNING_KEYS": "a-signing-key-of-tests",
        "SALDO_ENCRYPTION_KEYS": new_encryption_key(),
        "SALDO_LISTEN": "127.0.0.1:0",
    }


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A folder with a service package in it."""
    versions = tmp_path / "packages" / PACKAGE / "migrations" / "versions"
    versions.mkdir(parents=True)
    (versions / "1.py").write_text(MIGRATION)
    (versions.parent / "__init__.py").write_text("SCHEMAS = ()\n")
    (versions.parents[1] / "__init__.py").write_text(BUILD)
    (versions.parents[1] / "__main__.py").write_text(MAIN)
    return tmp_path / "packages"


@pytest.fixture
def call(
    environment: dict[str, str],
    packages: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Callable[..., tuple[int, str, str]]]:
    """Runs a command in this process; returns its status and what it wrote."""
    monkeypatch.syspath_prepend(packages)
    monkeypatch.setattr(log, "configure", lambda *_arguments: None)

    def build(settings: Common, _clock: Any) -> Service:
        producer: Producer = settings.producer("notifier")
        return Service("notifier", settings.database(PACKAGE), producer, {})

    def command(*words: str, commands: Any = (), **changed: str) -> tuple[int, str, str]:
        for name, value in {**environment, **changed}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["x", *words])
        with pytest.raises(SystemExit) as left:
            main("sample-service", Common, build, commands)
        written = capsys.readouterr()
        return int(left.value.code or 0), written.out, written.err

    yield command
    for module in [module for module in sys.modules if module.startswith(PACKAGE)]:
        del sys.modules[module]


Call = Callable[..., tuple[int, str, str]]


def test_mistakes_of_the_settings_are_listed_and_nothing_is_begun(call: Call) -> None:
    status, _, said = call("serve", SALDO_PUBLIC_URL="nowhere", SALDO_LISTEN="x")
    assert status == 2
    assert said.startswith("sample-service cannot start:\n")
    assert [line.partition(":")[0] for line in said.splitlines()[1:]] == [
        "SALDO_LISTEN",
        "SALDO_PUBLIC_URL",
    ]


def test_serve_refuses_the_memory_bus(call: Call) -> None:
    assert call("migrate")[0] == 0
    status, _, said = call("serve")
    assert status == 2
    assert "SALDO_BUS_URL: memory:// works only within `embedded`" in said


def test_serve_refuses_an_old_database(call: Call) -> None:
    status, _, said = call("serve", SALDO_BUS_URL="amqp://127.0.0.1:1/")
    assert status == 2
    assert f"run python -m {PACKAGE} migrate" in said


def test_serve_refuses_to_run_where_nobody_would_send_it_events(call: Call) -> None:
    call("migrate")
    elsewhere = {"SALDO_SERVICES": "core-billing", "SALDO_BUS_URL": "amqp://127.0.0.1:1/"}
    status, _, said = call("serve", **elsewhere)
    assert status == 2
    assert "SALDO_SERVICES: does not name notifier" in said


@pytest.mark.parametrize("command", ["serve", "migrate"])
def test_a_database_that_is_away_is_said_in_a_sentence(call: Call, command: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        away = f"postgresql+asyncpg://saldo:hidden@127.0.0.1:{port}/x"
        status, _, said = call(
            command, SALDO_DATABASE_URL=away, SALDO_BUS_URL="amqp://127.0.0.1:1/"
        )
    assert status == 2
    assert "SALDO_DATABASE_URL: the database does not answer" in said
    assert "hidden" not in said
    assert "Traceback" not in said


def test_migrate_can_be_repeated(call: Call) -> None:
    for _ in range(2):
        status, said, _ = call("migrate")
        assert (status, said) == (0, f"{PACKAGE}: the database is at its newest version\n")


class TestCheck:
    def test_everything_usable_is_zero(self, call: Call) -> None:
        call("migrate")
        status, said, wrong = call("check")
        assert (status, wrong) == (0, "")
        assert said == f"{PACKAGE}: settings, database and bus are usable\n"

    def test_an_old_database_is_one(self, call: Call) -> None:
        status, _, wrong = call("check")
        assert (status, wrong) == (1, f"database: not current, run python -m {PACKAGE} migrate\n")

    def test_every_part_that_is_away_is_named(self, call: Call) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            at = f"saldo:hidden@127.0.0.1:{unused.getsockname()[1]}"
            status, _, wrong = call(
                "check",
                SALDO_DATABASE_URL=f"postgresql+asyncpg://{at}/x",
                SALDO_BUS_URL=f"amqp://{at}/",
            )
        assert status == 1
        assert [line.partition(":")[0] for line in wrong.splitlines()] == ["database", "bus"]
        assert "hidden" not in wrong

    def test_a_broker_that_answers_is_usable(
        self, call: Call, rabbitmq_url: str, bus_namespace: str
    ) -> None:
        bus = {"SALDO_BUS_URL": rabbitmq_url, "SALDO_BUS_NAMESPACE": bus_namespace}
        call("migrate", **bus)
        assert call("check", **bus)[0] == 0


def test_a_command_of_the_service_gets_settings_and_arguments(call: Call) -> None:
    seen: list[Any] = []

    async def work(settings: Common, args: argparse.Namespace) -> int:
        seen.append((settings.listen, args.file))
        return 3

    call("migrate")
    own = Command("import", "import a file", work, _with_file)
    assert call("import", "a.csv", commands=[own])[0] == 3
    assert seen == [("127.0.0.1:0", "a.csv")]


def test_a_command_of_the_service_needs_a_current_database(call: Call) -> None:
    async def work(_settings: Common, _args: argparse.Namespace) -> int:
        raise AssertionError("the command must not begin")

    status, _, said = call("prove", commands=[Command("prove", "prove", work)])
    assert status == 2
    assert f"the database is not current: run python -m {PACKAGE} migrate" in said


def test_a_database_that_goes_away_under_a_command_is_no_verdict(call: Call) -> None:
    async def work(_settings: Common, _args: argparse.Namespace) -> int:
        raise ConnectionError("gone")

    call("migrate")
    status, _, said = call("prove", commands=[Command("prove", "prove", work)])
    assert status == OUTAGE
    assert "the database went away" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("command", ["serve", "check"])
def test_a_database_that_was_never_made_is_said_to_be_missing(
    call: Call, postgres_server: str, command: str
) -> None:
    away = f"{postgres_server.rpartition('/')[0]}/no_such_database_here"
    status, _, said = call(command, SALDO_DATABASE_URL=away, SALDO_BUS_URL="amqp://127.0.0.1:1/")
    assert status in (1, 2)
    assert f"the database does not exist: run python -m {PACKAGE} migrate" in said


def _with_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file")


def test_a_command_may_find_the_settings_wrong_later(call: Call) -> None:
    async def work(_settings: Common, _args: argparse.Namespace) -> int:
        raise SettingsError("SMTP_URL: nobody answers")

    call("migrate")
    status, _, said = call("later", commands=[Command("later", "x", work)])
    assert (status, said) == (2, "sample-service cannot start:\nSMTP_URL: nobody answers\n")


@pytest.mark.parametrize("words", [[], ["unheard-of"]])
def test_an_unknown_command_is_a_mistake_of_use(call: Call, words: list[str]) -> None:
    status, _, said = call(*words)
    assert status == 2
    assert "usage: python -m sample_service" in said


async def test_serve_runs_until_it_is_told_to_stop(
    environment: dict[str, str], packages: Path, rabbitmq_url: str, bus_namespace: str
) -> None:
    bus = {"SALDO_BUS_URL": rabbitmq_url, "SALDO_BUS_NAMESPACE": bus_namespace}
    given = {**os.environ, **environment, **bus, "PYTHONPATH": str(packages)}
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", PACKAGE)
    migrating = await asyncio.create_subprocess_exec(*command, "migrate", env=given, stdout=pipe)
    await migrating.communicate()
    process = await asyncio.create_subprocess_exec(*command, "serve", env=given, stdout=pipe)
    assert process.stdout is not None
    async with asyncio.timeout(40):
        while b"notifier: listening on 127.0.0.1:" not in await process.stdout.readline():
            pass
        process.send_signal(signal.SIGTERM)
        rest = await process.stdout.read()
        assert await process.wait() == 0
    assert b"process.stopped" in rest
