"""The root application of a process: health, metrics, and what holds for every request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import lru_cache
from time import perf_counter
from typing import TYPE_CHECKING, Final

import prometheus_client
import structlog
from aiohttp import web
from prometheus_client import Histogram
from sqlalchemy import text

from shared import log as logs
from shared import problem
from shared.db import Database, reading
from shared.metrics import REGISTRY, REQUESTS

if TYPE_CHECKING:
    from shared.service import Process

BODY_BYTES_MAX: Final = 1024 * 1024
CHECK_SECONDS: Final = 3.0
SERVICE: Final = web.AppKey("saldo_service", str)

_log = structlog.get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(process: Process) -> web.Application:
    """Return the application that serves the process, with the services mounted."""
    app = web.Application(
        middlewares=[_observe, problem.middleware], client_max_size=BODY_BYTES_MAX
    )

    async def healthz(_request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_request: web.Request) -> web.Response:
        wrong = await _unready(process)
        return web.Response(text="\n".join(wrong or ["ready"]) + "\n", status=503 if wrong else 200)

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(
            body=prometheus_client.generate_latest(REGISTRY),
            headers={"Content-Type": prometheus_client.CONTENT_TYPE_LATEST},
        )

    for path, handler in (("/healthz", healthz), ("/readyz", readyz), ("/metrics", metrics)):
        app.router.add_get(path, handler)
    _mount(app, process)
    return app


def _mount(app: web.Application, process: Process) -> None:
    if process.home is not None:
        app.router.add_get("/", _redirect(process.home))
    for service in process.services:
        for prefix, mounted in service.mounts.items():
            mounted[SERVICE] = service.name
            app.add_subapp(prefix, mounted)
    for prefix, mounted in process.mounts.items():
        app.add_subapp(prefix, mounted)


def _redirect(where: str) -> Handler:
    async def redirect(_request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound(where)

    return redirect


async def _unready(process: Process) -> list[str]:
    wrong = [] if process.accepting else ["starting or stopping"]
    if not process.bus.usable():
        wrong.append("the bus is not connected")
    checks = [_database_answers(service.db) for service in process.services]
    for service, fine in zip(process.services, await asyncio.gather(*checks), strict=True):
        if not fine:
            wrong.append(f"{service.name}: the database does not answer")
    return wrong


async def _database_answers(db: Database) -> bool:
    try:
        async with asyncio.timeout(CHECK_SECONDS), reading(db) as tx:
            await tx.execute(text("SELECT 1"))
    except Exception as error:
        _log.warning("ready.database_failed", error=repr(error))
        return False
    return True


@web.middleware
async def _observe(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its correlation id and count it by its route template."""
    began = perf_counter()
    correlation = logs.acceptable(request.headers.get(logs.CORRELATION_HEADER))
    with logs.bind_correlation(correlation):
        try:
            answer = await handler(request)
        except web.HTTPException as redirect:
            _note(request, redirect, correlation, perf_counter() - began)
            raise
    _note(request, answer, correlation, perf_counter() - began)
    return answer


def _note(
    request: web.Request, answer: web.StreamResponse, correlation: str, seconds: float
) -> None:
    if not answer.prepared:
        answer.headers[logs.CORRELATION_HEADER] = correlation
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else "unknown"
    app = request.match_info.apps[-1] if request.match_info.apps else request.app
    _counter(app.get(SERVICE, "process"), request.method, route, answer.status).observe(seconds)


@lru_cache(maxsize=1024)
def _counter(service: str, method: str, route: str, status: int) -> Histogram:
    """Return the series of a kind of request: to find it costs more than to count in it."""
    return REQUESTS.labels(service, method, route, str(status))
