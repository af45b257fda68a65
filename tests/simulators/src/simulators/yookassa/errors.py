"""Refusals in YooKassa's own shape.

YooKassa API v3, "Response format":
`{"type":"error","id","code","description","parameter","retry_after"}`. Texts follow the staff's
catalogue; a client must not branch on them.
"""

from __future__ import annotations

import uuid
from typing import Any

from aiohttp import web

STATUS_OF = {
    "invalid_request": 400,
    "invalid_credentials": 401,
    "forbidden": 403,
    "not_found": 404,
    "too_many_requests": 429,
    "internal_server_error": 500,
}


class ApiError(Exception):
    """A request that YooKassa refuses; nothing was done and nothing is kept under its key."""

    def __init__(
        self,
        code: str,
        description: str,
        parameter: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(description)
        self.status = STATUS_OF[code]
        self.code = code
        self.description = description
        self.parameter = parameter
        self.retry_after = retry_after

    def body(self) -> dict[str, Any]:
        """Return the JSON body; optional members are left out, not null."""
        body: dict[str, Any] = {
            "type": "error",
            "id": str(uuid.uuid4()),
            "code": self.code,
            "description": self.description,
            "parameter": self.parameter,
            "retry_after": self.retry_after,
        }
        return {name: value for name, value in body.items() if value is not None}

    def response(self) -> web.Response:
        """Return the answer as HTTP."""
        return web.json_response(self.body(), status=self.status)


def bad(parameter: str, description: str) -> ApiError:
    """Make the 400 for one wrong parameter."""
    return ApiError("invalid_request", description, parameter)


def not_found(what: str, parameter: str) -> ApiError:
    """Make the 404 for an id that is unknown or belongs to another shop."""
    return ApiError("not_found", f"{what} not found or forbidden", parameter)
