"""The load generator of accepting callbacks: `wrk`, or our own client where it is not installed."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from bench import notice, posts
from bench.figures import percentile
from servers.processes import ServerFailed

CONNECTIONS: Final = 64
SCRIPT: Final = Path(__file__).with_name("callbacks.lua")

_UNITS: Final = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}
_RATE = re.compile(r"Requests/sec:\s+([\d.]+)")
_COUNT = re.compile(r"(\d+) requests in")
_LATE = re.compile(r"^\s+99%\s+([\d.]+)(us|ms|s|m)\s*$", re.MULTILINE)
_BAD = re.compile(r"Non-2xx or 3xx responses: (\d+)")
_ERRORS = re.compile(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)")


@dataclass(frozen=True, slots=True)
class Load:
    """What a server has stood."""

    count: int
    rate: float
    late_ms: float
    """99 of 100 answers came sooner."""
    bad: int


def installed() -> bool:
    """Say whether `wrk` is here (Debian's package of that name)."""
    return shutil.which("wrk") is not None


def load(url: str, path: str, first: int, seconds: float, folder: Path) -> Load:
    """Send callbacks about the payments from number `first` on, each once, over 64 connections."""
    if not installed():
        return _load_ourselves(url + path, first, seconds)
    template = folder / "notice.json"
    template.write_text(notice.TEMPLATE)
    arguments = (path, str(first), str(template))
    options = ("-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", "--latency")
    command = ["wrk", *options, "-s", str(SCRIPT), url, "--", *arguments]
    ran = subprocess.run(command, check=False, capture_output=True, text=True)
    if ran.returncode:
        raise ServerFailed(f"wrk failed: {ran.stderr[-1000:]}")
    return read(ran.stdout)


def read(printed: str) -> Load:
    """Read what `wrk` has printed; raises ServerFailed where a figure is missing."""
    rate, number, late = (pattern.search(printed) for pattern in (_RATE, _COUNT, _LATE))
    if rate is None or number is None or late is None:
        raise ServerFailed(f"wrk printed no figures:\n{printed[-1000:]}")
    bad, errors = _BAD.search(printed), _ERRORS.search(printed)
    wrong = (int(bad[1]) if bad else 0) + (sum(map(int, errors.groups())) if errors else 0)
    return Load(int(number[1]), float(rate[1]), float(late[1]) * _UNITS[late[2]], wrong)


def payment_id(number: int) -> str:
    """Return the id of a numbered payment, as the script writes it."""
    return f"{number:08x}-000f-5000-8000-000000000000"


def _load_ourselves(url: str, first: int, seconds: float) -> Load:
    answered = asyncio.run(posts.send(url, _bodies(first), CONNECTIONS, seconds))
    total = len(answered.latencies)
    late = percentile(answered.latencies, 0.99) * 1000
    return Load(total, total / answered.seconds, late, answered.bad)


def _bodies(first: int) -> Iterator[bytes]:
    return (notice.body(payment_id(number)) for number in count(first))
