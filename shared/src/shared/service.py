"""A service is a value: what it serves, what it consumes, what it does by itself.

The runner gives each process the same life: listen first, then consume and run the loops; on
SIGTERM the reverse, finishing what is held. `serve` runs one such value, the embedded process
several on one port.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import structlog
from aiohttp import web

from shared import garbage, inbox, outbox, root, waiting
from shared.bus import Bus, Send, StoreDead
from shared.clock import Clock
from shared.db import Database
from shared.errors import SettingsError
from shared.inbox import Consumer
from shared.loop import Loop, run_loop
from shared.outbox import Producer
from shared.runner import Runner

STOP_SECONDS: Final = 25.0
CANCEL_SECONDS: Final = 2.0
HOUSEKEEPING_SECONDS: Final = 30.0
RELAY_PACE_SECONDS: Final = 0.05
REPLAY_SECONDS: Final = 5.0
WAITING_SECONDS: Final = 10.0

_log = structlog.get_logger(__name__)

Lifespan = Callable[[], AbstractAsyncContextManager[None]]


@dataclass(frozen=True)
class Service:
    """Everything the runner needs to know of a service."""

    name: str
    db: Database
    producer: Producer
    mounts: Mapping[str, web.Application]
    consumers: Sequence[Consumer] = ()
    loops: Sequence[Loop] = ()
    lifespan: Lifespan | None = None
    dead: StoreDead | None = None
    replay: Callable[[Send], Awaitable[bool]] | None = None
    """Sends dead letters again that a person wants replayed; True where more wait already."""
    on_bus: Callable[[Bus], Sequence[Loop]] | None = None
    """Makes loops that look at the bus itself, such as whether it is there."""


@dataclass
class Process:
    """The services of one process and what they share."""

    services: Sequence[Service]
    bus: Bus
    clock: Clock
    mounts: Mapping[str, web.Application] = field(default_factory=dict)
    home: str | None = None
    """Where ``/`` leads to, if anywhere."""
    accepting: bool = False


@asynccontextmanager
async def running(process: Process, host: str, port: int) -> AsyncIterator[int]:
    """Run the process; yields the port it listens on, stops everything at the end."""
    runner = Runner(root.application(process), access_log=None, shutdown_timeout=STOP_SECONDS)
    async with AsyncExitStack() as stack:
        for service in process.services:
            stack.push_async_callback(service.db.close)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await _listen(runner, host, port)
        await _start_work(process, stack)
        process.accepting = True
        try:
            yield runner.addresses[0][1]
        finally:
            process.accepting = False


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host.strip("[]"), port, reuse_address=True).start()
    except OSError as error:
        raise SettingsError(f"{host}:{port} cannot be listened on: {error.strerror}") from error


async def serve(process: Process, host: str, port: int, started: Callable[[int], None]) -> None:
    """Run until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running(process, host, port) as chosen:
        garbage.spare_what_is_loaded()
        started(chosen)
        await stop.wait()
        _log.info("process.stopping")
    _log.info("process.stopped")


async def _start_work(process: Process, stack: AsyncExitStack) -> None:
    await process.bus.open()
    stack.push_async_callback(process.bus.close)
    for service in process.services:
        if service.lifespan is not None:
            await stack.enter_async_context(service.lifespan())
    stopping = asyncio.Event()
    tasks: list[asyncio.Task[None]] = []
    stack.push_async_callback(_finish, tasks, stopping)
    stack.push_async_callback(process.bus.stop)
    for service in process.services:
        for consumer in service.consumers:
            await process.bus.consume(consumer)
        if service.dead is not None:
            await process.bus.consume_dead(service.dead)
    for service in process.services:
        for loop in (*_own_loops(service, process), *service.loops):
            name = f"{service.name}:{loop.name}"
            work = run_loop(loop, service.name, stopping)
            tasks.append(asyncio.create_task(work, name=name))


async def _finish(tasks: list[asyncio.Task[None]], stopping: asyncio.Event) -> None:
    stopping.set()
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=STOP_SECONDS)
        for task in late:
            _log.warning("process.loop_cancelled", loop=task.get_name())
            task.cancel()
        if late:  # what they use is closed next
            await asyncio.wait(late, timeout=CANCEL_SECONDS)


def _own_loops(service: Service, process: Process) -> Sequence[Loop]:
    db = service.db

    async def relay() -> bool:
        return await outbox.relay(
            db, process.bus, process.clock, service.name, service.producer.vault
        )

    async def housekeeping() -> bool:
        await outbox.waiting(db, service.name)
        pruned = await outbox.prune(db, process.clock()), await inbox.prune(db, process.clock())
        return max(pruned) >= outbox.PRUNE_MAX

    def sweeping(consumer: Consumer) -> Loop:
        async def sweep() -> bool:
            await waiting.sweep(consumer.db, consumer.queue, consumer.handle, process.clock)
            return False

        return Loop(f"waiting:{consumer.queue}", sweep, WAITING_SECONDS)

    loops = [
        Loop("relay", relay, 1.0, db.signal(outbox.SIGNAL), RELAY_PACE_SECONDS),
        Loop("housekeeping", housekeeping, HOUSEKEEPING_SECONDS),
    ]
    loops += [sweeping(one) for one in service.consumers if one.brings is not None]
    if service.replay is not None:
        loops.append(Loop("replay", partial(service.replay, process.bus.send), REPLAY_SECONDS))
    if service.on_bus is not None:
        loops += service.on_bus(process.bus)
    return loops
