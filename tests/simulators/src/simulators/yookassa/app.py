"""Puts the simulated YooKassa together: the API, the pages, the control calls, the loops."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from aiohttp import web

from simulators.control import explain
from simulators.yookassa import (
    api,
    checkout,
    control,
    delivery,
    idempotence,
    method,
    methods_api,
    payment,
    payments_api,
    receipt,
    receipts_api,
    refund,
    refunds_api,
    script,
)
from simulators.yookassa.courier import COURIER, Courier
from simulators.yookassa.provider import PROVIDER, Provider
from simulators.yookassa.sweep import sweep_forever

Loops = list[asyncio.Task[None]]
LOOPS: web.AppKey[Loops] = web.AppKey("yookassa-loops", list)

log = logging.getLogger(__name__)

SCHEMAS = (
    payment.SCHEMA,
    refund.SCHEMA,
    receipt.SCHEMA,
    method.SCHEMA,
    script.SCHEMA,
    delivery.SCHEMA,
    idempotence.SCHEMA,
)


def create(provider: Provider) -> web.Application:
    """Return the application that is mounted at `/yookassa` of the sandbox."""
    app = web.Application(middlewares=[explain])
    app[PROVIDER] = provider
    app[COURIER] = Courier(provider)
    app[LOOPS] = []
    app.add_routes(
        [
            web.get("/checkout/payments/v2/contract", checkout.show),
            web.post("/payments/{id}/pay", checkout.pay),
            web.get("/checkout/methods/{id}", checkout.show_binding),
            web.post("/methods/{id}/bind", checkout.bind),
        ]
    )
    app.add_subapp("/v3", _api())
    app.add_subapp("/control", control.create())
    app.on_startup.append(_start)
    # Not at cleanup: where the shop lives in this process, the server waits for our own requests.
    app.on_shutdown.append(_stop)
    return app


def _api() -> web.Application:
    app = web.Application(middlewares=api.MIDDLEWARES)
    app[api.LOCKS] = idempotence.KeyLocks()
    # A call's name is what a fault is aimed at (faults.CALLS).
    app.add_routes(
        [
            web.post("/payments", payments_api.create, name="create_payment"),
            web.get("/payments", payments_api.list_, name="list_payments"),
            web.get("/payments/{id}", payments_api.read, name="get_payment"),
            web.post("/payments/{id}/capture", payments_api.capture, name="capture_payment"),
            web.post("/payments/{id}/cancel", payments_api.cancel, name="cancel_payment"),
            web.post("/refunds", refunds_api.create, name="create_refund"),
            web.get("/refunds", refunds_api.list_, name="list_refunds"),
            web.get("/refunds/{id}", refunds_api.read, name="get_refund"),
            web.post("/receipts", receipts_api.create, name="create_receipt"),
            web.get("/receipts", receipts_api.list_, name="list_receipts"),
            web.get("/receipts/{id}", receipts_api.read, name="get_receipt"),
            web.post("/payment_methods", methods_api.create, name="create_method"),
            web.get("/payment_methods/{id}", methods_api.read, name="get_method"),
            web.get("/me", methods_api.me, name="me"),
        ]
    )
    return app


async def _start(app: web.Application) -> None:
    app[LOOPS].extend([_started(app[COURIER].run()), _started(sweep_forever(app[PROVIDER]))])


async def _stop(app: web.Application) -> None:
    while app[LOOPS]:
        loop = app[LOOPS].pop()
        loop.cancel()
        with suppress(asyncio.CancelledError):
            await loop
    await app[COURIER].close()


def _started(loop: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    task = asyncio.create_task(loop)
    task.add_done_callback(_report)
    return task


def _report(task: asyncio.Task[None]) -> None:
    # A loop that ends by itself would look like a provider that has gone quiet.
    if not task.cancelled() and (error := task.exception()):
        log.critical("a loop of the sandbox has died", exc_info=error)
