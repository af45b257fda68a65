"""The JSON API of reconciliation: what was compared on which day, what differs, registers in."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import IO, Final
from uuid import UUID

import structlog
from aiohttp import BodyPartReader, content_disposition_filename, multipart, web

from shared import api as apis
from shared.api import Api
from shared.clock import MOSCOW
from shared.db import reading
from shared.errors import BadRequest, NotFound, Text, TooLarge, Unavailable, invalid
from shared.gateway import differences, reconciliation, registers, sweeps
from shared.gateway.gateway import Gateway
from shared.gateway.reconciliation import Opened, Receive
from shared.gateway.reconciliation_forms import (
    DaysQuery,
    DaysView,
    DifferencesQuery,
    DifferencesView,
    RegisterView,
    difference_view,
    list_view,
    register_day,
    register_view,
)
from shared.gateway.register import WrongRegister
from shared.gateway.registers import Elsewhere

IN_MEMORY_MAX: Final = 1024 * 1024
DAYS_SHOWN: Final = timedelta(days=31)
DAYS_MAX: Final = timedelta(days=366)
BUSY_SECONDS: Final = 30

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Inlet:
    """How registers come in."""

    receive: Receive
    bytes_max: int


def add(api: Api, gateway: Gateway, inlet: Inlet) -> None:
    """Add the addresses to a gateway's API."""

    @api.post(
        "/v1/reconciliation/registers",
        answers={200: RegisterView, 202: RegisterView},
        scope="reconciliation:write",
        summary="Send a register as the body or as a form; 202 while it is applied, 200 if it was",
    )
    async def upload(request: web.Request) -> web.Response:
        if not gateway.registers.free:
            raise _busy()
        with tempfile.SpooledTemporaryFile(IN_MEMORY_MAX) as file:
            name = await _store(request, file, inlet.bytes_max)
            file.seek(0)
            try:
                opened = await inlet.receive(gateway, file, name)
            except WrongRegister as error:
                raise invalid("file", *error.text) from error
        # Of several registers the one is shown that takes longest to apply, if any is new.
        shown = max(opened, key=lambda one: (one.taken.finished_at is None, one.spool.rows)).taken
        repeated = shown.finished_at is not None
        gateway.registers.spawn(_apply(gateway, opened))
        view = register_view(shown, gateway.clock(), repeated=repeated)
        return apis.answer(view, 200 if repeated else 202)

    @api.get(
        "/v1/reconciliation/registers/{id}",
        answers={200: RegisterView},
        scope="reconciliation:read",
        summary="Look how far a register is applied",
    )
    async def register(request: web.Request) -> web.Response:
        async with reading(gateway.db) as tx:
            taken = await registers.find(tx, _id(request.match_info["id"]))
        if taken is None:
            raise _unknown()
        return apis.answer(register_view(taken, gateway.clock()))

    _add_views(api, gateway)


def _add_views(api: Api, gateway: Gateway) -> None:
    @api.get(
        "/v1/reconciliation/days",
        answers={200: DaysView},
        scope="reconciliation:read",
        summary="List what was compared on which Moscow day, newest first",
        query=DaysQuery,
    )
    async def days(_request: web.Request, query: DaysQuery) -> web.Response:
        until = query.until or gateway.clock().astimezone(MOSCOW).date()
        since = query.since or until - DAYS_SHOWN
        if not timedelta(0) <= until - since <= DAYS_MAX:
            raise invalid("since", "at most a year before until", "не больше года до until")
        return apis.answer(await _days(gateway, query.shop, since, until))

    @api.get(
        "/v1/reconciliation/differences",
        answers={200: DifferencesView},
        scope="reconciliation:read",
        summary="List differences between the provider's books and ours",
        query=DifferencesQuery,
    )
    async def list_differences(_request: web.Request, query: DifferencesQuery) -> web.Response:
        wanted = differences.Wanted(query.shop, query.day, query.state, query.cursor)
        async with reading(gateway.db) as tx:
            rows = await differences.listed(tx, wanted, query.limit)
        cursor = rows[-1].id if len(rows) == query.limit else None
        items = tuple(difference_view(row) for row in rows)
        return apis.answer(DifferencesView(items=items, next_cursor=cursor))


async def _days(gateway: Gateway, shop: str | None, since: date, until: date) -> DaysView:
    chosen = [name for name in gateway.providers if shop in (None, name)]
    at = gateway.clock()
    items = []
    async with reading(gateway.db) as tx:
        for name in chosen:
            counts = await differences.counted(tx, name, since, until)
            swept = await sweeps.between(tx, name, since, until)
            taken = await registers.between(tx, name, since, until)
            items += [list_view(one, counts) for one in swept]
            items += [register_day(one, counts, at) for one in taken]
    items.sort(key=lambda item: (item.day, item.shop, item.source, item.kind), reverse=True)
    return DaysView(items=tuple(items))


async def _apply(gateway: Gateway, opened: Sequence[Opened]) -> None:
    try:
        for one in opened:
            try:
                await reconciliation.apply(gateway, one.taken, one.spool)
            except Elsewhere:
                _log.info("register.applied_elsewhere", file=one.taken.file)
    finally:
        for one in opened:
            one.close()


async def _store(request: web.Request, file: IO[bytes], bytes_max: int) -> str:
    """Write what was sent into a file; return the name it was given."""
    name, chunks = await _sent(request)
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > bytes_max:
            most = bytes_max // 1024**2
            raise TooLarge(
                Text(f"At most {most} MiB are read here", f"Здесь читается не более {most} МиБ")
            )
        file.write(chunk)
    return name


async def _sent(request: web.Request) -> tuple[str, AsyncIterator[bytes]]:
    if request.content_type != "multipart/form-data":
        _, said = multipart.parse_content_disposition(request.headers.get("Content-Disposition"))
        return content_disposition_filename(said) or "", request.content.iter_chunked(65_536)
    try:
        part = await (await request.multipart()).next()
    except ValueError as error:
        raise _no_file() from error
    if not isinstance(part, BodyPartReader):
        raise _no_file()
    return part.filename or "", _chunks(part)


async def _chunks(part: BodyPartReader) -> AsyncIterator[bytes]:
    while chunk := await part.read_chunk(65_536):
        yield chunk


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise _unknown() from None


def _unknown() -> NotFound:
    return NotFound(Text("There is no such register", "Такого реестра нет"))


def _no_file() -> BadRequest:
    return BadRequest(Text("The form holds no file", "В форме нет файла"))


def _busy() -> Unavailable:
    text = Text(
        "Other registers are being applied: send this one again later",
        "Сейчас обрабатываются другие реестры: пришлите этот позже",
    )
    return Unavailable(text, retry_after_seconds=BUSY_SECONDS)
