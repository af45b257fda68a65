"""The API as two managers and a few systems of narrower rights call it."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from core_billing.web import api
from shared import problem
from shared.crypto import token_hash
from shared.settings import ApiToken

ALL = ("contracts:write", "payments:write", "settings:write")
SCOPES = {
    "anna": ALL,
    "boris": ALL,
    "reader": ("payments:read", "settings:read"),
}
TOKENS = {token_hash(name): ApiToken(name=name, scopes=given) for name, given in SCOPES.items()}

Call = Callable[..., Awaitable[tuple[int, Any]]]


@pytest.fixture
async def client(books: Any, aiohttp_client: Any) -> Any:
    """A client of the API."""
    root = web.Application(middlewares=[problem.middleware])
    root.add_subapp(api.PREFIX, api.application(books.core, TOKENS))
    made: TestClient[Any, Any] = await aiohttp_client(root)
    return made


@pytest.fixture
def call(client: Any) -> Call:
    """Call the API as Anna, or as the token that is named; returns status and body."""

    async def send(method: str, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {options.pop('token', 'anna')}"}
        headers |= options.pop("headers", {})
        sent = {} if body is None else {"json": body}
        answer = await client.request(method, f"/api/v1{path}", headers=headers, **sent, **options)
        text = await answer.text()
        return answer.status, json.loads(text) if "json" in answer.content_type else text

    return send
