"""Clients that work for some seconds, spread over processes so that no one core limits them."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any, Final

from servers.processes import ServerFailed
from shared import garbage

Step = Callable[[], Awaitable[int]]
"""Does a piece of work; returns how many payments that were."""
Opening = Callable[[Any, int], AbstractAsyncContextManager[Step]]
"""Opens one client's step, given the job and the client's number; a function of a module."""

WARM_UP_STEPS: Final = 5
_READY_SECONDS: Final = 60.0


@dataclass
class Run:
    """What the clients have done together."""

    seconds: float = 0.0
    count: int = 0
    latencies: list[float] = field(default_factory=list)
    """Of each step, in seconds."""
    python_seconds: float = 0.0
    """Processor time of the clients themselves."""

    @property
    def rate(self) -> float:
        """Payments a second."""
        return self.count / self.seconds


def measure(opening: Opening, job: object, *, seconds: float, clients: int, processes: int) -> Run:
    """Let the clients work at the same time; each process begins when all are ready."""
    spawn = multiprocessing.get_context("spawn")
    crew: list[tuple[Any, Connection]] = []
    for first in range(processes):
        ours, theirs = spawn.Pipe()
        numbers = range(first, clients, processes)
        process = spawn.Process(
            target=_work, args=(theirs, opening, job, numbers, seconds), daemon=True
        )
        process.start()
        theirs.close()
        crew.append((process, ours))
    try:
        for _, pipe in crew:
            _receive(pipe, _READY_SECONDS)
        for _, pipe in crew:
            pipe.send("go")
        return together([_receive(pipe, seconds + _READY_SECONDS) for _, pipe in crew])
    finally:
        for process, pipe in crew:
            pipe.close()
            process.join(10)


def together(runs: Sequence[Run]) -> Run:
    """Add up what processes have done at the same time."""
    return Run(
        max(run.seconds for run in runs),
        sum(run.count for run in runs),
        [latency for run in runs for latency in run.latencies],
        sum(run.python_seconds for run in runs),
    )


def _receive(pipe: Connection, seconds: float) -> Any:
    try:
        if pipe.poll(seconds):
            return pipe.recv()
    except EOFError:
        raise ServerFailed("a client's process has ended; its error is above") from None
    raise ServerFailed(f"a client's process said nothing for {seconds:.0f} s")


def _work(
    pipe: Connection, opening: Opening, job: object, numbers: Sequence[int], seconds: float
) -> None:
    pipe.send(asyncio.run(_together(pipe, opening, job, numbers, seconds)))


async def _together(
    pipe: Connection, opening: Opening, job: object, numbers: Sequence[int], seconds: float
) -> Run:
    async with AsyncExitStack() as stack:
        steps = [await stack.enter_async_context(opening(job, number)) for number in numbers]
        for step in steps:
            for _ in range(WARM_UP_STEPS):
                await step()
        garbage.spare_what_is_loaded()
        pipe.send("ready")
        pipe.recv()
        run, processor = Run(), time.process_time()
        begun = time.perf_counter()
        await asyncio.gather(*(_client(step, begun + seconds, run) for step in steps))
        run.seconds = time.perf_counter() - begun
        run.python_seconds = time.process_time() - processor
        return run


async def _client(step: Step, until: float, run: Run) -> None:
    now = time.perf_counter()
    while now < until:
        done = await step()
        run.count += done  # not in one line: others count while this one waits
        later = time.perf_counter()
        run.latencies.append(later - now)
        now = later
