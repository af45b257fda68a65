"""Problem documents: one shape for every error, in the caller's language, or a page for people."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer, make_mocked_request

from shared import problem
from shared.errors import (
    Conflict,
    FieldError,
    Invalid,
    Refusal,
    SaldoError,
    Text,
    TooMany,
    Unauthorized,
)
from shared.log import bind_correlation

DETAIL = Text("taken", "занято")
ERRORS: dict[str, Callable[[], Exception]] = {
    "conflict": lambda: Conflict(DETAIL),
    "own": lambda: SaldoError(DETAIL),
    "fields": lambda: Invalid(FieldError("a", Text("x", "икс")), FieldError("b.0", DETAIL)),
    "often": lambda: TooMany(DETAIL, retry_after_seconds=30),
    "token": lambda: Unauthorized(DETAIL),
    "gone": web.HTTPGone,
    "forbidden": web.HTTPForbidden,
    "method": lambda: web.HTTPMethodNotAllowed("PUT", ["GET", "HEAD"]),
    "unprocessable": web.HTTPUnprocessableEntity,
    "moved": lambda: web.HTTPFound("/elsewhere"),
    "fault": lambda: KeyError("hunter2"),
    "timeout": TimeoutError,
}


async def fail(request: web.Request) -> web.StreamResponse:
    raise ERRORS[request.match_info["name"]]()


def page(request: web.Request, error: SaldoError) -> web.StreamResponse | None:
    if "text/html" not in request.headers.get("Accept", ""):
        return None
    return web.Response(text=f"<h1>{error.title.en}", status=error.status)


class Caller:
    def __init__(self, session: ClientSession, base: str) -> None:
        self._session = session
        self._base = base

    async def ask(self, path: str, **headers: str) -> tuple[int, Any, Any]:
        spelt = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self._session.get(
            self._base + path, headers=spelt, allow_redirects=False
        ) as answer:
            is_json = "json" in answer.content_type
            return (
                answer.status,
                await (answer.json() if is_json else answer.text()),
                answer.headers,
            )


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    root = web.Application(middlewares=[problem.middleware])
    for prefix, error_page in (("/api", None), ("/pages", page)):
        app = web.Application()
        app.router.add_get("/{name}", fail)
        if error_page is not None:
            app[problem.ERROR_PAGE] = error_page
        root.add_subapp(prefix, app)
    async with TestServer(root) as server, ClientSession() as session:
        yield Caller(session, str(server.make_url("")))


async def test_a_problem_has_the_shape_of_rfc_9457(caller: Caller) -> None:
    status, document, headers = await caller.ask("/api/conflict")
    assert (status, headers["Content-Type"]) == (409, "application/problem+json")
    assert headers["Content-Language"] == "en"
    assert document == {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "detail": "taken",
        "correlation_id": "",
    }


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("ru", "занято"),
        ("ru-RU,ru;q=0.9,en;q=0.8", "занято"),
        (" RU ", "занято"),
        ("en-US,ru;q=0.9", "taken"),
        ("de", "taken"),
        ("", "taken"),
        ("*", "taken"),
        ("run", "taken"),
    ],
)
async def test_it_speaks_the_callers_language(caller: Caller, accepted: str, expected: str) -> None:
    _, document, headers = await caller.ask("/api/conflict", Accept_Language=accepted)
    assert document["detail"] == expected
    assert headers["Content-Language"] == ("ru" if expected == "занято" else "en")


async def test_each_wrong_field_is_named_in_it(caller: Caller) -> None:
    status, document, _ = await caller.ask("/api/fields", Accept_Language="ru")
    assert status == 422
    assert document["errors"] == [
        {"field": "a", "message": "икс"},
        {"field": "b.0", "message": "занято"},
    ]
    assert document["title"] == "Проверьте поля"


@pytest.mark.parametrize(
    ("name", "status", "title", "header"),
    [
        ("own", 500, "Internal error", None),
        ("often", 429, "Too many requests", ("Retry-After", "30")),
        ("token", 401, "Not signed in", ("WWW-Authenticate", "Bearer")),
        ("forbidden", 403, "Not allowed", None),
        ("method", 405, "Method Not Allowed", ("Allow", "GET,HEAD")),
        ("gone", 410, "Gone", None),
        ("unprocessable", 422, "Unprocessable Entity", None),
        ("fault", 500, "Internal error", None),
        ("timeout", 503, "Temporarily unavailable", ("Retry-After", "5")),
    ],
)
async def test_every_failure_becomes_one(
    caller: Caller, name: str, status: int, title: str, header: tuple[str, str] | None
) -> None:
    found, document, headers = await caller.ask(f"/api/{name}")
    assert (found, document["status"], document["title"]) == (status, status, title)
    assert "hunter2" not in str(document)
    if header is not None:
        assert headers[header[0]] == header[1]


async def test_a_failure_of_one_request_does_not_change_the_next(caller: Caller) -> None:
    await caller.ask("/api/gone")
    assert (await caller.ask("/api/own"))[1]["title"] == "Internal error"


async def test_errors_of_a_service_do_not_change_what_others_mean(caller: Caller) -> None:
    class Odd(SaldoError):
        status = 403

        def __init__(self) -> None:
            raise AssertionError("never made by others")

    assert Odd.status == 403
    assert (await caller.ask("/api/forbidden"))[1]["title"] == "Not allowed"


async def test_a_redirect_is_no_error(caller: Caller) -> None:
    status, _, headers = await caller.ask("/api/moved")
    assert (status, headers["Location"]) == (302, "/elsewhere")


async def test_people_get_a_page_where_there_is_one(caller: Caller) -> None:
    for name, status in (("conflict", 409), ("fault", 500), ("gone", 410)):
        found, content, _ = await caller.ask(f"/pages/{name}", Accept="text/html")
        assert found == status
        assert content.startswith("<h1>")
    assert (await caller.ask("/pages/conflict"))[1]["title"] == "Conflict"
    assert (await caller.ask("/api/conflict", Accept="text/html"))[1]["title"] == "Conflict"
    assert (await caller.ask("/pages/a/b", Accept="text/html"))[1] == "<h1>Not found"


def test_the_correlation_id_is_in_it() -> None:
    with bind_correlation("order-7"):
        made = problem.response(make_mocked_request("GET", "/"), Conflict(DETAIL))
    assert b'"correlation_id":"order-7"' in bytes(made.body or b"")  # type: ignore[arg-type]


def test_a_rule_of_one_field_is_the_rule_of_the_answer() -> None:
    """Several fields name each its own; a wrong field without a rule has none."""
    text = Text("no", "нет")
    one, other, plain = (
        FieldError("a", text, "x"),
        FieldError("b", text, "y"),
        FieldError("c", text),
    )
    assert problem.code_of(Invalid(one)) == "x"
    assert problem.code_of(Invalid(one, FieldError("d", text, "x"))) == "x"
    assert problem.code_of(Invalid(one, other)) is None
    assert problem.code_of(Invalid(one, plain)) is None
    assert problem.code_of(Invalid(plain)) is None
    assert problem.code_of(Refusal("z", 422, "no", "нет", "a")()) == "z"
