"""A crowd of requests: some are served, the others hear at once when to come again."""

from __future__ import annotations

import asyncio

from aiohttp import TCPConnector, web
from aiohttp.pytest_plugin import AiohttpClient
from pydantic import BaseModel

from shared import problem
from shared.api import Api, answer
from shared.room import IN_HAND_MAX, Room


class Told(BaseModel):
    word: str


async def test_what_finds_no_room_is_503_at_once_and_room_comes_back(
    aiohttp_client: AiohttpClient,
) -> None:
    go, begun, room = asyncio.Event(), asyncio.Semaphore(0), Room(most=2)

    async def slow(request: web.Request) -> web.StreamResponse:
        begun.release()
        await go.wait()
        if request.query:
            raise RuntimeError("a handler that fails leaves its room, too")
        return web.Response()

    app = web.Application(middlewares=[problem.middleware])
    app.router.add_get("/", room.bounded(slow))
    client = await aiohttp_client(app)
    held = [asyncio.create_task(client.get(path)) for path in ("/", "/?fail=1")]
    for _ in held:
        await begun.acquire()
    refused = await client.get("/")
    assert (refused.status, refused.headers["Retry-After"]) == (503, "3")
    go.set()
    assert [(await one).status for one in held] == [200, 500]
    assert [(await client.get("/")).status for _ in range(3)] == [200, 200, 200]


async def test_all_operations_of_an_api_share_its_room(aiohttp_client: AiohttpClient) -> None:
    go, begun, api = asyncio.Event(), asyncio.Semaphore(0), Api("Test", "/test")

    @api.get("/slow", answers={200: Told}, scope=None, summary="Wait")
    async def slow(_request: web.Request) -> web.Response:
        begun.release()
        await go.wait()
        return answer(Told(word="done"))

    @api.get("/quick", answers={200: Told}, scope=None, summary="Answer")
    async def quick(_request: web.Request) -> web.Response:
        return answer(Told(word="here"))

    root = web.Application(middlewares=[problem.middleware])
    root.add_subapp("/test", api.application({}))
    client = await aiohttp_client(root, connector=TCPConnector(limit=0))
    held = [asyncio.create_task(client.get("/test/slow")) for _ in range(IN_HAND_MAX)]
    for _ in held:
        await begun.acquire()
    assert (await client.get("/test/quick")).status == 503
    go.set()
    assert {(await one).status for one in held} == {200}
    assert (await client.get("/test/quick")).status == 200
