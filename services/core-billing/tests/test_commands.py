"""The operator's commands: what they say, and the status they end with."""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from core_billing import dead
from core_billing.commands import COMMANDS
from core_billing.settings import Settings
from shared.bus import DeadLetter
from shared.crypto import new_encryption_key
from shared.db import open_database, transaction
from shared.settings import read

Run = Callable[..., Awaitable[tuple[int, str, str]]]
EVENT = "0f0e0d0c-0b0a-4909-8807-060504030201"


@pytest.fixture
def database(sqlite_template: Path, tmp_path: Path) -> str:
    """The address of a migrated database."""
    return f"sqlite+aiosqlite:///{shutil.copy(sqlite_template, tmp_path / 'core_billing.db')}"


@pytest.fixture
def environment(database: str) -> dict[str, str]:
    """What the operator has set."""
    return {
        "SALDO_DATABASE_URL": database,
        "SALDO_BUS_URL": "amqp://127.0.0.1:1/",
        "SALDO_PUBLIC_URL": "http://127.0.0.1:8080",
        "SALDO_SIGNING_KEYS": "a signing key of tests",
        "SALDO_ENCRYPTION_KEYS": new_encryption_key(),
    }


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path, monkeypatch: Any, capsys: Any) -> Run:
    """Run a command as its command line says; returns status, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    parser = argparse.ArgumentParser()
    subparsers = parser.add_subparsers(required=True)
    for one in COMMANDS:
        added = subparsers.add_parser(one.name)
        one.configure(added)
        added.set_defaults(run=one.run)

    async def command(*arguments: str, **changed: str) -> tuple[int, str, str]:
        for name, value in (environment | changed).items():
            monkeypatch.setenv(name, value)
        args = parser.parse_args(arguments)
        status = await args.run(read(Settings), args)
        said = capsys.readouterr()
        return status, said.out, said.err

    return command


async def change(database: str, statement: str) -> None:
    """Change the database behind everybody's back."""
    db = open_database(database)
    async with transaction(db) as tx:
        await tx.execute(text(statement))
    await db.close()


async def test_an_import_ends_with_what_to_do(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "contracts.csv"
    path.write_text("number,name,balance\n1,Anna,10.00\n2,Igor,x\n")
    status, said, progress = await run("import-contracts", "contracts.csv", "--dry-run")
    assert (status, said.splitlines()[0]) == (
        1,
        "would be: 2 lines, 1 opened, 0 there already, 1 rejected",
    )
    assert "100 %" in progress
    status, said, _ = await run("import-contracts", "contracts.csv")
    assert (status, said.splitlines()[0]) == (1, "2 lines, 1 opened, 0 there already, 1 rejected")
    assert "contracts.rejected.csv" in said
    assert "3;2;balance" in (tmp_path / "contracts.rejected.csv").read_text(encoding="utf-8-sig")
    path.write_text("number,name,balance\n1,Anna,10.00\n")
    assert (await run("import-contracts", "contracts.csv"))[0] == 0
    assert not (tmp_path / "contracts.rejected.csv").exists()


@pytest.mark.parametrize("content", [None, "nummer\n1\n", ""])
async def test_an_unreadable_file_is_said_in_both_languages(
    run: Run, tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "contracts.csv").write_text(content)
    status, said, wrong = await run("import-contracts", "contracts.csv")
    assert (status, said) == (2, "")
    assert wrong.count("contracts.csv:") == 2
    assert "Traceback" not in wrong


@pytest.mark.parametrize("name", [".", "..", "contracts.csv/x", "x" * 300, "/dev"])
async def test_what_is_no_file_is_said_in_a_sentence(run: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / "contracts.csv").write_text("number,name\n1,Anna\n")
    status, said, wrong = await run("import-contracts", name)
    assert (status, said) == (2, "")
    assert "there is no such file" in wrong


async def test_a_database_away_is_said_without_a_traceback(run: Run, tmp_path: Path) -> None:
    (tmp_path / "contracts.csv").write_text("number,name\n1,Anna\n")
    away = "postgresql+asyncpg://postgres@127.0.0.1:1/core"
    status, _, wrong = await run("import-contracts", "contracts.csv", SALDO_DATABASE_URL=away)
    assert status == 3
    assert "Traceback" not in wrong
    assert "same file again" in wrong


async def test_verify_proves_and_finds_one_kopeck(run: Run, tmp_path: Path, database: str) -> None:
    (tmp_path / "contracts.csv").write_text("number,name,balance\n1,Anna,10.00\n2,Igor,-3\n")
    assert (await run("import-contracts", "contracts.csv"))[0] == 0
    status, said, _ = await run("verify")
    assert status == 0
    assert said == ("2 payments, 2 balances, debits 13.00, credits 13.00: the books agree\n")
    await change(database, "UPDATE balance SET kopecks = kopecks + 1 WHERE kopecks > 0")
    status, said, _ = await run("verify")
    assert status == 1
    assert "WRONG contract:1: the kept balance is 10.01, its postings sum to 10.00" in said
    assert said.endswith("1 faults\n")


async def test_republish_fills_the_outbox(run: Run, tmp_path: Path, database: str) -> None:
    (tmp_path / "contracts.csv").write_text("number,name\n1,Anna\n")
    await run("import-contracts", "contracts.csv")
    await change(database, "DELETE FROM outbox")
    for _ in range(2):
        status, said, _ = await run("republish")
        assert (status, said.split()[0]) == (0, "2")
    db = open_database(database)
    async with transaction(db) as tx:
        count = (await tx.execute(text("SELECT count(DISTINCT event_id) FROM outbox"))).scalar_one()
    await db.close()
    assert count == 4


async def test_dead_letters_are_listed_shown_and_asked_for(run: Run, database: str) -> None:
    assert (await run("dead", "list"))[:2] == (0, "0 letters wait\n")
    db = open_database(database)
    body = b'{"data": {"name": "\xd0\x90"}}'
    given = DeadLetter("notifier", dead.UUID(EVENT), "payment.posted", body, "s", 1, "it broke")
    await dead.storing(db, lambda: datetime(2026, 11, 22, 12, 0, tzinfo=UTC))([given])
    await db.close()
    status, said, _ = await run("dead", "list")
    assert status == 0
    # The alarm's own line stands before, where tests log to the terminal.
    assert said.splitlines()[-3:] == [
        f"{EVENT} notifier payment.posted x1, 2026-11-22 12:00:00",
        "    it broke",
        "1 letters wait",
    ]
    status, said, _ = await run("dead", "show", EVENT)
    assert status == 0
    assert '"name": "А"' in said
    assert (await run("dead", "show", EVENT.replace("0", "1")))[0] == 1
    assert (await run("dead", "replay"))[0] == 2
    status, said, _ = await run("dead", "replay", EVENT)
    assert (status, said.split()[0]) == (0, "1")
    assert "replay asked" in (await run("dead", "list"))[1]
    assert (await run("dead", "replay", "--all"))[1].split()[0] == "1"


def test_it_runs_as_a_module(environment: dict[str, str]) -> None:
    """Wrong settings end with status 2 and a line for each, right ones prove the books."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("SALDO_")}

    def verify(**changed: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "core_billing", "verify"],
            env=inherited | environment | changed,
            capture_output=True,
            text=True,
            check=False,
        )

    right = verify()
    assert (right.returncode, right.stdout.split(",")[0]) == (0, "0 payments")
    wrong = verify(CORE_BILLING_MARGIN_PERCENT="-1", SALDO_PUBLIC_URL="x")
    assert wrong.returncode == 2
    assert "CORE_BILLING_MARGIN_PERCENT" in wrong.stderr
    assert "SALDO_PUBLIC_URL" in wrong.stderr
