"""Runs a bank's courier and its clockwork for as long as its application lives."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from aiohttp import web

from simulators.banks.bank import BANK
from simulators.banks.courier import COURIER, Courier

SWEEP_SECONDS = 0.2
Loops = list[asyncio.Task[None]]
LOOPS: web.AppKey[Loops] = web.AppKey("sandbox-bank-loops", list)

log = logging.getLogger(__name__)


def attach(app: web.Application, sweep: Callable[[], None]) -> None:
    """Start both with the application; `sweep` lets happen what is due."""
    app[COURIER] = Courier(app[BANK])
    app[LOOPS] = []

    async def start(app: web.Application) -> None:
        app[LOOPS].extend([_started(app[COURIER].run()), _started(_sweep_always(sweep))])

    async def stop(app: web.Application) -> None:
        while app[LOOPS]:
            loop = app[LOOPS].pop()
            loop.cancel()
            with suppress(asyncio.CancelledError):
                await loop
        await app[COURIER].close()

    app.on_startup.append(start)
    # Not at cleanup: where the merchant lives in this process, the server waits for our requests.
    app.on_shutdown.append(stop)


async def _sweep_always(sweep: Callable[[], None]) -> None:
    while True:
        sweep()
        await asyncio.sleep(SWEEP_SECONDS)


def _started(loop: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    task = asyncio.create_task(loop)
    task.add_done_callback(_report)
    return task


def _report(task: asyncio.Task[None]) -> None:
    # A loop that ends by itself would look like a bank that has gone quiet.
    if not task.cancelled() and (error := task.exception()):
        log.critical("a loop of the sandbox has died", exc_info=error)
