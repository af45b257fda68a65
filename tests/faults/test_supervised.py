"""A run kills processes, so what starts them again must not lose one."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from faults.supervised import Supervised, run_once
from servers.guardian import Guardian
from servers.processes import LOOPBACK, ServerFailed, free_ports


@pytest.fixture
async def program(tmp_path: Path) -> AsyncIterator[Supervised]:
    [port] = free_ports(1)
    command = ["-m", "http.server", str(port), "--bind", LOOPBACK]
    address = f"http://{LOOPBACK}:{port}/"
    guardian = Guardian(tmp_path / "nothing")
    program = Supervised("program", command, {}, address, tmp_path / "log", guardian)
    yield program
    await program.stop()
    guardian.close()


async def test_a_killed_program_stays_down_until_it_is_launched(program: Supervised) -> None:
    await program.start()
    program.kill()
    assert not program.runs()
    assert program.kills == 1
    program.kill()
    assert program.kills == 1, "there was nothing to kill"
    program.launch()
    await program.ready()
    assert program.ended == []


async def test_a_program_that_ends_by_itself_is_started_again_and_noted(
    program: Supervised,
) -> None:
    await program.start()
    first = program.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    while program.pid == first:
        await program.ready()
    assert program.ended == [-signal.SIGKILL]


async def test_a_program_that_cannot_start_is_reported_with_its_log(tmp_path: Path) -> None:
    guardian = Guardian(tmp_path / "nothing")
    fail = ["-c", "raise SystemExit('no keys')"]
    program = Supervised("broken", fail, {}, "", tmp_path / "log", guardian)
    with pytest.raises(ServerFailed, match="no keys"):
        await program.start()
    await program.stop()
    guardian.close()


def test_a_program_sees_none_of_our_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALDO_DATABASE_URL", "somebody's real database")
    show = "import os; print(sorted(name for name in os.environ if name.startswith('SALDO_')))"
    assert run_once(["-c", show], {"SALDO_GIVEN": "1"}) == "['SALDO_GIVEN']\n"


def test_a_program_that_fails_says_what_it_printed() -> None:
    with pytest.raises(ServerFailed, match="one kopeck is missing"):
        run_once(["-c", "raise SystemExit('one kopeck is missing')"], {})
