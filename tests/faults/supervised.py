"""A process of ours that is killed and started again, as an orchestrator would do it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import aiohttp

from servers.guardian import Guardian
from servers.processes import ServerFailed, end_process, last_lines

START_SECONDS: Final = 60.0
RESTART_PAUSE_SECONDS: Final = 0.5
_INHERITED: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "COVERAGE_PROCESS_START")


@dataclass
class Supervised:
    """One program: `command` after the interpreter, its settings, and where it answers.

    A program that ends by itself, for instance because its database is away when it starts, is
    started again after a pause; `ended` keeps those exit statuses.
    """

    name: str
    command: Sequence[str]
    settings: Mapping[str, str]
    answers_at: str
    """An address that says 200 once it is ready."""
    log: Path
    guardian: Guardian
    """Ends it where the run itself is killed."""
    kills: int = 0
    ended: list[int] = field(default_factory=list)
    _process: subprocess.Popen[bytes] | None = None
    _watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it and wait until it is ready; raises ServerFailed with the log's end."""
        self.launch()
        await self.ready()
        self._watch = asyncio.create_task(self._keep_running(), name=f"watch:{self.name}")

    def launch(self) -> None:
        """Start it without waiting."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *self.command],
                env=inherited() | dict(self.settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C in a terminal is for us; we stop it in order.
                start_new_session=True,
            )
        self.guardian.watch(self._process.pid)

    async def ready(self, seconds: float = START_SECONDS) -> None:
        """Wait until it says that it is ready; raises ServerFailed with the log's end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), aiohttp.ClientSession() as session:
                while not await _answers(session, self.answers_at):
                    if self._watch is None and not self.runs():
                        break
                    await asyncio.sleep(0.1)
                else:
                    return
        raise ServerFailed(f"{self.name} does not become ready:\n{last_lines(self.log, 40)}")

    @property
    def pid(self) -> int | None:
        """The process id, None while it is left down."""
        return self._process.pid if self._process else None

    def runs(self) -> bool:
        """Say whether it is up, ready or not."""
        return self._process is not None and self._process.poll() is None

    async def up(self) -> None:
        """Wait until it is up: it may have ended by itself, and a kill has to hit something."""
        for _ in range(1000):
            if self.runs():
                return
            await asyncio.sleep(0.02)
        raise ServerFailed(f"{self.name} does not stay up:\n{last_lines(self.log, 40)}")

    def kill(self) -> None:
        """End it as a power cut would, and leave it down."""
        process, self._process = self._process, None
        if process is not None:
            end_process(process, signal.SIGKILL, seconds=10)
            self.guardian.forget(process.pid)
            self.kills += 1

    async def stop(self) -> int | None:
        """Stop it in order and return its exit status; None if it was down."""
        if self._watch is not None:
            self._watch.cancel()
        process, self._process = self._process, None
        if process is None:
            return None
        await asyncio.to_thread(end_process, process, signal.SIGTERM, 30)
        self.guardian.forget(process.pid)
        return process.returncode

    async def _keep_running(self) -> None:
        while True:
            await asyncio.sleep(RESTART_PAUSE_SECONDS)
            process = self._process
            if process is not None and process.poll() is not None:
                self.guardian.forget(process.pid)
                self.ended.append(process.returncode)
                self.launch()


def run_once(command: Sequence[str], settings: Mapping[str, str]) -> str:
    """Run a program of ours to its end and return what it printed; raises ServerFailed."""
    ran = subprocess.run(
        [sys.executable, *command],
        check=False,
        env=inherited() | dict(settings),
        capture_output=True,
        text=True,
        timeout=120,
    )
    if ran.returncode:
        told = (ran.stdout + ran.stderr)[-2000:]
        raise ServerFailed(f"{' '.join(command)} ended with {ran.returncode}:\n{told}")
    return ran.stdout


def inherited() -> dict[str, str]:
    """Return what a program of ours may see of our own environment: none of its settings."""
    return {name: os.environ[name] for name in _INHERITED if name in os.environ}


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url, timeout=aiohttp.ClientTimeout(total=5)) as answer:
            return answer.status == 200
    except (OSError, aiohttp.ClientError, TimeoutError):
        return False
