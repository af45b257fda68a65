"""What both private servers need: free ports, waiting, reading a log's end, running a coroutine."""

from __future__ import annotations

import asyncio
import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

LOOPBACK = "127.0.0.1"
LOWEST_PORT = 15_000


class ServerMissing(Exception):
    """A server is neither running nor installed here; the message says what would help."""


class ServerFailed(Exception):
    """A server that is installed did not start or answer; the message says why."""


def free_ports(count: int) -> list[int]:
    """Return that many distinct TCP ports which were free on the loopback a moment ago.

    Below the range from which the kernel takes ports for connections: a server that is restarted
    would else find its port taken by a client that looks for it, sometimes connected to itself.
    """
    with ExitStack() as held:
        return [held.enter_context(_bound()).getsockname()[1] for _ in range(count)]


def _bound() -> socket.socket:
    # Not `random`: pytest seeds it, and two runs at a time would reach for the same ports.
    for port in secrets.SystemRandom().sample(range(LOWEST_PORT, _lowest_of_connections()), 1000):
        link = socket.socket()
        try:
            link.bind((LOOPBACK, port))
        except OSError:
            link.close()
            continue
        return link
    raise ServerFailed("no free port was found on the loopback")


def _lowest_of_connections() -> int:
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:
        return 32768


def wait_until(holds: Callable[[], bool], seconds: float) -> bool:
    """Ask every 50 ms until it holds; return False when it still does not after the given time."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def end_process(process: subprocess.Popen[bytes], signal_number: int, seconds: float) -> None:
    """Send a signal and reap the process, with SIGKILL where it does not end in time."""
    if process.poll() is None:
        process.send_signal(signal_number)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(seconds)


def last_lines(log: Path, count: int = 20) -> str:
    """Return the end of a log for an error message; says so when there is no log."""
    if not log.exists():
        return f"(no log at {log})"
    return "\n".join(log.read_text(errors="replace").splitlines()[-count:])


def run_aside(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in a thread of its own, whatever loop the caller may be in."""
    with ThreadPoolExecutor(max_workers=1) as aside:
        return aside.submit(asyncio.run, work).result()
