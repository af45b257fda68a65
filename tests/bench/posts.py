"""Sending POST requests over a number of connections that stay open, as fast as they are answered.

For exact numbers of deliveries, and in place of `wrk` where that is not installed.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Answered:
    """What came back."""

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    """0 stands for a connection that was lost."""
    latencies: list[float] = field(default_factory=list)

    @property
    def bad(self) -> int:
        """How many answers were anything but 2xx."""
        return sum(number for status, number in self.statuses.items() if status // 100 != 2)


async def send(
    url: str, bodies: Iterator[bytes], connections: int, seconds: float | None = None
) -> Answered:
    """Send the bodies, each once, until they or the seconds are used up."""
    answered, begun = Answered(), time.perf_counter()
    until = None if seconds is None else begun + seconds
    await asyncio.gather(*(_line(url, bodies, until, answered) for _ in range(connections)))
    answered.seconds = time.perf_counter() - begun
    return answered


async def _line(url: str, bodies: Iterator[bytes], until: float | None, into: Answered) -> None:
    where = urlsplit(url)
    head = (
        f"POST {where.path} HTTP/1.1\r\nHost: {where.netloc}\r\nContent-Type: application/json\r\n"
    )
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    try:
        now = time.perf_counter()
        while until is None or now < until:
            body = next(bodies, None)
            if body is None:
                break
            writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            into.statuses[await _status(reader)] += 1
            later = time.perf_counter()
            into.latencies.append(later - now)
            now = later
    except (OSError, asyncio.IncompleteReadError):
        into.statuses[0] += 1
    finally:
        writer.close()


async def _status(reader: asyncio.StreamReader) -> int:
    """Read one answer to its end."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    await reader.readexactly(int(fields.get("content-length", "0")))
    return int(head[0].split(" ", 2)[1])
