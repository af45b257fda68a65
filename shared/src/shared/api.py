"""JSON APIs described by their pydantic models.

One decorator says what an address reads, answers and demands; from the same words come the
checks at run time and the OpenAPI 3.1 document, so the two cannot disagree.
"""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final, TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

from shared import openapi, openapi_page
from shared.bodies import read_json
from shared.complaints import complaint, zero_bytes
from shared.crypto import token_hash
from shared.errors import Invalid, Refusal, Text, Unauthorized, invalid
from shared.room import Room
from shared.settings import ApiToken

Handler = Callable[..., Awaitable[web.StreamResponse]]
AnyModel = TypeVar("AnyModel", bound=BaseModel)

TOKEN: Final = web.RequestKey("saldo_token", ApiToken)
ERRORS_MAX: Final = 20
RIGHT_MISSING: Final = Refusal(
    "right_missing", 403, "The token lacks the scope {scope}", "У токена нет права {scope}"
)
IDEMPOTENCY_CONFLICT: Final = Refusal(
    "idempotency_conflict",
    409,
    "This Idempotency-Key was used for another request: take a new key",
    "Этот Idempotency-Key уже занят другим запросом: возьмите новый ключ",
)
"""May be the answer of every keyed operation, which need not name it."""
_KEY = re.compile(r"[0-9A-Za-z+._:-]{1,64}", re.ASCII)


@dataclass(frozen=True)
class Operation:
    """One method of one address, as it is checked and documented."""

    method: str
    path: str
    handler: Handler
    summary: str
    answers: Mapping[int, type[BaseModel]]
    scope: str | None
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    keyed: bool = False
    refusals: Sequence[Refusal] = ()
    """The rules that may say no, beside what the models refuse."""
    media: Sequence[str] = ()
    """Content types of a 200 that is a file, beside the JSON of `answers` if any."""


class Api:
    """A table of operations below one prefix."""

    def __init__(self, title: str, prefix: str) -> None:
        self.title = title
        self.prefix = prefix
        self.operations: list[Operation] = []
        self._described: tuple[int, bytes, str] | None = None

    def get(
        self,
        path: str,
        *,
        answers: Mapping[int, type[BaseModel]],
        scope: str | None,
        summary: str,
        query: type[BaseModel] | None = None,
        refusals: Sequence[Refusal] = (),
        media: Sequence[str] = (),
    ) -> Callable[[Handler], Handler]:
        """Describe a reading operation; the handler gets the request, then the query if any."""

        def register(handler: Handler) -> Handler:
            operation = Operation("GET", path, handler, summary, answers, scope, query=query)
            self.operations.append(replace(operation, refusals=refusals, media=media))
            return handler

        return register

    def post(
        self,
        path: str,
        *,
        answers: Mapping[int, type[BaseModel]],
        scope: str | None,
        summary: str,
        body: type[BaseModel] | None = None,
        query: type[BaseModel] | None = None,
        keyed: bool = False,
        refusals: Sequence[Refusal] = (),
    ) -> Callable[[Handler], Handler]:
        """Describe a writing operation; `keyed` ones take an Idempotency-Key."""

        def register(handler: Handler) -> Handler:
            operation = Operation("POST", path, handler, summary, answers, scope, body, query)
            rules = (*refusals, IDEMPOTENCY_CONFLICT) if keyed else refusals
            self.operations.append(replace(operation, keyed=keyed, refusals=rules))
            return handler

        return register

    def put(
        self,
        path: str,
        *,
        body: type[BaseModel],
        answers: Mapping[int, type[BaseModel]],
        scope: str | None,
        summary: str,
        refusals: Sequence[Refusal] = (),
    ) -> Callable[[Handler], Handler]:
        """Describe an operation that replaces what stands at an address: safe to repeat."""

        def register(handler: Handler) -> Handler:
            operation = Operation("PUT", path, handler, summary, answers, scope, body)
            self.operations.append(replace(operation, refusals=refusals))
            return handler

        return register

    def application(
        self, tokens: Mapping[str, ApiToken], *, body_bytes_max: int = 65_536
    ) -> web.Application:
        """Return the application to mount at the prefix, with its document and its page."""
        app = web.Application()
        room = Room()
        for operation in self.operations:
            checked = room.bounded(_checked(operation, tokens, body_bytes_max))
            app.router.add_route(operation.method, operation.path, checked)

        async def send_document(_request: web.Request) -> web.Response:
            document, _ = await asyncio.to_thread(self._document)
            return web.Response(body=document, content_type="application/json")

        async def send_page(_request: web.Request) -> web.Response:
            _, page = await asyncio.to_thread(self._document)
            return web.Response(text=page, content_type="text/html", headers=openapi_page.HEADERS)

        app.router.add_get("/openapi.json", send_document)
        app.router.add_get("/docs", send_page)
        return app

    def _document(self) -> tuple[bytes, str]:
        """Return the document and its page; made when first asked for, as it takes a while."""
        count = len(self.operations)
        if self._described is None or self._described[0] != count:
            document = orjson.dumps(openapi.document(self.title, self.prefix, self.operations))
            self._described = count, document, openapi_page.page(orjson.loads(document))
        return self._described[1:]


def answer(model: BaseModel, status: int = 200) -> web.Response:
    """Return a model as JSON."""
    body = model.model_dump_json().encode()
    return web.Response(body=body, status=status, content_type="application/json")


def idempotency_key(request: web.BaseRequest) -> str | None:
    """Return the caller's Idempotency-Key; raises Invalid for one we could not store."""
    keys = request.headers.getall("Idempotency-Key", [])
    if not keys:
        return None
    if len(keys) == 1 and _KEY.fullmatch(keys[0]):
        return keys[0]
    raise invalid(
        "Idempotency-Key",
        "give one key of 1 to 64 letters, digits and + . _ : -",
        "дайте один ключ: от 1 до 64 латинских букв, цифр и знаков + . _ : -",
    )


def _checked(
    operation: Operation, tokens: Mapping[str, ApiToken], body_bytes_max: int
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        if operation.scope is not None:
            request[TOKEN] = _authorized(request, tokens, operation.scope)
        given: list[BaseModel] = []
        if operation.query is not None:
            given.append(validated(operation.query, _query(request)))
        if operation.body is not None:
            said = await read_json(request, body_bytes_max)
            given.append(validated(operation.body, said, typed=True))
        return await operation.handler(request, *given)

    return handle


def _authorized(request: web.Request, tokens: Mapping[str, ApiToken], scope: str) -> ApiToken:
    said = request.headers.getall("Authorization", [])
    kind, _, given = said[0].partition(" ") if len(said) == 1 else ("", "", "")
    hashed = token_hash(given.strip())
    found = [token for known, token in tokens.items() if hmac.compare_digest(known, hashed)]
    if kind.lower() != "bearer" or not found:
        raise Unauthorized(
            Text(
                "Send a known token as Authorization: Bearer <token>",
                "Передайте известный токен: Authorization: Bearer <токен>",
            )
        )
    require(found[0], scope)
    return found[0]


def require(token: ApiToken, scope: str) -> None:
    """Raise Forbidden, as `right_missing`, where a token lacks a scope."""
    if not token.may(scope):
        raise RIGHT_MISSING(scope=scope)


def validated(model: type[AnyModel], value: Any, *, typed: bool = False) -> AnyModel:
    """Read a value as the model; raises Invalid that names each wrong field, at most 20.

    In what is `typed`, as JSON is, a true is no 1 and "1" is no number.
    """
    if zeros := list(islice(zero_bytes(value), ERRORS_MAX)):
        raise Invalid(*zeros)
    try:
        if typed:
            return model.model_validate_json(orjson.dumps(value), strict=True)
        return model.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)[:ERRORS_MAX]
        raise Invalid(*map(complaint, found)) from error


def _query(request: web.Request) -> dict[str, str]:
    """Return the query; raises Invalid for a name that is given twice."""
    given = dict(request.query)
    for name in given:
        if len(request.query.getall(name)) > 1:
            raise invalid(name, "given more than once", "дано больше одного раза")
    return given
