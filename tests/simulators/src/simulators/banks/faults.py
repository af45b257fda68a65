"""What goes wrong on the way to a bank and back, asked for beforehand or by the request itself.

`before` kinds strike before anything is committed, `after` kinds once the truth has changed but the
caller has not heard of it. A caller asks for one by the header `X-Sandbox-Fault`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

KINDS = {
    "drop_before": "the connection dies, nothing was done",
    "drop_after": "the operation is done, the connection dies",
    "latency_before": "waits `delay` milliseconds, then does it",
    "latency_after": "does it, then waits `delay` milliseconds to answer",
    "error_before": "500, nothing was done",
    "error_after": "500, and it was done",
    "too_many": "429, nothing was done",
    "unauthorized": "401 without JSON, nothing was done",
    "not_found": "404 in the words of a web framework, nothing was done",
    "bad_gateway_before": "502 as HTML, nothing was done",
    "bad_gateway_after": "502 as HTML, and it was done",
    "truncated": "it was done, the JSON ends in its middle",
    "callback_first": "a new code is paid, and told, before its registration is answered",
}
LIMIT = 1_000
HEADER = "X-Sandbox-Fault"
HTML_502 = "<html><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass(slots=True)
class Fault:
    """One kind of trouble: for the next `times` calls, or with `probability` for each."""

    kind: str
    calls: tuple[str, ...] = ()
    """Names of calls; none means all of them."""
    times: int | None = None
    probability: float = 1.0
    delay: int = 1_000
    hits: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no such fault: {self.kind}; there are {', '.join(KINDS)}")


def asked(header: str) -> Fault:
    """Read `drop_after`, or `latency_after; delay=300`; raises ValueError for what is none."""
    kind, *members = (part.strip() for part in header.split(";"))
    said: dict[str, Any] = {}
    for member in members:
        name, _, value = member.partition("=")
        if name != "delay":
            raise ValueError(f"a fault of one request has a delay, not {name!r}")
        said[name] = int(value)
    return Fault(kind, **said)


@dataclass(slots=True)
class FaultPlan:
    """The faults that are in force at one bank."""

    dice: Random
    calls: frozenset[str]
    faults: list[Fault] = field(default_factory=list)

    def add(self, wishes: Iterable[dict[str, Any]]) -> list[Fault]:
        """Put faults in force; raises ValueError or TypeError for one that cannot be."""
        new = [Fault(**(wish | {"calls": tuple(wish.get("calls", ()))})) for wish in wishes]
        unknown = {call for fault in new for call in fault.calls} - self.calls
        if unknown:
            raise ValueError(
                f"no such call: {', '.join(sorted(unknown))}; there are"
                f" {', '.join(sorted(self.calls))}"
            )
        if len(self.faults) + len(new) > LIMIT:
            raise ValueError(f"at most {LIMIT} faults")
        self.faults += new
        return new

    def strike(self, call: str) -> Fault | None:
        """Return the fault that befalls this call, at most one."""
        for fault in self.faults:
            if fault.calls and call not in fault.calls:
                continue
            if fault.times is not None and fault.hits >= fault.times:
                continue
            if fault.probability >= 1.0 or self.dice.random() < fault.probability:
                fault.hits += 1
                return fault
        return None


Early = Callable[[web.Request, web.StreamResponse], Awaitable[None]]
"""Pays what a call has just made, and tells of it."""


async def befall(
    fault: Fault, request: web.Request, handler: Handler, early: Early
) -> web.StreamResponse:
    """Answer a request as the fault has it."""
    before = _BEFORE.get(fault.kind)
    if before is not None:
        return before(request)
    if fault.kind == "latency_before":
        await asyncio.sleep(fault.delay / 1_000)
        return await handler(request)
    response = await handler(request)
    if fault.kind == "latency_after":
        await asyncio.sleep(fault.delay / 1_000)
    elif fault.kind == "callback_first":
        await early(request, response)
    else:
        return _AFTER[fault.kind](request, response)
    return response


def _hang_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


def _spring(request: web.Request) -> web.Response:
    said = {"timestamp": "2026-01-01T00:00:00.000+0000", "status": 404, "error": "Not Found"}
    return web.json_response({**said, "message": "", "path": request.path}, status=404)


def _half(response: web.StreamResponse) -> web.Response:
    body = response.body if isinstance(response, web.Response) else b""
    half = bytes(body)[: len(body) // 2] if isinstance(body, bytes | bytearray) else b"{"
    return web.Response(body=half, content_type="application/json")


def _gateway() -> web.Response:
    return web.Response(status=502, text=HTML_502, content_type="text/html")


_BEFORE: dict[str, Callable[[web.Request], web.Response]] = {
    "drop_before": _hang_up,
    "error_before": lambda _: web.Response(status=500),
    "too_many": lambda _: web.Response(status=429),
    "unauthorized": lambda _: web.Response(status=401, text="Unauthorized"),
    "not_found": _spring,
    "bad_gateway_before": lambda _: _gateway(),
}
_AFTER: dict[str, Callable[[web.Request, web.StreamResponse], web.Response]] = {
    "drop_after": lambda request, _: _hang_up(request),
    "error_after": lambda _, __: web.Response(status=500),
    "bad_gateway_after": lambda _, __: _gateway(),
    "truncated": lambda _, response: _half(response),
}
