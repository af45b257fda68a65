"""Bodies of requests: read up to a size, and as JSON where an address asks for that."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web

from shared.errors import BadRequest, Text, TooLarge, UnsupportedMedia


async def read_json(request: web.Request, bytes_max: int) -> Any:
    """Read JSON; raises UnsupportedMedia, TooLarge or BadRequest for anything else."""
    if request.content_type != "application/json":
        raise UnsupportedMedia(
            Text("Send Content-Type: application/json", "Нужен Content-Type: application/json")
        )
    raw = await read_body(request, bytes_max)
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadRequest(
            Text(f"The body is not JSON: {error.msg}", f"Тело запроса не JSON: {error.msg}")
        ) from error


async def read_body(request: web.Request, bytes_max: int) -> bytes:
    """Read a body of limited size; raises TooLarge as soon as it is exceeded."""
    if (request.content_length or 0) > bytes_max:
        raise _too_large(bytes_max)
    raw = await request.read()
    if len(raw) > bytes_max:
        raise _too_large(bytes_max)
    return raw


def _too_large(bytes_max: int) -> TooLarge:
    return TooLarge(
        Text(
            f"At most {bytes_max} bytes are read here", f"Здесь читается не более {bytes_max} байт"
        )
    )
