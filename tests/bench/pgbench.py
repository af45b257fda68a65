"""The reference: PostgreSQL's own `pgbench`, TPC-B-like, simple protocol, 8 clients."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from servers.processes import ServerFailed

CLIENTS: Final = 8
_THREADS: Final = 2
_RATE = re.compile(r"tps = (\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Pgbench:
    """One filled database on a server, reached by address or by the folder of its socket."""

    program: Path
    host: str
    port: int
    database: str = "pgbench"

    def fill(self, scale: int) -> None:
        """Make the tables, 100 000 accounts for each unit of the scale."""
        self._run("--initialize", "--quiet", "--scale", str(scale))

    def run(self, seconds: float) -> float:
        """Return the transactions a second over some seconds."""
        clients = ("--client", str(CLIENTS), "--jobs", str(_THREADS))
        printed = self._run("--no-vacuum", *clients, "--time", str(max(1, round(seconds))))
        return rate(printed)

    def _run(self, *options: str) -> str:
        where = ("--host", self.host, "--port", str(self.port), "--username", "postgres")
        ran = subprocess.run(
            [self.program, *where, *options, self.database],
            check=False,
            capture_output=True,
            text=True,
        )
        if ran.returncode:
            raise ServerFailed(f"pgbench failed:\n{ran.stderr[-2000:]}")
        return ran.stdout


def rate(printed: str) -> float:
    """Read the rate pgbench has printed; raises ServerFailed where it printed none."""
    found = _RATE.search(printed)
    if found is None:
        raise ServerFailed(f"pgbench printed no rate:\n{printed[-2000:]}")
    return float(found[1])
