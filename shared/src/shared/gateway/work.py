"""What a gateway does by itself, and what it hears: its loops and its consumer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from sqlalchemy import MetaData

from shared import conflict, inbox, outbox
from shared.db import Tx, transaction
from shared.events import Event
from shared.gateway import callbacks, directory, lanes, payments, polling, repeating
from shared.gateway.gateway import CALLBACKS, PAYMENTS, Gateway
from shared.inbox import Consumer
from shared.loop import Loop

PRUNE_EVERY_SECONDS = 600.0

SCHEMAS: tuple[MetaData, ...] = (
    payments.schema,
    callbacks.schema,
    directory.schema,
    outbox.schema,
    inbox.schema,
    conflict.schema,
)


def loops(gateway: Gateway) -> Sequence[Loop]:
    """Return the loops; each takes only what is due, so any number of replicas may run them."""
    every = gateway.timing.poll_seconds

    def of(step: Callable[[Gateway], Awaitable[bool]]) -> Callable[[], Awaitable[bool]]:
        return lambda: step(gateway)

    signal = gateway.db.signal
    return (
        Loop("callbacks", of(lanes.step), every, signal(CALLBACKS), lanes.PACE_SECONDS),
        Loop("foreign callbacks", of(lanes.foreign_step), lanes.FOREIGN_EVERY_SECONDS),
        Loop("payments", of(polling.step), every, signal(PAYMENTS)),
        Loop("repeats", of(repeating.step), every),
        Loop("pruning", of(_prune), PRUNE_EVERY_SECONDS),
    )


def consumer(gateway: Gateway, queue: str) -> Consumer:
    """Return what keeps the directory and takes the ledger's acknowledgements."""

    async def handle(tx: Tx, events: Sequence[Event]) -> None:
        await directory.keep(tx, events)
        await repeating.acknowledge(tx, events, gateway.clock())

    # An acknowledgement that comes again may be the answer to a success said again.
    return Consumer(queue, gateway.db, handle, handle)


@asynccontextmanager
async def finishing(gateway: Gateway) -> AsyncIterator[None]:
    """At the end, wait for the work that the stopped loops have begun."""
    try:
        yield
    finally:
        for pool in (gateway.callbacks, gateway.polls):
            await pool.drain()


async def _prune(gateway: Gateway) -> bool:
    async with transaction(gateway.db) as tx:
        return await callbacks.prune(tx, gateway.clock()) == callbacks.PRUNE_MAX
