"""A process for `test_stop.py`: a request, an event and a step of a loop are held until released.

Run as ``python stopped_process.py <folder>``: says ``listening <port>``, then each thing it holds;
what it holds it finishes once the file ``release`` is there.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from doubles import PRODUCER, SIGNER, make_event
from shared import conflict, inbox, outbox
from shared.clock import system_clock
from shared.db import Database, Tx, open_database, transaction
from shared.envelope import Event
from shared.inbox import Consumer
from shared.loop import Loop
from shared.memory import MemoryBus
from shared.service import Process, Service, serve
from shared.topology import MONEY, Topology

LISTENERS = {"payment.succeeded": (MONEY,)}


async def hold(folder: Path, what: str) -> None:
    """Say what is held, wait for the release, and leave a file that says it was finished."""
    print(f"holding {what}", flush=True)
    while not (folder / "release").exists():  # noqa: ASYNC110 - a test's file
        await asyncio.sleep(0.01)
    (folder / what).touch()


def build(folder: Path, db: Database, clean: list[str]) -> Service:
    """Make the service that holds a request, an event and a step."""

    async def page(_request: web.Request) -> web.Response:
        await hold(folder, "request")
        return web.Response(text="finished")

    async def handle(_tx: Tx, _events: Sequence[Event]) -> None:
        await hold(folder, "event")

    async def step() -> bool:
        if "step" not in clean:
            clean.append("step")
            await hold(folder, "step")
        return False

    app = web.Application()
    app.router.add_get("/page", page)
    consumer = Consumer(MONEY, db, handle)
    return Service("core-billing", db, PRODUCER, {"/api": app}, [consumer], [Loop("a", step, 3600)])


async def main(folder: Path) -> None:
    """Serve until SIGTERM, with one event waiting."""
    db = open_database(f"sqlite+aiosqlite:///{folder}/held.db")
    async with transaction(db) as tx:
        for schema in (outbox.schema, inbox.schema, conflict.schema):
            await tx.run_sync(schema.create_all)
        await outbox.add(tx, PRODUCER, [make_event(1)], system_clock())
    topology = Topology(frozenset({"core-billing"}), listeners=LISTENERS)
    bus = MemoryBus(topology, SIGNER, system_clock)
    process = Process([build(folder, db, [])], bus, system_clock)
    await serve(process, "127.0.0.1", 0, lambda port: print(f"listening {port}", flush=True))
    print("stopped", flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
