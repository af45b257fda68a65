"""Files that are sent while they are made: however long one is, little of it is in memory."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import IO, Final, Literal

import structlog
from aiohttp import hdrs, web

from core_billing.export import MEDIA, Encoding, Format, Line, Sheet, csv_bytes
from core_billing.policies import EXPORT_ENCODING, of_manager
from core_billing.policy_rows import load
from core_billing.web.base import CORE
from shared.api import TOKEN
from shared.db import reading
from shared.errors import Refusal
from shared.room import Room

PAGE: Final = 1000
EXPORTS_AT_ONCE: Final = 4
_CHUNK: Final = 256 * 1024

TOO_LARGE: Final = Refusal(
    "export_too_large",
    422,
    "More than {most} rows for {format}: export a shorter period",
    "Больше {most} строк для {format}: выгрузите период покороче",
)

Language = Literal["ru", "en"]
Pages = AsyncIterator[Sequence[Line]]

_log = structlog.get_logger(__name__)
_room: Final = Room(EXPORTS_AT_ONCE)


@dataclass(frozen=True, slots=True)
class File:
    """A file as it was asked for."""

    name: str
    """Without its ending."""
    format: Format
    encoding: Encoding
    titles: Sequence[str]


async def encoding_of(request: web.Request, asked: Encoding | None) -> Encoding:
    """Return the encoding asked for, else that of the manager's setting."""
    if asked is not None:
        return asked
    core, own = request.app[CORE], of_manager(request[TOKEN].name)
    async with reading(core.db) as tx:
        policies = await load(tx, core.rules.day(core.clock()), own)
    return policies.get(EXPORT_ENCODING, own)


async def send(request: web.Request, file: File, pages: Callable[[], Pages]) -> web.StreamResponse:
    """Answer with a file of these pages of lines; raises Unavailable where too many are made.

    Nothing more is read for somebody who has gone. What fails halfway breaks the connection off,
    so that nobody takes half a file for the whole.
    """

    async def work(request: web.Request) -> web.StreamResponse:
        make = _send_csv if file.format == "csv" else _send_sheet
        return await make(request, _response(file), file, pages())

    return await _room.bounded(work)(request)


def _response(file: File) -> web.StreamResponse:
    name = f'attachment; filename="{file.name}.{file.format}"'
    response = web.StreamResponse(headers={hdrs.CONTENT_DISPOSITION: name})
    response.content_type = MEDIA[file.format]
    if file.format == "csv":
        response.charset = "utf-8" if file.encoding == "utf-8" else "windows-1251"
    return response


async def _send_csv(
    request: web.Request, response: web.StreamResponse, file: File, pages: Pages
) -> web.StreamResponse:
    # Read before the answer begins: so what the database refuses can still be said.
    lines: Sequence[Line] | None = await anext(pages, None)
    await response.prepare(request)
    try:
        await response.write(csv_bytes([file.titles], file.encoding, begins=True))
        while lines is not None and not _gone(request):
            await response.write(csv_bytes(lines, file.encoding))
            lines = await anext(pages, None)
        await response.write_eof()
    except Exception as error:
        _break_off(request, error)
    return response


async def _send_sheet(
    request: web.Request, response: web.StreamResponse, file: File, pages: Pages
) -> web.StreamResponse:
    sheet, saved = await asyncio.to_thread(Sheet, file.titles), False
    with tempfile.TemporaryFile() as made:
        try:
            async for lines in pages:
                if _gone(request):
                    return response
                await asyncio.to_thread(sheet.append, lines)
            await asyncio.to_thread(sheet.save, made)
            saved = True
        finally:
            if not saved:
                sheet.close()
        made.seek(0)
        await response.prepare(request)
        try:
            await _copy(made, response)
        except Exception as error:
            _break_off(request, error)
    return response


async def _copy(made: IO[bytes], response: web.StreamResponse) -> None:
    while chunk := await asyncio.to_thread(made.read, _CHUNK):
        await response.write(chunk)
    await response.write_eof()


def _gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def _break_off(request: web.Request, error: Exception) -> None:
    if not isinstance(error, ConnectionError):
        _log.error("export.failed", path=request.path, exc_info=error)
    if request.transport is not None:
        request.transport.abort()
