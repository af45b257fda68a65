"""A JSON API with every kind of field, for the tests of `shared.api` and `shared.openapi`."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Final, Literal

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared import api
from shared.crypto import token_hash
from shared.money import WireMoney
from shared.settings import ApiToken

PREFIX: Final = "/things/v1"
TOKENS: Final = {
    token_hash("writer"): ApiToken(name="writer", scopes=("things:write",)),
    token_hash("reader"): ApiToken(name="reader", scopes=("things:read",)),
    token_hash("other"): ApiToken(name="other", scopes=("payments:write",)),
}
BODY_BYTES_MAX: Final = 4096

things: Final = api.Api("Things", PREFIX)


class Colour(Enum):
    """What a thing may look like."""

    RED = "red"
    BLUE = "blue"


class Part(BaseModel):
    """A part of a thing."""

    model_config = ConfigDict(extra="forbid")

    amount: WireMoney
    count: int = Field(ge=1, le=9)


class NewThing(BaseModel):
    """A thing to be made."""

    model_config = ConfigDict(extra="forbid")

    number: Annotated[str, Field(min_length=1, max_length=8, pattern="^[0-9A-Z]+$")]
    amount: WireMoney
    parts: tuple[Part, ...] = Field((), max_length=3)
    note: str = ""
    count: int = 1
    ratio: float = 0
    price: Decimal | None = None
    at: AwareDatetime | None = None
    flag: bool = False
    language: Literal["ru", "en"] = "ru"
    colour: Colour | None = None


class Thing(NewThing):
    """A thing as it is kept."""

    id: int
    made_by: str
    key: str | None = None


class PageQuery(BaseModel):
    """Which things are listed."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(20, ge=1, le=100)
    colour: Colour | None = None
    after: str


class Listed(BaseModel):
    """The things of one page."""

    things: tuple[Thing, ...]
    limit: int


class NoQuery(BaseModel):
    """Nothing can be asked for."""


@things.post(
    "/things",
    body=NewThing,
    answers={201: Thing, 200: Thing},
    scope="things:write",
    summary="Make a thing",
    keyed=True,
)
async def make(request: web.Request, body: NewThing) -> web.StreamResponse:
    """Give back what was read."""
    key = api.idempotency_key(request)
    made: dict[str, Any] = {**body.model_dump(), "id": 7, "made_by": request[api.TOKEN].name}
    return api.answer(Thing.model_validate({**made, "key": key}), status=201)


@things.get(
    "/things", answers={200: Listed}, scope="things:read", summary="List things", query=PageQuery
)
async def listed(_request: web.Request, query: PageQuery) -> web.StreamResponse:
    """Give back what was asked."""
    return api.answer(Listed(things=(), limit=query.limit))


@things.get(
    r"/things/{number:[^/]+}", answers={200: Listed}, scope="things:read", summary="One thing"
)
async def one(request: web.Request) -> web.StreamResponse:
    """Give back an empty page of as many as the number is long."""
    return api.answer(Listed(things=(), limit=len(request.match_info["number"])))


@things.put(
    r"/things/{number:[^/]+}",
    body=NewThing,
    answers={200: Thing},
    scope="things:write",
    summary="Put a thing in the place of another",
)
async def replaced(request: web.Request, body: NewThing) -> web.StreamResponse:
    """Give back what was read."""
    made: dict[str, Any] = {**body.model_dump(), "id": 7, "made_by": request[api.TOKEN].name}
    return api.answer(Thing.model_validate(made))


@things.get("/open", answers={200: Listed}, scope=None, summary="For <all> & any", query=NoQuery)
async def for_all(_request: web.Request, _query: NoQuery) -> web.StreamResponse:
    """Need no token."""
    return api.answer(Listed(things=(), limit=0))
