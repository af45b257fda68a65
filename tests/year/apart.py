"""The service in a process of its own, which is killed for good in the middle of its work.

The process is told the time and what has happened, and says what it publishes, a line each. Killed
and started anew, it is told the same once more, as a bus would deliver again.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

import orjson
import structlog

from shared.envelope import decode, encode
from shared.events import Event
from year.engine import ENCRYPTION_KEY, LEASE, NEVER, Clock, Engine, settings_of

READY: Final = b"ready\n"
DONE: Final = b"done\n"
LIVES_MAX: Final = 20


class Apart(Engine):
    """Autopay with a process around it; `kills` times it does not survive its work."""

    def __init__(self, url: str, clock: Clock, seed: int, kills: int) -> None:
        super().__init__(settings_of(url), clock, seed, deaths=0.0)
        self.kills = kills
        self._url = url
        self._luck = random.Random(seed)
        self._process: asyncio.subprocess.Process | None = None
        self._heard: list[Event] = []
        self._meetings = 0
        self._said: list[Event] = []

    async def hear(self, events: Sequence[Event]) -> None:
        """Keep events for the process."""
        self._heard += events

    async def work(self) -> datetime:
        """Have the process do all there is to do, however often it dies of it."""
        for _ in range(LIVES_MAX):
            # Every second time that it has something to hear.
            self._meetings += bool(self._heard)
            dies = self.kills > 0 and bool(self._heard) and self._meetings % 2 == 0
            if await self._live(dies=dies):
                self._heard.clear()
                return await self.next_due()
        raise SystemError("the process never ends its work")

    async def relay(self, hear: Callable[[Event], None]) -> bool:
        """Hand on what the process has said."""
        said, self._said = self._said, []
        for event in said:
            hear(event)
        return bool(said)

    async def close(self) -> None:
        """End the process."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            await self._process.wait()
        await self.db.close()

    async def _live(self, *, dies: bool) -> bool:
        process = self._process or await self._born()
        self._process = process
        assert process.stdin is not None
        assert process.stdout is not None
        bodies = [encode(event).decode() for event in self._heard]
        told = {"at": self.clock().isoformat(), "events": bodies}
        process.stdin.write(orjson.dumps(told) + b"\n")
        await process.stdin.drain()
        if dies:
            await asyncio.sleep(self._luck.uniform(0.0, 0.04))
            process.kill()
        done = await self._read(process.stdout)
        if dies or not done:
            await self._buried(process, dies=dies)
        return done

    async def _read(self, out: asyncio.StreamReader) -> bool:
        """Take what the process says; return whether it came to an end with its work."""
        while line := await out.readline():
            if line == DONE:
                return True
            if line.endswith(b"}\n"):  # the last line of a dead process may be half a one
                self._said.append(decode(line.rstrip()))
        return False

    async def _buried(self, process: asyncio.subprocess.Process, *, dies: bool) -> None:
        status = await process.wait()
        if not dies:
            raise SystemError(f"the process ended with {status}")
        self._process = None
        self.kills -= 1
        self.restarts += 1

    async def _born(self) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "year.apart",
            self._url,
            ENCRYPTION_KEY,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=2**24,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert process.stdout is not None
        if await process.stdout.readline() != READY:
            raise SystemError("the process did not begin")
        return process


async def live(url: str, key: str) -> None:
    """Be the process: do what each line asks for."""
    clock = Clock(datetime.fromisoformat("2000-01-01T00:00:00+00:00"))
    engine = Engine(settings_of(url, encryption_keys=key), clock, 0, deaths=0.0)
    # The one before may have died with something in hand.
    engine.free_at = NEVER
    out = sys.stdout.buffer

    def say(event: Event) -> None:
        out.write(encode(event) + b"\n")
        out.flush()

    out.write(READY)
    out.flush()
    while line := await asyncio.to_thread(sys.stdin.buffer.readline):
        told: dict[str, Any] = orjson.loads(line)
        clock.now = datetime.fromisoformat(told["at"])
        events = [decode(body.encode()) for body in told["events"]]
        for start in range(0, len(events), engine.consumer.batch_max):
            await engine.hear(events[start : start + engine.consumer.batch_max])
        await engine.work()
        # What a process that has died had in hand is free again a minute later.
        await engine.relay(say)
        clock.now += LEASE
        await engine.relay(say)
        out.write(DONE)
        out.flush()
    await engine.db.close()


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    asyncio.run(live(*sys.argv[1:3]))
