"""JSON APIs: who may call, what is read, and each refusal as a problem that names the field."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from multidict import CIMultiDict

from sample_api import BODY_BYTES_MAX, PREFIX, TOKENS, things
from shared import problem

GOOD: dict[str, Any] = {"number": "A1", "amount": "650.00"}


class Caller:
    """Calls the sample API with a writer's token unless told otherwise."""

    def __init__(self, session: ClientSession, base: str) -> None:
        self._session = session
        self._base = base

    async def ask(
        self, path: str, method: str = "GET", *, token: str | None = "writer", **options: Any
    ) -> tuple[int, Any, Any]:
        headers = CIMultiDict(options.pop("headers", {}))
        if token is not None and "Authorization" not in headers:
            headers["Authorization"] = f"Bearer {token}"
        async with self._session.request(
            method, self._base + path, headers=headers, **options
        ) as answer:
            return answer.status, await answer.json(content_type=None), answer.headers

    async def send(self, body: Any, **options: Any) -> tuple[int, Any, Any]:
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        headers = CIMultiDict({"Content-Type": "application/json"})
        headers.extend(options.pop("headers", {}))
        return await self.ask("/things", "POST", data=raw, headers=headers, **options)


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    root = web.Application(middlewares=[problem.middleware])
    root.add_subapp(PREFIX, things.application(TOKENS, body_bytes_max=BODY_BYTES_MAX))
    async with TestServer(root) as server, ClientSession() as session:
        yield Caller(session, str(server.make_url(PREFIX)))


async def test_what_was_sent_is_read_and_answered(caller: Caller) -> None:
    sent = {**GOOD, "parts": [{"amount": "1.5", "count": 2}], "at": "2026-11-22T15:00:00+03:00"}
    status, made, headers = await caller.send(sent)
    assert (status, headers["Content-Type"]) == (201, "application/json")
    assert (made["amount"], made["parts"]) == ("650.00", [{"amount": "1.50", "count": 2}])
    assert (made["id"], made["made_by"], made["key"]) == (7, "writer", None)


async def test_what_is_put_in_the_place_of_another_is_read_as_what_is_made(caller: Caller) -> None:
    json = {"Content-Type": "application/json"}
    for body, token, expected in (
        (GOOD, "writer", 200),
        (GOOD, "reader", 403),
        ({}, "writer", 422),
    ):
        raw = orjson.dumps(body)
        status, _, _ = await caller.ask("/things/7", "PUT", data=raw, headers=json, token=token)
        assert status == expected


class TestTokens:
    @pytest.mark.parametrize(
        "authorization",
        [
            [],
            [""],
            ["Bearer"],
            ["Bearer "],
            ["Bearer unknown"],
            ["Basic writer"],
            ["writer"],
            ["Bearerwriter"],
            ["Bearer \xff\xfe"],
            ["Bearer писатель"],
            ["Bearer writer", "Bearer reader"],
            ["Bearer writer,Bearer reader"],
        ],
        ids=repr,
    )
    async def test_without_a_known_token_nobody_is_let_in(
        self, caller: Caller, authorization: list[str]
    ) -> None:
        headers = CIMultiDict(("Authorization", value) for value in authorization)
        status, document, answered = await caller.send(GOOD, token=None, headers=headers)
        assert (status, document["status"], document["title"]) == (401, 401, "Not signed in")
        assert "Bearer <token>" in document["detail"]
        assert answered["WWW-Authenticate"] == "Bearer"

    @pytest.mark.parametrize("kind", ["Bearer", "bearer", "BEARER"])
    async def test_the_word_bearer_may_be_written_in_any_case(
        self, caller: Caller, kind: str
    ) -> None:
        assert (await caller.send(GOOD, headers={"Authorization": f"{kind} writer"}))[0] == 201

    async def test_a_token_may_do_what_its_scopes_say(self, caller: Caller) -> None:
        for token, reads, writes in (
            ("writer", 200, 201),
            ("reader", 200, 403),
            ("other", 403, 403),
        ):
            assert (await caller.ask("/things?after=x", token=token))[0] == reads
            assert (await caller.send(GOOD, token=token))[0] == writes

    async def test_a_missing_scope_is_named(self, caller: Caller) -> None:
        _, document, _ = await caller.send(GOOD, token="reader")
        assert document["detail"] == "The token lacks the scope things:write"
        _, document, _ = await caller.send(GOOD, token="reader", headers={"Accept-Language": "ru"})
        assert document["detail"] == "У токена нет права things:write"

    async def test_an_open_address_needs_no_token(self, caller: Caller) -> None:
        assert (await caller.ask("/open", token=None))[0] == 200
        assert (await caller.ask("/openapi.json", token=None))[0] == 200

    async def test_of_a_stranger_nothing_is_read(self, caller: Caller) -> None:
        status, _, _ = await caller.send(b"not json" * 1000, token="unknown")
        assert status == 401


class TestMedia:
    @pytest.mark.parametrize(
        "given", ["application/json", "application/json; charset=utf-8", "Application/JSON"]
    )
    async def test_json_is_read(self, caller: Caller, given: str) -> None:
        headers = {"Content-Type": given}
        status, _, _ = await caller.ask("/things", "POST", data=orjson.dumps(GOOD), headers=headers)
        assert status == 201

    @pytest.mark.parametrize(
        "given",
        ["text/plain", "application/x-www-form-urlencoded", "application/json-patch+json", "json"],
    )
    async def test_nothing_else_is(self, caller: Caller, given: str) -> None:
        headers = {"Content-Type": given}
        status, document, _ = await caller.ask(
            "/things", "POST", data=orjson.dumps(GOOD), headers=headers
        )
        assert (status, document["title"]) == (415, "Unsupported content type")

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"{",
            b"not json",
            b'{"number": NaN}',
            b'{"number": Infinity}',
            b"{} {}",
            b'{"number": "\xff"}',
            b'{"number": "\\ud800"}',
            b"[" * 2000,
            "{'number': 'А1'}".encode("cp1251"),
        ],
        ids=repr,
    )
    async def test_what_is_no_json_is_malformed(self, caller: Caller, raw: bytes) -> None:
        status, document, _ = await caller.send(raw)
        assert (status, document["title"]) == (400, "Malformed request")
        assert document["detail"].startswith("The body is not JSON: ")

    @pytest.mark.parametrize("count", [b"1e30", b"9" * 40, b"18446744073709551616"])
    async def test_a_number_beyond_all_bounds_is_named(self, caller: Caller, count: bytes) -> None:
        raw = b'{"number": "A1", "amount": "1", "count": ' + count + b"}"
        status, document, _ = await caller.send(raw)
        assert (status, document["errors"][0]["field"]) == (422, "count")

    async def test_a_body_of_the_largest_size_is_read_and_a_larger_one_is_not(
        self, caller: Caller
    ) -> None:
        bare = len(orjson.dumps({**GOOD, "note": ""}))
        largest = {**GOOD, "note": "x" * (BODY_BYTES_MAX - bare)}
        assert (await caller.send(largest))[0] == 201
        status, document, _ = await caller.send({**largest, "note": largest["note"] + "x"})
        assert (status, document["title"]) == (413, "Body too large")
        assert str(BODY_BYTES_MAX) in document["detail"]

    async def test_a_body_of_unknown_length_is_bounded_too(self, caller: Caller) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(10):
                yield b" " * 1024

        headers = {"Content-Type": "application/json"}
        status, _, _ = await caller.ask("/things", "POST", data=chunks(), headers=headers)
        assert status == 413


class TestQueries:
    async def test_a_query_is_read(self, caller: Caller) -> None:
        _, document, _ = await caller.ask("/things?after=x&limit=5&colour=red")
        assert document == {"things": [], "limit": 5}

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ("", "after"),
            ("after=x&limit=0", "limit"),
            ("after=x&limit=many", "limit"),
            ("after=x&colour=green", "colour"),
            ("after=x&page=2", "page"),
            ("after=x&limit=1&limit=2", "limit"),
            ("after=a%00b", "after"),
        ],
    )
    async def test_what_is_wrong_with_it_is_named(
        self, caller: Caller, query: str, field: str
    ) -> None:
        status, document, _ = await caller.ask(f"/things?{query}")
        assert (status, [item["field"] for item in document["errors"]]) == (422, [field])
