"""`/notifier/reports/<provider>`: where SMS providers say what became of messages.

Providers' calls carry no login. So the address that is given to them holds a secret, `?key=...`,
and may be bound to their networks; SMS.ru signs besides. What is not theirs is refused and counted.
A report about a message we do not know is answered like any other: to ask again would not help.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final
from urllib.parse import parse_qsl

import structlog
from aiohttp import web

from notifier import report_wire, reports
from notifier.channels.port import Report
from notifier.report_wire import Forged, Form, Unreadable
from notifier.reports import Reports
from shared.bodies import read_body
from shared.client import Network, client_address, contains
from shared.errors import NotFound, Text
from shared.metrics import REPORTS

BODY_BYTES_MAX: Final = 64 * 1024
_FIELDS_MAX: Final = 200

_log = structlog.get_logger(__name__)

Reader = Callable[[Form, datetime], list[Report]]


@dataclass(frozen=True)
class Box:
    """Where reports are put, and who may put them there."""

    reports: Reports
    secret: str = field(repr=False)
    networks: Sequence[Network] | None
    """None for everywhere."""
    proxies: Sequence[Network]
    readers: dict[str, tuple[Reader, str]]
    """By provider: how its forms are read, and the body of the answer it expects."""


def readers(smsru_api_id: str) -> dict[str, tuple[Reader, str]]:
    """Return what there is to read; SMS.ru only where its key is known."""
    found: dict[str, tuple[Reader, str]] = {"smsc": (report_wire.smsc, "OK")}
    if smsru_api_id:
        found["smsru"] = (partial(report_wire.smsru, api_id=smsru_api_id), "100")
    return found


def mount(app: web.Application, box: Box) -> None:
    """Add the address; without a secret there is none."""
    if not box.secret:
        return

    async def receive(request: web.Request) -> web.Response:
        return await _receive(request, box)

    app.router.add_get("/reports/{provider}", receive)
    app.router.add_post("/reports/{provider}", receive)


async def _receive(request: web.Request, box: Box) -> web.Response:
    provider = request.match_info["provider"]
    if provider not in box.readers:
        raise NotFound(Text("There is no such provider", "Такого провайдера нет"))
    if not _allowed(request, box):
        return _refuse(provider, "refused", 403)
    read, answer = box.readers[provider]
    try:
        found = read(await _form(request), box.reports.clock())
    except Forged:
        return _refuse(provider, "refused", 403)
    except ValueError:
        return _refuse(provider, "malformed", 400)
    await reports.keep(box.reports, found)
    return web.Response(text=answer)


def _allowed(request: web.Request, box: Box) -> bool:
    given = request.query.get("key", "")
    if not hmac.compare_digest(given.encode(), box.secret.encode()):
        return False
    if box.networks is None:
        return True
    address = client_address(request, box.proxies)
    return address is not None and contains(box.networks, address)


async def _form(request: web.Request) -> Form:
    """Return the fields of the body, or of the address; raises Unreadable."""
    if request.method == "GET":
        return [(name, value) for name, value in request.query.items() if name != "key"]
    body = await read_body(request, BODY_BYTES_MAX)
    try:
        return parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_FIELDS_MAX,
        )
    except ValueError as error:
        raise Unreadable("no form") from error


def _refuse(provider: str, outcome: str, status: int) -> web.Response:
    REPORTS.labels(provider, outcome).inc()
    _log.warning("report.refused", provider=provider, outcome=outcome)
    return web.Response(status=status)
