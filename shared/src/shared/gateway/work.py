"""What a gateway does by itself, and what it hears: its loops and its consumer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from sqlalchemy import MetaData

from shared import conflict, inbox, outbox
from shared.db import Tx, transaction
from shared.events import Event
from shared.gateway import (
    aliases,
    alive,
    callbacks,
    captures,
    capturing,
    charges,
    charging,
    differences,
    directory,
    journal,
    lanes,
    mandates,
    methods,
    methods_work,
    offsets,
    payments,
    polling,
    printing,
    receipts,
    refund_polling,
    refund_requests,
    refund_searches,
    refunds,
    registers,
    repeating,
    sweep,
    sweeps,
    verifying,
)
from shared.gateway.differences import DIFFERENCES
from shared.gateway.gateway import (
    CALLBACKS,
    CAPTURES,
    METHODS,
    PAYMENTS,
    RECEIPTS,
    REFUNDS,
    Gateway,
)
from shared.inbox import Consumer
from shared.loop import Loop

PRUNE_EVERY_SECONDS = 600.0
MEASURE_EVERY_SECONDS = 30.0
SWEEPS_EVERY_SECONDS = 60.0
CHARGING_EVERY_SECONDS = 15.0

SCHEMAS: tuple[MetaData, ...] = (
    payments.schema,
    aliases.schema,
    refunds.schema,
    refund_searches.schema,
    receipts.schema,
    callbacks.schema,
    captures.schema,
    methods.schema,
    charging.schema,
    directory.schema,
    registers.schema,
    sweeps.schema,
    differences.schema,
    journal.schema,
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
        Loop("refunds", of(refund_polling.step), every, signal(REFUNDS)),
        Loop("receipts", of(printing.step), every, signal(RECEIPTS)),
        Loop("captures", of(capturing.step), every, signal(CAPTURES)),
        Loop("bindings", of(methods_work.step), every, signal(METHODS)),
        Loop("charging", of(charging.step), CHARGING_EVERY_SECONDS),
        Loop("repeats", of(repeating.step), every),
        Loop("differences", of(verifying.step), every, signal(DIFFERENCES)),
        Loop("open differences", of(_measure), MEASURE_EVERY_SECONDS),
        Loop("sweeps", of(sweep.nightly), SWEEPS_EVERY_SECONDS),
        Loop("signs of life", of(alive.step), alive.EVERY_SECONDS),
        Loop("pruning", of(_prune), PRUNE_EVERY_SECONDS),
    )


def consumer(gateway: Gateway, queue: str) -> Consumer:
    """Return what keeps the directory, sends back, forgets methods, charges, is acknowledged."""

    async def handle(tx: Tx, events: Sequence[Event]) -> None:
        at = gateway.clock()
        await directory.keep(tx, events)
        await refund_requests.hear(tx, gateway, events, at)
        # First what takes a method away: a charge in the same batch does not come before it.
        await mandates.hear(tx, gateway, events, at)
        await charges.take(tx, gateway, events, at)
        await repeating.acknowledge(tx, events, at)
        await offsets.take(tx, gateway, events)

    # An acknowledgement that comes again may be the answer to a success said again, and whoever
    # asks for a refund again has lost our answer.
    return Consumer(queue, gateway.db, handle, handle)


@asynccontextmanager
async def finishing(gateway: Gateway) -> AsyncIterator[None]:
    """At the end, wait for the work that the stopped loops have begun."""
    try:
        yield
    finally:
        working = (gateway.callbacks, gateway.polls, gateway.captures, gateway.bindings)
        for pool in (*working, gateway.refunds, gateway.printing):
            await pool.drain()


async def _measure(gateway: Gateway) -> bool:
    await differences.measure(gateway.db, gateway.service)
    return False


async def _prune(gateway: Gateway) -> bool:
    async with transaction(gateway.db) as tx:
        return await callbacks.prune(tx, gateway.clock()) == callbacks.PRUNE_MAX
