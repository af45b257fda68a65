"""A real process that gets SIGTERM: what it holds is finished, nothing new is begun."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

SCRIPT = Path(__file__).parent / "stopped_process.py"
DOUBLES = Path(__file__).parents[2] / "tests"


@dataclass
class Held:
    """The process, its address and its folder."""

    process: asyncio.subprocess.Process
    folder: Path
    port: int = 0

    async def line(self) -> str:
        """Return the next line it says that is ours."""
        assert self.process.stdout is not None
        async with asyncio.timeout(30):
            while True:
                said = (await self.process.stdout.readline()).decode().strip()
                if said.startswith(("listening", "holding", "stopped")) or not said:
                    return said

    async def get(self, path: str) -> tuple[int, str]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.port}{path}") as answer,
        ):
            return answer.status, await answer.text()

    def rows(self) -> list[tuple[str | None, bytes | None]]:
        with closing(sqlite3.connect(self.folder / "held.db")) as database:
            return database.execute("SELECT done_at, body FROM inbox").fetchall()

    def release(self) -> None:
        (self.folder / "release").touch()


@pytest.fixture
async def held(tmp_path: Path) -> AsyncIterator[Held]:
    environment = {**os.environ, "PYTHONPATH": str(DOUBLES), "PYTHONDONTWRITEBYTECODE": "1"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, SCRIPT, tmp_path, stdout=asyncio.subprocess.PIPE, env=environment
    )
    made = Held(process, tmp_path)
    made.port = int((await made.line()).removeprefix("listening "))
    yield made
    if process.returncode is None:
        process.kill()
    await process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_on_a_signal_it_finishes_what_it_holds(held: Held, number: signal.Signals) -> None:
    request = asyncio.create_task(held.get("/api/page"))
    assert {await held.line() for _ in range(3)} == {
        "holding request",
        "holding event",
        "holding step",
    }
    held.process.send_signal(number)
    async with asyncio.timeout(30):
        while (await held.get("/readyz"))[0] != 503:  # noqa: ASYNC110 - another process decides
            await asyncio.sleep(0.01)
    assert held.process.returncode is None
    held.release()
    assert await request == (200, "finished")
    assert await held.line() == "stopped"
    assert await asyncio.wait_for(held.process.wait(), 30) == 0
    assert all((held.folder / what).exists() for what in ("request", "event", "step"))
    ((done_at, _),) = held.rows()
    assert done_at is not None


async def test_killed_it_has_lost_nothing(held: Held) -> None:
    """What was published and not yet applied is there for the next process."""
    assert {await held.line(), await held.line()} == {"holding event", "holding step"}
    held.process.kill()
    await held.process.wait()
    ((done_at, body),) = held.rows()
    assert done_at is None
    assert body is not None
