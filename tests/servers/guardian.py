"""Ends private servers whose owner was killed: a postmaster outlives SIGKILL of whoever started it.

The guardian is a process of its own that reads commands from a pipe. The pipe ends when the owner
does, however it died; then what is still watched is stopped and its directory removed.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path


class Guardian:
    """Watches the processes of one private server and the directory they live in."""

    def __init__(self, directory: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(directory)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def watch(self, pid: int) -> None:
        """Remember a process to end with the owner."""
        self._tell(f"watch {pid}")

    def forget(self, pid: int) -> None:
        """Leave a process alone from now on: it has ended, and its number may be reused."""
        self._tell(f"forget {pid}")

    def close(self) -> None:
        """Let the guardian go; it ends what it still watches and removes the directory."""
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait(30)

    def _tell(self, line: str) -> None:
        if self._process.stdin:
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()


def alive(pid: int) -> bool:
    """Say whether a process runs; one that has ended and was not reaped does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def _end(pid: int) -> None:
    """Stop a server at once (SIGQUIT lets PostgreSQL release its shared memory), then kill it."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGQUIT)
        deadline = time.monotonic() + 5
        while alive(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)


def _main(directory: str) -> None:
    watched: set[int] = set()
    for line in sys.stdin:
        command, pid = line.split()
        (watched.add if command == "watch" else watched.discard)(int(pid))
    for pid in watched:
        _end(pid)
    shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    _main(sys.argv[1])
